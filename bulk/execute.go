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

// ExecuteOptions configures Execute. The zero value sends without a journal.
type ExecuteOptions struct {
	// LocationID and EmployeeID are UUIDs for all contacts; empty means none.
	LocationID string
	EmployeeID string
	// Concurrency is the number of batches that may be in flight at once, and
	// so the number that a crash leaves in doubt. 0 means 1, enough to use up
	// every documented rate limit.
	Concurrency int
	// Journal remembers the messaged contacts, across runs and processes. With
	// nil, each run starts afresh.
	Journal Journal
	// SplitRefused halves a batch after a VALIDATION_ERROR until the contact at
	// fault stands alone. It takes at most 30 requests a batch, plus retries.
	// If all of them fail, Execute stops. It is off by default: the API
	// documentation leaves open whether a refused batch has sent anything.
	SplitRefused bool
	// OnProgress is called after every batch and when a request waits, one call
	// at a time. It must return soon.
	OnProgress func(ExecuteProgress)
	// OnResult is called with each contact's outcome as soon as it is known and
	// recorded in the journal. It must return soon. Calls of OnResult and
	// OnProgress come one at a time.
	//
	// Contacts that need no request come first, in input order. The batches
	// follow, in the order in which they end. Within a batch, contacts taken by
	// another process come first, then the others, both in input order.
	OnResult func(ExecuteResult)
}

// ExecuteProgress reports the state of a running Execute. Its numbers are those
// of [ExecuteReport]. Read is ahead of their sum by the batches in flight.
type ExecuteProgress struct {
	Read, Duplicates, AlreadySent, Sent, Skipped, Failed, Unknown, InFlight, NotTried, Requests int
	// WaitingFor is the reason why a request waits, and WaitingUntil is the end
	// of that wait. Both are zero while all requests proceed.
	WaitingFor   demeterrr.WaitReason
	WaitingUntil time.Time
}

// ExecuteReport is the result of Execute. Read is the sum of Duplicates,
// AlreadySent, Sent and the lengths of Skipped, Failed, Unknown, InFlight and
// NotTried.
type ExecuteReport struct {
	// Read counts the contacts drawn from the input.
	Read int
	// Duplicates counts contacts with the email of an earlier contact in this
	// run. The earlier contact is used.
	Duplicates int
	// AlreadySent counts contacts that the journal lists as sent, by an earlier
	// run or another process.
	AlreadySent int
	// Sent counts contacts with the status [demeterrr.ExecutionQueued].
	Sent int
	// Skipped lists contacts with any other status, from this run or an earlier
	// one. The status is empty if the reply left the contact out. With a
	// journal, later runs leave them alone.
	Skipped []demeterrr.ExecutionResult
	// Failed lists contacts that certainly got nothing. The next run tries them
	// again.
	Failed []ExecuteFailure
	// Unknown lists contacts that may have been messaged: a reply was lost, or
	// another run died. Their errors match [demeterrr.ErrUnknownOutcome]. With
	// a journal, later runs leave them alone until a person resolves them: see
	// [FileJournal.Forget].
	Unknown []ExecuteFailure
	// InFlight lists contacts that another process is sending to, according to
	// the journal. Their errors match [ErrInFlight]. The next run finds them
	// done, free or in doubt.
	InFlight []ExecuteFailure
	// NotTried lists the input positions, from 0, of contacts that were left
	// when Execute stopped. The error of Execute is the reason. The next run
	// sends to them.
	NotTried []int
	// Requests counts the requests sent, retries included.
	Requests int
}

// ExecuteFailure is a contact with an error: failed, unknown or in flight.
type ExecuteFailure struct {
	// Index is the position of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ExecuteContact
	// Err is the reason. errors.As finds a [*demeterrr.Error] in it.
	Err error
}

// ExecuteOutcome is the outcome of one contact.
type ExecuteOutcome string

// The outcomes, each with its field of [ExecuteReport].
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
	// Index is the position of the contact in the input, from 0.
	Index   int
	Contact demeterrr.ExecuteContact
	Outcome ExecuteOutcome
	// Status is the API's status of a sent or skipped contact, from this run or
	// an earlier one. For other outcomes it is empty.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact; empty if every reply left it out.
	ContactID string
	// Err is the error of the [ExecuteFailure]; nil for any other outcome.
	Err error
}

// Execute sends a sequence to any number of contacts, 100 to a request. Each
// email counts once in a run, ignoring case: the first row wins. Execute sends
// a batch at most once (see [demeterrr.WithAtMostOnce]). If the outcome of a
// batch is lost, its contacts are Unknown, and Execute goes on with the next
// batch.
//
// With a Journal, this holds across runs, processes and crashes. Run Execute
// again with the same input and journal until InFlight and NotTried are empty:
// each contact is messaged at most once. Every run also retries the Failed
// contacts. A contact that is itself at fault, for example with a bad email,
// fails each time.
//
// Processes with overlapping inputs and a shared journal split the work.
// Execute looks up 100 contacts at a time. It claims each batch at the last
// moment before sending, and releases the claim before any wait. If a process
// dies, its claim stays, and other processes report its contacts as Unknown.
//
// To send to the whole account, [Collect] its contacts first. Execute updates
// contacts while it runs, so a lazy Contacts.All would miss some.
//
// Execute draws the input as needed. Of a finished contact it keeps the email
// and the entry in the report.
//
// The report is never nil, and its numbers add up to the contacts drawn. Failed
// contacts and batches are in it, and the others go on. An error means that
// Execute stopped early, without drawing the rest of the input:
//
//   - The input yielded an error, ctx ended, or the journal failed.
//   - The API refused the key, or the sequence is missing or inactive.
//   - The API asked for a wait of more than an hour.
//   - 5 batches in a row found the service down.
//
// Its calls have low priority: see [demeterrr.LowPriority].
//
// When ctx ends, an in-flight batch is allowed to finish, for as long as
// [demeterrr.WithTimeout] allows. Canceling it would leave 100 contacts in
// doubt. The journal then has 30 seconds to record the outcome. Lookups and
// claims end with ctx.
//
// If the journal fails, Execute stops. A batch is sent only after its claim is
// recorded. After a connection error, Execute retries a journal method for 30
// seconds: a net.Error, driver.ErrBadConn, io.EOF or io.ErrUnexpectedEOF. A
// panic in a method counts as its error.
//
// Execute needs the scope sequences:execute. API docs, page
// "sequences/execute".
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

// executeRun is one call of Execute.
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

// accept reports whether a contact may be sent to. It reports refused contacts
// and duplicates.
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
	if err := validate.Email(to.key); err != nil && e.options.Journal != nil { // lower case can make it longer than the limit of a journal
		e.fail(to, invalid("in lower case, %s", err))
		return to, false
	}
	if _, ok := e.seen[to.key]; ok {
		e.report.Duplicates++
		e.tell(to, ExecuteResult{Outcome: ExecuteDuplicate})
		return to, false
	}
	to.key = strings.Clone(to.key) // a copy: the original may keep a whole input line in memory
	e.seen[to.key] = struct{}{}
	return to, true
}

// addNew adds the drawn contacts that are new to the journal to a batch. It
// reports the others.
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
