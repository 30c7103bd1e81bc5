package bulk

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// SyncOptions configures Sync. The zero value suits most programs.
type SyncOptions struct {
	// State remembers what Sync sent. With it, the next Sync sends the
	// difference without reading the account. With nil, each Sync reads the
	// account. See [OpenSyncState].
	State SyncState
	// Verify reads the account despite a State, and repairs both. Use it after
	// a change of ManagedTags, and from time to time if others or your own
	// calls outside Sync change or delete contacts too.
	Verify bool

	// ClearEmpty clears fields that are empty in the input and were set by an
	// earlier Sync with the same State. It needs a State. It sends null, or ""
	// for custom fields and [] for tags. The API does not document that null
	// clears a field. The email and the first name are never cleared, since the
	// API requires them.
	ClearEmpty bool
	// ManagedTags are the tags that this source owns. Sync adds and removes
	// these, and keeps all other tags of a contact. An input contact with any
	// other tag fails with ErrValidation. With nil, tags of the input replace
	// all tags.
	//
	// Changing the tags of a contact takes one more request, to read it, in two
	// cases: only the State knows the contact, or it was read more than a
	// minute ago.
	ManagedTags []string

	// DryRun only reads, and fills SyncReport.Plan with the pending changes.
	// The State stays as it is.
	DryRun bool
	// Confirm is called with the plan between reading and the first write. With
	// an empty plan it is skipped. If it returns an error, nothing is written,
	// and the error of Sync wraps it. A dry run skips it too.
	Confirm func(*SyncPlan) error

	// Concurrency is the number of requests that may be in flight at once; 0
	// means 4.
	Concurrency int
	// OnProgress is called when reading begins, when a request waits, and after
	// every completed request, one call at a time. It must return soon.
	OnProgress func(SyncProgress)
	// OnResult is called with the outcome of each contact as soon as it is
	// known, one call at a time. It must return soon. Duplicates and contacts
	// in NotTried are left out. In a dry run it receives the planned outcome.
	OnResult func(SyncResult)
}

// SyncProgress reports the state of a running Sync.
type SyncProgress struct {
	// Reads of ReadsTotal requests have been made to read the account.
	Reads, ReadsTotal int
	// Writes of WritesTotal contacts with changes are finished. Both are 0
	// until reading is over.
	Writes, WritesTotal int
	// WaitingFor is the reason why a request waits, and WaitingUntil is the end
	// of that wait. Both are zero while all requests proceed.
	WaitingFor   demeterrr.WaitReason
	WaitingUntil time.Time
}

// SyncResult is the outcome of one contact.
type SyncResult struct {
	// Index is the position of the contact in the input, from 0.
	Index int
	// Email is spelled as in the input.
	Email string
	// Outcome is empty after an error.
	Outcome demeterrr.UpsertOutcome
	// ContactID is the UUID of the contact. It is empty after an error, and in
	// a dry run for a contact to be created.
	ContactID string
	// Err is the error of the [SyncFailure]; nil if Outcome is set.
	Err error
}

// SyncReport is the result of Sync. Read is the sum of Duplicates, Created,
// Updated, Unchanged and the lengths of Failed and NotTried. A dry run counts
// the contacts that a real run would create and update. Its Failed are contacts
// that cannot be sent.
type SyncReport struct {
	// Read counts the contacts drawn from the input.
	Read int
	// Duplicates counts contacts with the email of a later contact in the
	// input. The later contact is used.
	Duplicates int
	// Created and Updated count contacts that were written, Unchanged those
	// that already matched.
	Created   int
	Updated   int
	Unchanged int
	// Failed lists the failures in input order. A contact may have been written
	// if its error matches ErrUnknownOutcome.
	Failed []SyncFailure
	// NotTried lists, in order, the input positions of contacts that were left
	// when Sync stopped. The error of Sync is the reason.
	NotTried []int
	// Requests counts the requests sent, retries included.
	Requests int
	// Plan lists the changes that a real run would send; nil unless
	// SyncOptions.DryRun is set.
	Plan *SyncPlan
}

// SyncFailure is a contact with an error.
type SyncFailure struct {
	// Index is the position of the contact in the input, from 0.
	Index int
	// Contact has its custom fields in the types of a reply: see
	// [demeterrr.Contact].
	Contact demeterrr.ContactParams
	// Err is the reason. errors.As finds a [*demeterrr.Error] in it.
	Err error
}

const defaultSyncConcurrency = 4

// Sync brings the account in line with contacts. It creates missing contacts
// and updates differing ones, sending only the fields that differ, like
// [demeterrr.ContactsService.Upsert]. It never deletes, and never changes
// Unsubscribed. Other contacts of the account are left alone. LocationID and
// ContactOrganizationID are set on new contacts only; later differences in them
// are ignored.
//
// Sync reads first, by the way with fewer requests: all pages of 100, or a
// lookup of each email. Take n contacts, k of them with a difference, and an
// account of T contacts. The cost is then at most min(ceil(T/100), n+1) + k
// requests, plus one to find an account empty. Count an email with
// capital letters twice in n: an account may keep it in lower case, and Sync
// looks up both spellings. Retries come on top, and so do contacts that others
// change meanwhile.
//
// With a [SyncState], Sync skips reading the contacts that the state knows. The
// cost is k requests: each changed contact is sent whole. A contact outside the
// state costs one request if it is new, and up to three if the account has it.
// If there are many of these, Sync reads the account as it does without a
// state. Before Sync creates anything, it makes sure that the state belongs to
// this account: see [ErrStateMismatch]. That takes one request, or three for a
// wrong account. Sync notices changes by others, and by your own calls
// outside Sync, in a run with SyncOptions.Verify.
//
// Sync keeps about 200 bytes of memory for each contact. With a state, an
// unchanged contact takes 50 bytes. If an email appears twice, ignoring case,
// the last row wins. So writing starts after the input has ended.
//
// The report is never nil, and its numbers add up. Failed contacts are in it,
// and the others go on. An error means that Sync stopped early:
//
//   - The input yielded an error. Then nothing was written.
//   - Reading or the state failed, ctx ended, or Confirm returned an error.
//   - The API refused the key, or asked for a wait of more than an hour.
//   - 5 contacts in a row found the service down.
//
// The remaining contacts are then in NotTried, and a second Sync handles them.
// The calls of Sync have low priority: see [demeterrr.LowPriority].
//
// When ctx ends, a write in flight is allowed to finish, for as long as
// [demeterrr.WithTimeout] allows.
//
// Sync needs the scopes contacts:read and contacts:write; a dry run needs only
// the first.
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
		return invalid("ClearEmpty needs a State, to know the fields set by this source; open one with OpenSyncState")
	}
	if o.ManagedTags != nil && len(o.ManagedTags) == 0 {
		return invalid("ManagedTags is empty, so every contact with tags would fail; name the tags of this source, or pass nil")
	}
	seen := map[string]bool{}
	for i, tag := range o.ManagedTags {
		switch {
		case tag == "":
			return invalid("tag %d of ManagedTags is empty; leave it out", i+1)
		case seen[tag]:
			return invalid("tag %d of ManagedTags is a duplicate; leave it out", i+1)
		}
		seen[tag] = true
	}
	return nil
}

// sync runs the steps in order. After an error it still calls the others,
// because settle reports the contacts collected so far. The rest send nothing.
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
