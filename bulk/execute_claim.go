package bulk

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

// maxClaimAge is the greatest age of a claim when its request leaves. A journal
// that judges live claims by age allows for a longer time.
const maxClaimAge = time.Minute

// sender sends a sequence to batches, with a new claim for each attempt.
type sender struct {
	client                 *demeterrr.Client
	journal                Journal // may be nil
	sequenceID             string
	locationID, employeeID string
	requests               *atomic.Int64             // counts the requests sent
	onWait                 func(demeterrr.WaitStart) // may be nil
}

// recipient is a contact with its position in the input.
type recipient struct {
	index   int
	key     string // the key of its email
	contact demeterrr.ExecuteContact
}

// delivery is the outcome of a batch.
type delivery struct {
	left       []recipient                 // the contacts of the last request
	results    []demeterrr.ExecutionResult // one for each of left, if err is nil
	err        error                       // of the last call
	taken      []takenRecipient            // left out because the journal knows them
	attempts   int                         // requests sent
	journalErr error                       // the failure of the journal: stop
}

// takenRecipient is a contact with its journal entry.
type takenRecipient struct {
	recipient
	entry JournalEntry
}

// send sends to one batch, at most once. If another claim has taken some
// contacts, it starts again with the rest. The journal knows the outcome when
// send returns.
func (s *sender) send(ctx context.Context, batch []recipient) *delivery {
	d := &delivery{left: batch}
	c := &claim{sender: s, delivery: d}
	defer c.abandon(ctx)
	opts := []demeterrr.CallOption{demeterrr.WithBeforeSend(c.beforeSend), demeterrr.WithUncancelableSend(), demeterrr.WithAtMostOnce()}
	calling := ctx
	if s.journal != nil {
		var giveUp context.CancelCauseFunc
		calling, giveUp = context.WithCancelCause(ctx)
		defer giveUp(nil)
		opts = append(opts, demeterrr.WithOnWait(func(demeterrr.WaitStart) { c.beforeWait(ctx, giveUp) }))
	}
	if s.onWait != nil {
		opts = append(opts, demeterrr.WithOnWait(s.onWait))
	}
	for len(d.left) > 0 {
		execution, err := s.client.Sequences.Execute(calling, s.sequenceID, s.params(d.left), opts...)
		if len(c.stoppedBy) > 0 {
			d.leaveOut(c.stoppedBy)
			c.stoppedBy = nil
			if d.journalErr == nil {
				continue
			}
		}
		d.err = err
		if err == nil {
			d.results = resultsOf(d.left, execution)
		}
		c.settle(ctx)
		break
	}
	return d
}

func (s *sender) params(batch []recipient) *demeterrr.ExecuteParams {
	params := &demeterrr.ExecuteParams{LocationID: s.locationID, EmployeeID: s.employeeID}
	for _, to := range batch {
		params.Contacts = append(params.Contacts, to.contact)
	}
	return params
}

// leaveOut moves taken contacts out of the batch.
func (d *delivery) leaveOut(taken []JournalEntry) {
	entries := byKey(taken)
	var left []recipient
	for _, to := range d.left {
		if entry, ok := entries[to.key]; ok {
			d.taken = append(d.taken, takenRecipient{to, entry})
		} else {
			left = append(left, to)
		}
	}
	d.left = left
}

// byKey indexes entries by the key of their email.
func byKey(entries []JournalEntry) map[string]JournalEntry {
	found := make(map[string]JournalEntry, len(entries))
	for _, entry := range entries {
		found[mailbox.Key(entry.Email)] = entry
	}
	return found
}

// resultsOf sorts the results of a reply into the order of the batch. A contact
// that is missing in the reply gets an empty status.
func resultsOf(batch []recipient, execution *demeterrr.Execution) []demeterrr.ExecutionResult {
	if inOrder(batch, execution.Results) {
		return execution.Results
	}
	named := make(map[string]demeterrr.ExecutionResult, len(execution.Results))
	for _, result := range execution.Results {
		key := mailbox.Key(result.Email)
		if _, twice := named[key]; !twice || result.Status == demeterrr.ExecutionQueued {
			named[key] = result
		}
	}
	results := make([]demeterrr.ExecutionResult, len(batch))
	for i, to := range batch {
		result, ok := named[to.key]
		if !ok {
			result.Email = to.contact.Email
		}
		results[i] = result
	}
	return results
}

// inOrder reports whether the results match the batch, in its order.
func inOrder(batch []recipient, results []demeterrr.ExecutionResult) bool {
	if len(results) != len(batch) {
		return false
	}
	for i, to := range batch {
		if mailbox.Key(results[i].Email) != to.key {
			return false
		}
	}
	return true
}

// claim is the batch that a delivery holds in the journal. It lasts for one
// attempt: it is acquired when the batch is about to leave, and released before
// any wait.
type claim struct {
	*sender
	*delivery
	emails []string
	token  string // empty between claims
	// stoppedBy has the entries of the taken contacts that stopped the call.
	stoppedBy []JournalEntry
}

// errTaken stops a call because its body contains taken contacts.
var errTaken = errors.New("some contacts are taken")

// beforeSend claims the batch for the attempt that follows at once.
func (c *claim) beforeSend(ctx context.Context) error {
	if c.journal != nil {
		if err := c.acquire(ctx); err != nil {
			return err
		}
	}
	c.attempts++
	c.requests.Add(1)
	return nil
}

// beforeWait releases the claim before a call waits for its next attempt. If
// the journal fails, the call gives up instead of waiting.
func (c *claim) beforeWait(ctx context.Context, giveUp context.CancelCauseFunc) {
	if err := c.release(ctx); err != nil {
		giveUp(err)
	}
}

// acquire makes a claim. It first releases the claim of the previous attempt,
// which certainly sent nothing. If it fails for good, settle releases its claim.
func (c *claim) acquire(ctx context.Context) error {
	const tries = 2
	for range tries {
		if err := c.release(ctx); err != nil {
			return err
		}
		if ended(ctx) {
			return contextError(ctx)
		}
		c.emails = keysOf(c.left)
		c.token = rand.Text()
		started := time.Now()
		taken, err := c.claim(ctx, c.token, c.emails)
		switch {
		case err != nil:
			c.fail(err)
			return c.release(ctx) // a part of it may be recorded
		case len(taken) > 0:
			c.stoppedBy = taken
			return cmp.Or(c.release(ctx), errTaken)
		case !ended(ctx) && time.Since(started) <= maxClaimAge:
			return nil
		}
	}
	if ended(ctx) {
		return contextError(ctx)
	}
	c.fail(journalFailed("could not claim a batch", errors.New("it took more than a minute, twice")))
	return foreign{c.journalErr}
}

func keysOf(batch []recipient) []string {
	keys := make([]string, len(batch))
	for i, to := range batch {
		keys[i] = to.key
	}
	return keys
}

// release gives the claim back, if there is one. It returns the first failure
// of the journal.
func (c *claim) release(ctx context.Context) error {
	c.finish(ctx, func(int) JournalEntry { return JournalEntry{State: JournalNew} })
	if c.journalErr != nil {
		return foreign{c.journalErr}
	}
	return nil
}

// settle records the outcome of the attempt, if there was one.
func (c *claim) settle(ctx context.Context) {
	c.finish(ctx, func(i int) JournalEntry {
		switch {
		case c.err == nil:
			return JournalEntry{State: JournalDone, Status: c.results[i].Status, ContactID: c.results[i].ContactID}
		case errors.Is(c.err, demeterrr.ErrUnknownOutcome):
			return JournalEntry{State: JournalUnknown}
		}
		return JournalEntry{State: JournalNew}
	})
}

// abandon records a claim that a panic left behind. Its request may already be
// sent.
func (c *claim) abandon(ctx context.Context) {
	c.finish(ctx, func(int) JournalEntry { return JournalEntry{State: JournalUnknown} })
}

// finish ends the claim, if there is one, with an entry for each email.
func (c *claim) finish(ctx context.Context, entry func(i int) JournalEntry) {
	if c.token == "" {
		return
	}
	entries := make([]JournalEntry, len(c.emails))
	for i, email := range c.emails {
		entries[i] = entry(i)
		entries[i].Email = email
	}
	token := c.token
	c.token = ""
	if err := c.record(ctx, token, entries); err != nil {
		c.fail(err)
	}
}

// fail keeps the first failure of the journal.
func (c *claim) fail(err error) {
	if c.journalErr == nil {
		c.journalErr = err
	}
}
