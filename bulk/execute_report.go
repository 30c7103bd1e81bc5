package bulk

import (
	"errors"

	"github.com/demeterrr/demeterrr-go"
)

// reportTaken reports contacts that are in the journal.
func (e *executeRun) reportTaken(taken []takenRecipient) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, to := range taken {
		entry := to.entry
		switch err := entry.problem(); {
		case err != nil:
			e.fail(to.recipient, err)
		case entry.Status == demeterrr.ExecutionQueued:
			e.report.AlreadySent++
			e.tell(to.recipient, ExecuteResult{Outcome: ExecuteAlreadySent, Status: entry.Status, ContactID: entry.ContactID})
		default:
			e.skip(to.recipient, demeterrr.ExecutionResult{Email: to.contact.Email, ContactID: entry.ContactID, Status: entry.Status})
		}
	}
}

// problem returns the error of a contact that another claim holds or has left
// in doubt. It is nil for a contact that is done.
func (entry JournalEntry) problem() error {
	switch {
	case entry.State == JournalDone:
		return nil
	case entry.State == JournalBegun && entry.Live:
		return &failure{&apiError{Message: "another process is sending this"}, ErrInFlight}
	}
	return &failure{&apiError{Message: "an earlier run began to send this and did not learn the outcome"}, demeterrr.ErrUnknownOutcome}
}

// sentTo reports the result of a contact. With any status, the reply covers the
// contact, so it is never sent to again. e.mu is held.
func (e *executeRun) sentTo(to recipient, result demeterrr.ExecutionResult) {
	if result.Status != demeterrr.ExecutionQueued {
		e.skip(to, result)
		return
	}
	e.report.Sent++
	e.tell(to, ExecuteResult{Outcome: ExecuteSent, Status: result.Status, ContactID: result.ContactID})
}

// skip reports a contact that the API skipped. e.mu is held.
func (e *executeRun) skip(to recipient, result demeterrr.ExecutionResult) {
	e.report.Skipped = append(e.report.Skipped, result)
	e.tell(to, ExecuteResult{Outcome: ExecuteSkipped, Status: result.Status, ContactID: result.ContactID})
}

// fail reports a contact with an error. The error decides between failed,
// unknown and in flight. e.mu is held.
func (e *executeRun) fail(to recipient, err error) {
	list, outcome := &e.report.Failed, ExecuteFailed
	switch {
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		list, outcome = &e.report.Unknown, ExecuteUnknown
	case errors.Is(err, ErrInFlight):
		list, outcome = &e.report.InFlight, ExecuteInFlight
	}
	*list = append(*list, ExecuteFailure{to.index, to.contact, err})
	e.tell(to, ExecuteResult{Outcome: outcome, Err: err})
}

// notTried reports the contacts that were left when the run ended.
func (e *executeRun) notTried(batch []recipient) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, to := range batch {
		e.report.NotTried = append(e.report.NotTried, to.index)
		e.tell(to, ExecuteResult{Outcome: ExecuteNotTried})
	}
}

// tell hands a contact's outcome to the caller. e.mu is held.
func (e *executeRun) tell(to recipient, result ExecuteResult) {
	if e.options.OnResult != nil {
		result.Index, result.Contact = to.index, to.contact
		e.options.OnResult(result)
	}
}

// reportProgress hands the progress to the caller. e.mu is held.
func (e *executeRun) reportProgress() {
	r := e.report
	p := ExecuteProgress{
		Read: r.Read, Duplicates: r.Duplicates, AlreadySent: r.AlreadySent, Sent: r.Sent, Skipped: len(r.Skipped),
		Failed: len(r.Failed), Unknown: len(r.Unknown), InFlight: len(r.InFlight), NotTried: len(r.NotTried),
		Requests: int(e.sent.Load()),
	}
	p.WaitingFor, p.WaitingUntil = e.waitingFor()
	e.options.OnProgress(p)
}

// advanced reports the progress after a batch.
func (e *executeRun) advanced() {
	if e.options.OnProgress == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reportProgress()
}
