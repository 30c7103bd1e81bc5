package bulk

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// SyncOptions change how Sync works. The zero value is what most need.
type SyncOptions struct {
	// State remembers what Sync sent, so that the next Sync sends the difference without reading the account; nil
	// means that nothing does. See [OpenSyncState].
	State SyncState
	// Verify reads the account although there is a State, and repairs both. Use it from time to time, if others
	// change the contacts too, and after a change of ManagedTags.
	Verify bool

	// ClearEmpty clears fields that are empty in the input and that an earlier Sync with the same State has set. It
	// needs a State. It sends null, "" for custom fields, and [] for tags. The API does not document that null clears a
	// field. The email and the first name are never cleared: the API requires them.
	ClearEmpty bool
	// ManagedTags are the tags that this source owns. Sync adds and removes these, and keeps all other tags of a
	// contact. Contacts of the input may have no others. Nil means that tags of the input replace all tags. Changed
	// tags of a contact cost one more request, to read it, if only the State knows it or its reading is older than a
	// minute.
	ManagedTags []string

	// DryRun only reads, and fills SyncReport.Plan with what would be sent. It changes no State.
	DryRun bool
	// Confirm is called after the reading and before the first write, unless there is nothing to write. If it returns
	// an error, nothing is written, and the error of Sync wraps it. A dry run does not call it.
	Confirm func(*SyncPlan) error

	// Concurrency is the number of requests that may be on their way at once; 0 means 4.
	Concurrency int
	// OnProgress is called when the reading begins, when a request waits, and after every completed request, never twice at
	// once. It must return soon.
	OnProgress func(SyncProgress)
	// OnResult is called with the outcome of each contact as it is known, never twice at once. It must return soon.
	// It gets no duplicates, and no contacts that were not tried. In a dry run it tells what would be done.
	OnResult func(SyncResult)
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

// SyncResult is the outcome of one contact.
type SyncResult struct {
	// Index is the place of the contact in the input, from 0.
	Index int
	// Email is as the input has it.
	Email string
	// Outcome is empty if there is an error.
	Outcome demeterrr.UpsertOutcome
	// ContactID is empty if it is not known: after an error, and in a dry run for a contact that would be created.
	ContactID string
	// Err is that of the [SyncFailure]; nil if there is an outcome.
	Err error
}

// SyncReport tells what Sync did. Read is the sum of Duplicates, Created,
// Updated, Unchanged and the numbers of Failed and NotTried. A dry run counts what a
// real run would create and update. Its Failed are contacts that cannot be sent.
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
	// NotTried are the places, in the input, of contacts whose turn did not come because Sync stopped. Its error is
	// the reason. They are in order.
	NotTried []int
	// Requests is the number of requests sent, retries included.
	Requests int
	// Plan is what a real run would send; nil unless SyncOptions.DryRun is set.
	Plan *SyncPlan
}

// SyncFailure is a contact that Sync could not bring to the account.
type SyncFailure struct {
	// Index is the place of the contact in the input, from 0.
	Index int
	// Contact has its custom fields as a reply would have them: see [demeterrr.Contact].
	Contact demeterrr.ContactParams
	// Err has a [*demeterrr.Error], which errors.As finds.
	Err error
}

const defaultSyncConcurrency = 4

// Sync brings the account to what contacts say: it creates those that are
// missing, and updates those that differ, by their differing fields, as
// [demeterrr.ContactsService.Upsert] would. It never deletes, and never changes
// Unsubscribed. Contacts of the account that are not in the input are left alone.
// LocationID and ContactOrganizationID are set on new contacts only, and a
// difference in them counts as none.
//
// It reads first, by whichever way takes fewer requests: all pages of 100, or a
// look at each email. For n contacts of which k differ, in an account of T, the
// cost is at most min(ceil(T/100), n+1) + k requests (and one to find an account
// empty). In n, an email with capital letters counts twice: an account may keep it
// in lower case. Retries, and contacts that somebody else changes meanwhile, come
// on top.
//
// With a [SyncState] it reads nothing of contacts that the state knows. The cost
// is k requests: each changed contact is sent whole. A contact that the state does
// not know costs one request if it is new, and up to three if the account has it.
// Many of these are read like those of a Sync without a state. Before Sync creates
// anything, it makes sure that the account is the state's: see [ErrStateMismatch].
// That takes one request, and three if it is not. What others change in the account
// goes unnoticed until a run with SyncOptions.Verify.
//
// Sync keeps about 200 bytes of memory for each contact, and with a state 50 for
// those that it knows. Those with the same email, ignoring case, count once: the
// last one wins. So nothing is written before the input has ended.
//
// The report is never nil and always adds up. A contact that fails is in it, and
// the others go on. The error tells why Sync stopped early, if it did: the input
// gave an error (then nothing was written), the reading failed, the state failed,
// ctx ended, Confirm returned an error, or going on would have wasted requests: the
// key was refused, the API asked for a wait of more than an hour, or 5 contacts in
// a row met no working service. The rest is in NotTried then, and a second Sync does it. Its calls are
// of low priority: see [demeterrr.LowPriority].
//
// When ctx ends, a write in flight is allowed to finish, for as long as
// [demeterrr.WithTimeout] allows.
//
// It takes the scopes contacts:read and contacts:write; a dry run only the first.
func Sync(ctx context.Context, c *demeterrr.Client, contacts iter.Seq2[demeterrr.ContactParams, error], opts *SyncOptions) (*SyncReport, error) {
	if opts == nil {
		opts = &SyncOptions{}
	}
	if err := checkArguments(ctx, c, contacts == nil, opts.Concurrency); err != nil {
		return &SyncReport{}, err
	}
	if err := opts.check(); err != nil {
		return &SyncReport{}, err
	}
	var report *SyncReport
	err := c.TraceOperation(ctx, "bulk.Sync", func(ctx context.Context) error {
		r := newSyncRun(newRun(ctx, c), *opts)
		defer r.cancel(nil)
		if r.options.OnProgress != nil {
			r.run.progress = r.reportProgress
		}
		r.options.Concurrency = cmp.Or(r.options.Concurrency, defaultSyncConcurrency)
		r.sync(contacts)
		report = r.finished()
		return r.stopped
	})
	return report, err
}

// check refuses options that contradict each other.
func (o *SyncOptions) check() error {
	if o.ClearEmpty && o.State == nil {
		return invalid("ClearEmpty needs a State, which knows the fields that this source has set; open one with OpenSyncState")
	}
	if o.ManagedTags != nil && len(o.ManagedTags) == 0 {
		return invalid("ManagedTags is empty, so that no contact may have tags; name the tags that this source owns, or pass nil")
	}
	seen := map[string]bool{}
	for i, tag := range o.ManagedTags {
		switch {
		case tag == "":
			return invalid("tag %d of ManagedTags is empty; leave it out", i+1)
		case seen[tag]:
			return invalid("tag %d of ManagedTags is there twice; leave it out", i+1)
		}
		seen[tag] = true
	}
	return nil
}

// sync is the story: collect the input, compare it with the state and the account,
// plan, let the caller confirm, and write.
func (r *syncRun) sync(contacts iter.Seq2[demeterrr.ContactParams, error]) {
	release, err := r.acquireState()
	if err != nil {
		r.stop(err)
		return
	}
	defer release()
	for _, step := range []func() error{
		func() error { return r.collect(contacts) },
		r.read,
		r.settle,
		r.plan,
		r.record,
		r.write,
	} {
		if err = step(); err != nil {
			r.stop(err)
		}
	}
}
