package bulk

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// ExecuteOptions change how Execute works. The zero value sends without a journal.
type ExecuteOptions struct {
	// LocationID and EmployeeID are UUIDs that apply to all the contacts; empty means none.
	LocationID string
	EmployeeID string
	// Concurrency is the number of batches that may be in flight at once, so it is also the number that a crash
	// leaves in doubt; 0 means 1, which is enough to use up every rate limit that the API documents.
	Concurrency int
	// Journal remembers to whom the sequence was sent, across runs and processes; nil means that nothing does.
	Journal Journal
	// SplitRefused halves a batch that the API refused with VALIDATION_ERROR, until the contact at fault stands alone. It
	// takes at most 30 requests a batch, retries not counted. If none of them succeeds, Execute stops. The default
	// is off: the API does not document that a refused batch did nothing.
	SplitRefused bool
	// OnProgress is called after every batch and when a request waits, never twice at once. It must return soon.
	OnProgress func(ExecuteProgress)
	// OnResult is called with each contact's outcome as soon as it is known, when the journal has it. It must return soon,
	// and is never called twice at once, nor together with OnProgress. Contacts that need no request come first, in the
	// order of the input. Then come those of each batch: taken ones first, then the others, both in the order of the
	// input. Batches come in the order in which they end.
	OnResult func(ExecuteResult)
}

// ExecuteProgress says how far Execute has come. The numbers are those of
// [ExecuteReport]; Read runs ahead of their sum by the batches in flight.
type ExecuteProgress struct {
	Read, Duplicates, AlreadySent, Sent, Skipped, Failed, Unknown, InFlight, NotTried, Requests int
	// WaitingFor is why a request waits, and WaitingUntil is until when; zero if none waits.
	WaitingFor   demeterrr.WaitReason
	WaitingUntil time.Time
}

// ExecuteReport tells what Execute did. Read is the sum of Duplicates,
// AlreadySent, Sent and the numbers of Skipped, Failed, Unknown, InFlight and
// NotTried.
type ExecuteReport struct {
	// Read is the number of contacts that were taken from the input.
	Read int
	// Duplicates had the email of an earlier contact of this run, which was used instead.
	Duplicates int
	// AlreadySent were sent to before, in an earlier run or by another process, says the journal.
	AlreadySent int
	// Sent are those whom the API reported as [demeterrr.ExecutionQueued].
	Sent int
	// Skipped are those for whom the API reported something else, now or before; the status is empty if its reply did
	// not name the contact. With a journal they are not tried again.
	Skipped []demeterrr.ExecutionResult
	// Failed are known not to have been sent. The next run sends to them.
	Failed []ExecuteFailure
	// Unknown may have been sent: a reply was lost, or another run died. Their errors match [demeterrr.ErrUnknownOutcome].
	// With a journal they are never sent to again, unless a person says so: see [FileJournal.Forget].
	Unknown []ExecuteFailure
	// InFlight are being sent to by another process, says the journal. Their errors match [ErrInFlight]. The next run
	// finds them done, free or in doubt.
	InFlight []ExecuteFailure
	// NotTried are the places in the input, from 0, of contacts whose turn did not come. The error that Execute returns
	// is the reason. The next run sends to them.
	NotTried []int
	// Requests is the number of requests sent, retries included.
	Requests int
}

// ExecuteFailure is a contact to whom the sequence was not sent, or perhaps was.
type ExecuteFailure struct {
	// Index is the place of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ExecuteContact
	// Err has a [*demeterrr.Error], which errors.As finds.
	Err error
}

// ExecuteOutcome is what became of one contact.
type ExecuteOutcome string

// The outcomes of a contact, each with the part of [ExecuteReport] that has it.
const (
	ExecuteSent        ExecuteOutcome = "sent"         // Sent
	ExecuteSkipped     ExecuteOutcome = "skipped"      // Skipped
	ExecuteAlreadySent ExecuteOutcome = "already sent" // AlreadySent
	ExecuteDuplicate   ExecuteOutcome = "duplicate"    // Duplicates
	ExecuteInFlight    ExecuteOutcome = "in flight"    // InFlight
	ExecuteUnknown     ExecuteOutcome = "unknown"      // Unknown
	ExecuteFailed      ExecuteOutcome = "failed"       // Failed
	ExecuteNotTried    ExecuteOutcome = "not tried"    // NotTried
)

// ExecuteResult is the outcome of one contact, for [ExecuteOptions].OnResult.
type ExecuteResult struct {
	// Index is the place of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ExecuteContact
	Outcome ExecuteOutcome
	// Status is what the API said, if the contact was sent to or skipped, now or before.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact; empty if no reply told it.
	ContactID string
	// Err is that of the [ExecuteFailure]; nil for any other outcome.
	Err error
}

// Execute sends a sequence to any number of contacts, 100 to a request. Each
// email, ignoring case, counts once in a run: the first one wins. No batch is sent
// again if it may have been performed (see [demeterrr.WithAtMostOnce]). Its
// contacts are Unknown then, and the next batches go on.
//
// With a Journal this holds across runs, processes and crashes. Run it again with
// the same input and the same journal until nothing is InFlight or NotTried: nobody
// is messaged twice. It tries the Failed again, too. One at fault itself, with a bad
// email for example, fails each time. Processes with overlapping inputs and one
// journal split the work. Execute looks up 100 contacts at a time, and claims each
// batch at the last moment before it is sent. It gives a claim back before any
// wait. A claim of a process that died stays, and is Unknown to the others.
//
// To send to the whole account, [Collect] its contacts first. Contacts.All as a
// lazy input misses people, as Execute updates contacts while they are listed.
//
// The input is drawn as it is needed. Of a contact that has been dealt with, only
// the email is kept, beside what the report has of it.
//
// The report is never nil and always adds up to what was drawn from the input. A
// contact or a batch that fails is in it, and the others go on. The error tells why
// Execute stopped early, if it did; it draws no further input then. The input
// gave an error, ctx ended, the journal failed, or going on would have been of no
// use: the key was refused, the sequence is not there or not active, the API asked
// for a wait of more than an hour, or 5 batches in a row met no working service. Its
// calls are of low priority: see [demeterrr.LowPriority].
//
// When ctx ends, an in-flight batch is allowed to finish, for as long as
// [demeterrr.WithTimeout] allows: cutting it off would leave 100 people in doubt.
// The journal then has 30 seconds to record its outcome. Looking up and claiming
// end with ctx.
//
// A journal that fails stops Execute before it sends anything the journal does
// not know. A method that fails with a connection error is called again, for 30
// seconds: a net.Error, driver.ErrBadConn, io.EOF or io.ErrUnexpectedEOF. A panic
// of a method counts as its error.
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
		r := newRun(ctx, c, demeterrr.ErrNotFound, demeterrr.ErrSequenceInactive)
		e := &executeRun{
			run: r, options: *opts, seen: map[string]struct{}{}, report: report,
			sender: sender{
				client: c, journal: opts.Journal, sequenceID: sequenceID,
				locationID: opts.LocationID, employeeID: opts.EmployeeID, requests: &r.sent,
			},
		}
		defer e.cancel(nil)
		if opts.OnProgress != nil {
			e.progress, e.sender.onWait = e.reportProgress, e.waits
		}
		parallel(e.run, max(1, opts.Concurrency), e.batches(contacts), e.send)
		slices.Sort(report.NotTried)
		report.Requests = int(e.sent.Load())
		return e.stopped
	})
	return report, err
}

// executeRun is one Execute on its way.
type executeRun struct {
	*run
	sender  sender
	options ExecuteOptions
	seen    map[string]struct{}
	report  *ExecuteReport // guarded by run.mu
}

// batches draws the input and yields the contacts to send to, 100 at a time.
func (e *executeRun) batches(contacts iter.Seq2[demeterrr.ExecuteContact, error]) iter.Seq[[]recipient] {
	return func(yield func([]recipient) bool) {
		if e.over() != nil {
			return
		}
		var drawn, batch []recipient
		for contact, err := range contacts {
			if err != nil {
				e.stop(inputFailed(err))
				break
			}
			if to, ok := e.accept(contact); ok {
				drawn = append(drawn, to)
			}
			if len(drawn) == maxBatch {
				batch, drawn = e.addNew(batch, drawn), nil
			}
			if len(batch) >= maxBatch {
				full := batch[:maxBatch:maxBatch]
				if batch = batch[maxBatch:]; !yield(full) {
					return
				}
			}
			if e.over() != nil {
				break
			}
		}
		for rest := range slices.Chunk(e.addNew(batch, drawn), maxBatch) {
			if !yield(rest) {
				return
			}
		}
	}
}

// accept decides whether a contact may be sent to, and reports those that may not.
func (e *executeRun) accept(contact demeterrr.ExecuteContact) (recipient, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	to := recipient{index: e.report.Read, contact: contact}
	e.report.Read++
	if err := contact.Validate(); err != nil {
		e.fail(to, err)
		return to, false
	}
	to.key = mailbox.Key(contact.Email)
	if err := validate.Email(to.key); err != nil && e.options.Journal != nil { // it can be longer in lower case
		e.fail(to, invalid("in lower case, %s", err))
		return to, false
	}
	if _, ok := e.seen[to.key]; ok {
		e.report.Duplicates++
		e.tell(to, ExecuteResult{Outcome: ExecuteDuplicate})
		return to, false
	}
	to.key = strings.Clone(to.key) // a copy, which does not keep the line that it was cut from
	e.seen[to.key] = struct{}{}
	return to, true
}

// addNew adds those of the drawn contacts to a batch that the journal does not
// know, and reports the others.
func (e *executeRun) addNew(batch, drawn []recipient) []recipient {
	if e.options.Journal == nil && len(batch) == 0 {
		return drawn
	}
	if e.options.Journal == nil || len(drawn) == 0 {
		return append(batch, drawn...)
	}
	if e.over() != nil {
		e.notTried(drawn)
		return batch
	}
	entries, err := e.sender.lookup(e.ctx, keysOf(drawn))
	if err != nil {
		e.stop(err)
		e.notTried(drawn)
		return batch
	}
	d := &delivery{left: drawn}
	d.leaveOut(entries)
	e.reportTaken(d.taken)
	return append(batch, d.left...)
}
