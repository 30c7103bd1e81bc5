package bulk

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/paging"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// SyncOptions change how Sync works. The zero value is what most need.
type SyncOptions struct {
	// DryRun only reads, and fills SyncReport.Plan with what would be sent.
	DryRun bool
	// Concurrency is the number of requests that may be on their way at once; 0 means 4.
	Concurrency int
	// OnProgress is called when the reading begins, when a request waits, and after every completed request, never twice at
	// once. It must return soon.
	OnProgress func(SyncProgress)
}

// SyncProgress says how far Sync has come.
type SyncProgress struct {
	// Reads of ReadsTotal requests have been made to learn what the account has.
	Reads, ReadsTotal int
	// Writes of WritesTotal contacts that differ have been dealt with; both are 0 until the reading is over.
	Writes, WritesTotal int
	// WaitingFor is why a request waits, and WaitingUntil is until when; zero if none waits.
	WaitingFor   demeterrr.WaitReason
	WaitingUntil time.Time
}

// SyncReport tells what Sync did. Read is the sum of Duplicates, Created,
// Updated, Unchanged and the number of Failed. After a dry run, Created and
// Updated tell what would have been done.
type SyncReport struct {
	// Read is the number of contacts that the input gave.
	Read int
	// Duplicates were followed by another contact with the same email, which was used instead.
	Duplicates int
	// Created and Updated needed a write, Unchanged did not.
	Created   int
	Updated   int
	Unchanged int
	// Failed are in the order of the input. Those whose error matches ErrUnknownOutcome may have been written.
	Failed []SyncFailure
	// Requests is the number of requests sent, retries included.
	Requests int
	// Plan is what a dry run would have sent, in the order of the input: it would have cost len(Plan)
	// requests more. Nil unless SyncOptions.DryRun is set.
	Plan []SyncChange
}

// SyncFailure is a contact that Sync could not bring to the account.
type SyncFailure struct {
	// Index is the place of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ContactParams
	// Err has a [*demeterrr.Error], which errors.As finds. If Sync stopped before this contact's turn, its text says
	// "not tried" and names the reason, and its Attempts are 0. Err matches the reason where that holds for every
	// contact: [demeterrr.ErrUnauthorized], [demeterrr.ErrRateLimited], a context's error.
	Err error
}

// SyncChange is one request that a dry run would have sent: Create or Update is set.
type SyncChange struct {
	// Index is the place of the contact in the input, from 0.
	Index int
	Email string
	// Create is the contact that would be created; nil if it exists.
	Create *demeterrr.ContactParams
	// ContactID and Update are the contact that would be changed, and the fields that differ.
	ContactID string
	Update    *demeterrr.ContactUpdate
}

const defaultSyncConcurrency = 4

// Sync brings the account to what contacts say: it creates those that are
// missing, and updates those that differ, by their differing fields, as
// [demeterrr.ContactsService.Upsert] would. It never deletes. Contacts of the account that
// are not in the input are left alone. LocationID and ContactOrganizationID are
// set on new contacts only, and a difference in them counts as none.
//
// It reads first, by whichever way takes fewer requests: all pages of 100, or a
// look at each email. For n contacts of which k differ, in an account of T, the
// cost is at most min(ceil(T/100), n+1) + k requests (and one to find an account
// empty). In n, an email with capital letters counts twice: an account may keep it
// in lower case. Retries, and contacts that somebody else changes meanwhile, come
// on top.
//
// The contacts are held in memory and must not be changed before Sync returns.
// The report shares their tags and custom fields.
// Those with the same email, ignoring case, count once: the last one wins.
//
// The report is never nil and always adds up. A contact that fails is in it, and
// the others go on. The error tells why Sync stopped early, if it did: the input
// gave an error (then nothing was written), the reading failed, ctx ended, or
// going on would have wasted requests: the key was refused, the API asked for a
// longer wait than RetryPolicy.MaxRetryAfter (give a nightly job an hour; a
// [demeterrr.Pacer] makes this rare, but cannot know what others have used), or 5 contacts in a row
// met no working service. What was not tried is in Failed then, and a
// second Sync does the rest. A write that is on its way when ctx ends is let
// finish, for as long as [demeterrr.WithTimeout] allows.
//
// It takes the scopes contacts:read and contacts:write; a dry run only the first.
func Sync(ctx context.Context, c *demeterrr.Client, contacts iter.Seq2[demeterrr.ContactParams, error], opts *SyncOptions) (*SyncReport, error) {
	if opts == nil {
		opts = &SyncOptions{}
	}
	if err := checkArguments(ctx, c, contacts == nil, opts.Concurrency); err != nil {
		return &SyncReport{}, err
	}
	var report *SyncReport
	err := c.TraceOperation(ctx, "bulk.Sync", func(ctx context.Context) error {
		r := &syncRun{run: newRun(ctx, c), options: *opts, byEmail: map[string]*syncItem{}}
		defer r.cancel(nil)
		if r.options.OnProgress != nil {
			r.run.progress = r.reportProgress
		}
		r.options.Concurrency = cmp.Or(r.options.Concurrency, defaultSyncConcurrency)
		r.sync(contacts)
		report = r.report()
		return r.stopped
	})
	return report, err
}

// sync takes in the input, reads what the account has of it, and writes what differs.
func (r *syncRun) sync(contacts iter.Seq2[demeterrr.ContactParams, error]) {
	err := r.collect(contacts)
	if err == nil {
		err = r.read()
	}
	if err != nil {
		r.stop(err)
	}
	r.write()
}

// syncRun is one Sync on its way.
type syncRun struct {
	*run
	options SyncOptions

	inputs     int
	duplicates int
	items      []*syncItem
	byEmail    map[string]*syncItem
	unfiltered atomic.Bool  // the server ignores ?email=
	list       paging.Pages // guarded by run.mu, as the progress
	progress   SyncProgress
}

// syncItem is one contact of the input and what becomes of it. Only one
// goroutine at a time works on it.
type syncItem struct {
	index  int
	params demeterrr.ContactParams
	have   *demeterrr.Contact       // the account's; nil if it has none
	update *demeterrr.ContactUpdate // what have lacks; nil if nothing
	done   demeterrr.UpsertOutcome
	err    error
	plan   *SyncChange
}

// collect takes in the input. Contacts without a usable email fail here.
func (r *syncRun) collect(contacts iter.Seq2[demeterrr.ContactParams, error]) error {
	if err := r.over(); err != nil {
		return err
	}
	for params, err := range contacts {
		if err != nil {
			return inputFailed(err)
		}
		item := &syncItem{index: r.inputs, params: params}
		r.inputs++
		key := mailbox.Key(params.Email)
		if err := validate.Email(params.Email); err != nil {
			item.err = invalid("%s", err)
		} else if earlier, ok := r.byEmail[key]; ok {
			r.duplicates++
			earlier.index, earlier.params = item.index, item.params
			continue
		} else {
			r.byEmail[key] = item
		}
		r.items = append(r.items, item)
		if err := r.over(); err != nil {
			return err
		}
	}
	return nil
}

// write creates and updates what differs, or plans to.
func (r *syncRun) write() {
	var differing []*syncItem
	for _, item := range r.items {
		if item.have != nil {
			item.update = item.params.Changes(item.have)
		}
		switch {
		case item.err != nil:
		case item.have != nil && item.update == nil:
			item.done = demeterrr.UpsertUnchanged
		case r.over() != nil:
			item.err = r.notTried()
		default:
			differing = append(differing, item)
		}
	}
	if r.options.DryRun {
		for _, item := range differing {
			item.predict()
		}
		return
	}
	r.advance(func(p *SyncProgress) { p.WritesTotal = len(differing) })
	parallel(r.run, r.options.Concurrency, slices.Values(differing), func(item *syncItem) {
		if untried := r.notTried(); untried != nil {
			item.err = untried
			return
		}
		item.done, item.err = r.bring(item)
		item.err = r.classify(item.err)
		r.advance(func(p *SyncProgress) { p.Writes++ })
	})
}

// bring makes the account have the contact of an item. If somebody else created or
// deleted it meanwhile, that is found out by the API's 409 or 404.
func (r *syncRun) bring(item *syncItem) (demeterrr.UpsertOutcome, error) {
	if item.have != nil {
		_, err := r.client.Contacts.Update(r.ctx, item.have.ID, item.update, r.writing()...)
		if !errors.Is(err, demeterrr.ErrNotFound) {
			return demeterrr.UpsertUpdated, err
		}
	}
	_, done, err := r.client.Contacts.Upsert(r.ctx, &item.params, r.writing()...)
	return done, err
}

// predict says what write would do for an item, and refuses what it could not send.
func (item *syncItem) predict() {
	change := &SyncChange{Index: item.index, Email: item.params.Email}
	if item.have != nil {
		change.ContactID, change.Update = item.have.ID, item.update
		item.done, item.err = demeterrr.UpsertUpdated, item.update.Validate()
	} else {
		change.Create = &item.params
		item.done, item.err = demeterrr.UpsertCreated, item.params.Validate()
	}
	if item.err == nil {
		item.plan = change
	}
}

// advance changes the progress and hands it to the caller.
func (r *syncRun) advance(change func(*SyncProgress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.progress)
	if r.options.OnProgress != nil {
		r.reportProgress()
	}
}

// reportProgress hands the progress to the caller. r.mu is held.
func (r *syncRun) reportProgress() {
	p := r.progress
	p.WaitingFor, p.WaitingUntil = r.waitingFor()
	r.options.OnProgress(p)
}

// report adds up what became of the items.
func (r *syncRun) report() *SyncReport {
	report := &SyncReport{Read: r.inputs, Duplicates: r.duplicates, Requests: int(r.sent.Load())}
	slices.SortFunc(r.items, func(a, b *syncItem) int { return a.index - b.index })
	for _, item := range r.items {
		switch {
		case item.err != nil:
			report.Failed = append(report.Failed, SyncFailure{item.index, item.params, item.err})
		case item.done == demeterrr.UpsertCreated:
			report.Created++
		case item.done == demeterrr.UpsertUpdated:
			report.Updated++
		case item.done == demeterrr.UpsertUnchanged:
			report.Unchanged++
		}
		if item.plan != nil {
			report.Plan = append(report.Plan, *item.plan)
		}
	}
	return report
}
