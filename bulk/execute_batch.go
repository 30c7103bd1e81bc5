package bulk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxBatch is the documented limit of an execution (contract, section 6).
const maxBatch = 100

// send sends to one batch, once. The journal learns of it when nothing stands
// between the batch and the network any more, and again when there is an answer.
func (e *executeRun) send(batch []recipient) {
	defer e.reportProgress()
	if untried := e.notTried(); untried != nil {
		e.fail(batch, untried)
		return
	}
	token := ""
	begin := demeterrr.WithBeforeSend(func(ctx context.Context) error { return e.begin(ctx, batch, &token) })
	opts := append([]demeterrr.CallOption{begin}, e.writing()...)
	execution, err := e.client.Sequences.Execute(e.ctx, e.sequenceID, e.params(batch), append(opts, demeterrr.WithAtMostOnce())...)
	err = e.classify(err)
	entries := make([]JournalEntry, len(batch))
	for i, to := range batch {
		entries[i] = JournalEntry{Email: mailbox.Key(to.contact.Email), State: JournalNew}
	}
	if err != nil {
		e.fail(batch, err)
	} else {
		e.settle(batch, entries, execution)
	}
	if errors.Is(err, demeterrr.ErrUnknownOutcome) {
		for i := range entries {
			entries[i].State = JournalUnknown
		}
	}
	if token != "" {
		e.finish(token, entries)
	}
}

func (e *executeRun) params(batch []recipient) *demeterrr.ExecuteParams {
	params := &demeterrr.ExecuteParams{LocationID: e.options.LocationID, EmployeeID: e.options.EmployeeID}
	for _, to := range batch {
		params.Contacts = append(params.Contacts, to.contact)
	}
	return params
}

// begin makes the journal know the batch, unless it does already: an attempt can
// be the second one, after a 429.
func (e *executeRun) begin(ctx context.Context, batch []recipient, token *string) error {
	if e.options.Journal == nil || *token != "" {
		return nil
	}
	emails := make([]string, len(batch))
	for i, to := range batch {
		emails[i] = mailbox.Key(to.contact.Email)
	}
	claim := rand.Text()
	taken, err := e.options.Journal.Claim(ctx, e.sequenceID, claim, emails)
	if err == nil && len(taken) > 0 {
		err = fmt.Errorf("%d emails of the batch are taken", len(taken))
	}
	if err != nil {
		e.stop(journalFailed(err))
		return err
	}
	*token = claim
	return nil
}

// finish makes the journal know what became of a batch.
func (e *executeRun) finish(token string, entries []JournalEntry) {
	if err := e.options.Journal.Finish(context.WithoutCancel(e.ctx), e.sequenceID, token, entries); err != nil {
		const message = "the journal could not record the outcome of a batch; this report is correct, but the next run will treat the batch as unknown"
		e.stop(because(message, scrub.Readable(err)))
	}
}

// settle reports what the API said of each contact of a batch, and enters it for
// the journal. Whatever the status: the reply was about all of them, so that none
// is sent to again.
func (e *executeRun) settle(batch []recipient, entries []JournalEntry, execution *demeterrr.Execution) {
	results := make(map[string]demeterrr.ExecutionResult, len(execution.Results))
	for _, result := range execution.Results {
		key := mailbox.Key(result.Email)
		if _, twice := results[key]; !twice || result.Status == demeterrr.ExecutionQueued {
			results[key] = result
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, to := range batch {
		result, named := results[entries[i].Email]
		if !named {
			result.Email = to.contact.Email
		}
		entries[i].State, entries[i].Status = JournalDone, result.Status
		entries[i].ContactID = result.ContactID
		if result.Status == demeterrr.ExecutionQueued {
			e.report.Sent++
		} else {
			e.report.Skipped = append(e.report.Skipped, result)
		}
	}
}

// fail reports contacts that were not sent to, or may have been, by what the error says.
func (e *executeRun) fail(batch []recipient, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := &e.report.Failed
	if errors.Is(err, demeterrr.ErrUnknownOutcome) {
		list = &e.report.Unknown
	}
	for _, to := range batch {
		*list = append(*list, ExecuteFailure{to.index, to.contact, err})
	}
}

func (e *executeRun) update(change func(*ExecuteReport)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e.report)
}

// reportProgress hands the progress to the caller.
func (e *executeRun) reportProgress() {
	if e.options.OnProgress == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.report
	e.options.OnProgress(ExecuteProgress{
		Read: r.Read, Duplicates: r.Duplicates, AlreadySent: r.AlreadySent, Sent: r.Sent,
		Skipped: len(r.Skipped), Failed: len(r.Failed), Unknown: len(r.Unknown), Requests: int(e.sent.Load()),
	})
}
