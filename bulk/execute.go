package bulk

import (
	"context"
	"iter"
	"strings"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// ExecuteOptions change how Execute works. The zero value sends without a journal.
type ExecuteOptions struct {
	// LocationID and EmployeeID are UUIDs that apply to all the contacts; empty means none.
	LocationID string
	EmployeeID string
	// Concurrency is the number of batches that may be on their way at once, so it is also the number that a crash
	// leaves in doubt; 0 means 1, which is enough to use up every rate limit that the API documents.
	Concurrency int
	// Journal remembers to whom the sequence was sent, across runs; nil means that nothing does. See [OpenJournal].
	Journal Journal
	// OnProgress is called after every batch, never twice at once. It must return soon.
	OnProgress func(ExecuteProgress)
}

// ExecuteProgress says how far Execute has come. The numbers are those of
// [ExecuteReport]; Read runs ahead of their sum by what is on its way.
type ExecuteProgress struct {
	Read, Duplicates, AlreadySent, Sent, Skipped, Failed, Unknown, Requests int
}

// ExecuteReport tells what Execute did. Read is the sum of Duplicates,
// AlreadySent, Sent and the numbers of Skipped, Failed and Unknown.
type ExecuteReport struct {
	// Read is the number of contacts that were taken from the input.
	Read int
	// Duplicates had the email of an earlier contact of this run, which was used instead.
	Duplicates int
	// AlreadySent were sent to in an earlier run, says the journal.
	AlreadySent int
	// Sent are those whom the API reported as [demeterrr.ExecutionQueued].
	Sent int
	// Skipped are those for whom the API reported something else, in this run or in an earlier one; the status is empty
	// for those whom it did not name. With a journal they are not tried again.
	Skipped []demeterrr.ExecutionResult
	// Failed are known not to have been sent. The next run sends to them.
	Failed []ExecuteFailure
	// Unknown may have been sent: a reply was lost, or an earlier run died. Their errors match [demeterrr.ErrUnknownOutcome]. With a
	// journal they are never sent to again, unless [FileJournal.Forget] says so.
	Unknown []ExecuteFailure
	// Requests is the number of requests sent, retries included.
	Requests int
}

// ExecuteFailure is a contact to whom the sequence was not sent, or perhaps was.
type ExecuteFailure struct {
	// Index is the place of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ExecuteContact
	// Err has a [*demeterrr.Error], which errors.As finds. If Execute stopped before this contact's turn, its text says
	// "not tried" and names the reason, and its Attempts are 0. Err matches the reason where that holds for every
	// contact: [demeterrr.ErrUnauthorized], [demeterrr.ErrRateLimited], a context's error.
	Err error
}

// Execute sends a sequence to any number of contacts, 100 to a request. Each
// email, ignoring case, counts once in a run: the first one wins. No batch is sent
// again if it may have been performed (see [demeterrr.WithAtMostOnce]); its contacts are
// Unknown then, and the batches after it go on. With a Journal this holds across
// runs and crashes: run it again with the same input and the same journal until
// nothing is Failed, and nobody is messaged twice.
//
// The input is drawn as it is needed. Of a contact that has been dealt with, only
// the email is kept, beside what the report has of it.
//
// The report is never nil and always adds up to what was drawn from the input. A
// contact or a batch that fails is in it, and the others go on. The error tells why
// Execute stopped early, if it did; it draws no further input then. The input
// gave an error, ctx ended, the journal failed, or going on would have been of no
// use: the key was refused, the sequence is not there or not active, the API asked
// for a longer wait than RetryPolicy.MaxRetryAfter (give a nightly job an hour; a
// [demeterrr.Pacer] makes this rare, but cannot know what others have used), or 5 batches in
// a row met no working service.
//
// When ctx ends, a batch that is on its way is let finish, for as long as
// [demeterrr.WithTimeout] allows: cutting it off would leave 100 people in doubt.
//
// It takes the scope sequences:execute. API docs, page "sequences/execute".
func Execute(ctx context.Context, c *demeterrr.Client, sequenceID string, contacts iter.Seq2[demeterrr.ExecuteContact, error], opts *ExecuteOptions) (*ExecuteReport, error) {
	if opts == nil {
		opts = &ExecuteOptions{}
	}
	if err := checkArguments(ctx, c, contacts == nil, opts.Concurrency); err != nil {
		return &ExecuteReport{}, err
	}
	if err := validate.Texts([]string{opts.LocationID, opts.EmployeeID}); err != nil {
		return &ExecuteReport{}, invalid("%s", err)
	}
	if err := validate.ID(sequenceID); err != nil {
		return &ExecuteReport{}, invalid("%s", err)
	}
	report := &ExecuteReport{}
	err := c.TraceOperation(ctx, "bulk.Execute", func(ctx context.Context) error {
		e := &executeRun{
			run: newRun(ctx, c, demeterrr.ErrNotFound, demeterrr.ErrSequenceInactive), sequenceID: sequenceID, options: *opts,
			seen: map[string]struct{}{}, report: report,
		}
		defer e.cancel(nil)
		parallel(e.run, max(1, opts.Concurrency), e.batches(contacts), e.send)
		report.Requests = int(e.sent.Load())
		return e.stopped
	})
	return report, err
}

// executeRun is one Execute on its way.
type executeRun struct {
	*run
	sequenceID string
	options    ExecuteOptions
	seen       map[string]struct{}
	report     *ExecuteReport // guarded by run.mu
}

// recipient is a contact of the input with its place there.
type recipient struct {
	index   int
	contact demeterrr.ExecuteContact
}

// batches draws the input and yields those who are to be sent to, 100 at a time.
func (e *executeRun) batches(contacts iter.Seq2[demeterrr.ExecuteContact, error]) iter.Seq[[]recipient] {
	return func(yield func([]recipient) bool) {
		if e.over() != nil {
			return
		}
		var batch []recipient
		for contact, err := range contacts {
			if err != nil {
				e.stop(inputFailed(err))
				break
			}
			if to := (recipient{e.report.Read, contact}); e.accept(to) {
				batch = append(batch, to)
			}
			if len(batch) == maxBatch {
				if !yield(batch) {
					return
				}
				batch = nil
			}
			if e.over() != nil {
				break
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// accept decides whether a contact is to be sent to, and reports those who are not.
func (e *executeRun) accept(to recipient) bool {
	e.update(func(r *ExecuteReport) { r.Read++ })
	if err := to.contact.Validate(); err != nil {
		e.fail([]recipient{to}, err)
		return false
	}
	key := mailbox.Key(to.contact.Email)
	if _, ok := e.seen[key]; ok {
		e.update(func(r *ExecuteReport) { r.Duplicates++ })
		return false
	}
	e.seen[strings.Clone(key)] = struct{}{} // a copy, which does not keep the line that it was cut from
	return e.options.Journal == nil || e.isNew(to, key)
}

// isNew reports whether the journal knows nothing of a contact, and reports what it knows.
func (e *executeRun) isNew(to recipient, key string) bool {
	entries, err := e.options.Journal.Lookup(e.ctx, e.sequenceID, []string{key})
	if err != nil {
		e.stop(journalFailed(err))
		e.fail([]recipient{to}, e.notTried())
		return false
	}
	var known JournalEntry
	if len(entries) > 0 {
		known = entries[0]
	}
	switch {
	case known.State == JournalNew:
		return true
	case known.State != JournalDone:
		e.fail([]recipient{to}, earlierUnknown())
	case known.Status == demeterrr.ExecutionQueued:
		e.update(func(r *ExecuteReport) { r.AlreadySent++ })
	default:
		e.update(func(r *ExecuteReport) {
			r.Skipped = append(r.Skipped, demeterrr.ExecutionResult{Email: to.contact.Email, Status: known.Status})
		})
	}
	return false
}

// earlierUnknown is the error of a contact that an earlier run left in doubt.
func earlierUnknown() *failure {
	return &failure{&apiError{Message: "an earlier run began to send this and did not learn the outcome"}, demeterrr.ErrUnknownOutcome}
}
