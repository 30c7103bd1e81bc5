package bulk

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// ErrNotSent matches the error of [ExecuteOnce] if certainly nothing was sent and
// the contact is not the cause. The API was rate limited, failing or out of reach,
// the key was refused, the journal failed, or ctx ended. Call again later: errors.As
// finds a [*demeterrr.Error], whose RetryAfter says when if the API named a time.
//
// A journal that refuses every call matches it too: a campaign of another sequence,
// or one with a bad name. So build the name of a campaign from an event that you
// have validated, and limit how often an event comes again.
var ErrNotSent = errors.New("demeterrr: not sent")

// ExecuteOnceOptions change how ExecuteOnce works. The zero value sets nothing.
type ExecuteOnceOptions struct {
	// LocationID and EmployeeID are UUIDs; empty means none.
	LocationID string
	EmployeeID string
}

// OnceResult is what the API said of one contact.
type OnceResult struct {
	// Status is [demeterrr.ExecutionQueued] if the sequence was sent. Any other status means that the API skipped the
	// contact, as it does after an unsubscription; it is empty if the reply did not name the contact.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact; empty if no reply told it.
	ContactID string
	// Earlier is true if an earlier call got this result. This call sent nothing.
	Earlier bool
}

// ExecuteOnce sends a sequence to one contact, at most once. It is for events that
// can arrive twice, such as webhooks and queue messages. Give each event a journal
// of its own: one campaign for an order, a visit or a ticket. The same contact can
// then get the sequence again for the next event. Calls for one event may run at
// the same time, in any number of processes that share the journal.
//
// The result is that of this call or, if Earlier is set, of an earlier one. An
// error tells how to go on:
//
//   - [ErrInFlight]: another call is sending. Let the event come again.
//   - [ErrNotSent]: nothing was sent. Let the event come again.
//   - [demeterrr.ErrUnknownOutcome]: it may have been sent, now or earlier. It is
//     not sent again until a person has looked.
//   - any other error is permanent: the API refuses the contact or the sequence,
//     or an argument is invalid. Nothing was sent.
//
// If the sequence was sent and the journal could not record that, ExecuteOnce
// returns the result and an error. Later calls match [demeterrr.ErrUnknownOutcome].
//
// ctx limits the waits. A request in flight may finish when ctx ends, for as long
// as [demeterrr.WithTimeout] allows, and the journal then has 30 seconds to record
// its outcome. An HTTP handler passes [context.WithoutCancel] with a deadline, so
// that a client that hangs up changes nothing.
//
// An event that the journal knows takes no request, any other takes one. The
// calls keep normal priority. It takes the scope sequences:execute.
// API docs, page "sequences/execute".
func ExecuteOnce(ctx context.Context, c *demeterrr.Client, sequenceID string, contact demeterrr.ExecuteContact, j Journal, opts *ExecuteOnceOptions) (*OnceResult, error) {
	if opts == nil {
		opts = &ExecuteOnceOptions{}
	}
	to := recipient{key: mailbox.Key(contact.Email), contact: contact}
	if err := checkOnce(ctx, c, sequenceID, to, j, opts); err != nil {
		return nil, err
	}
	var result *OnceResult
	err := c.TraceOperation(ctx, "bulk.ExecuteOnce", func(ctx context.Context) (err error) {
		result, err = executeOnce(ctx, &sender{
			client: c, journal: j, sequenceID: sequenceID,
			locationID: opts.LocationID, employeeID: opts.EmployeeID, requests: new(atomic.Int64),
		}, to)
		return err
	})
	return result, err
}

// checkOnce refuses arguments that can never work.
func checkOnce(ctx context.Context, c *demeterrr.Client, sequenceID string, to recipient, j Journal, opts *ExecuteOnceOptions) error {
	if err := checkArguments(ctx, c, false, 0); err != nil {
		return err
	}
	if j == nil {
		return invalid("the journal is nil; pass one that all processes share, such as a campaign of module sqlstore")
	}
	if err := to.contact.Validate(); err != nil {
		return err
	}
	if err := validate.Email(to.key); err != nil {
		return invalid("in lower case, %s", err)
	}
	if err := validate.Texts([]string{opts.LocationID, opts.EmployeeID}); err != nil {
		return invalid("%s", err)
	}
	if err := validate.ID(sequenceID); err != nil {
		return invalid("%s", err)
	}
	return nil
}

// executeOnce looks the contact up, so that a repeated event does not wait for the
// quota, and sends to it if the journal does not know it.
func executeOnce(ctx context.Context, s *sender, to recipient) (*OnceResult, error) {
	known, err := s.lookup(ctx, []string{to.key})
	if err != nil {
		return nil, notSent(err)
	}
	if len(known) > 0 {
		return known[0].result()
	}
	d := s.send(ctx, []recipient{to})
	switch {
	case len(d.taken) > 0:
		return d.taken[0].entry.result()
	case d.err == nil:
		return &OnceResult{Status: d.results[0].Status, ContactID: d.results[0].ContactID}, d.journalErr
	case errors.Is(d.err, demeterrr.ErrUnknownOutcome) || permanent(d.err):
		return nil, d.err
	case d.journalErr != nil && !ended(ctx):
		return nil, notSent(d.journalErr)
	}
	return nil, notSent(d.err)
}

// result is what an entry means for a call that sent nothing.
func (entry JournalEntry) result() (*OnceResult, error) {
	if err := entry.problem(); err != nil {
		return nil, err
	}
	return &OnceResult{Status: entry.Status, ContactID: entry.ContactID, Earlier: true}, nil
}

// permanent reports whether the API would give the same answer to the same event
// at any time. A refused key is not permanent, as it concerns every event alike.
func permanent(err error) bool {
	e, ok := errors.AsType[*demeterrr.Error](err)
	return ok && !e.Retryable() && !errors.Is(e, demeterrr.ErrUnauthorized) && !errors.Is(e, demeterrr.ErrForbidden)
}

// notSentError is an error that also matches ErrNotSent.
type notSentError struct{ err error }

func notSent(err error) error { return &notSentError{err} }

func (e *notSentError) Error() string { return withCause(ErrNotSent.Error(), e.err) }

func (e *notSentError) Unwrap() []error { return []error{ErrNotSent, e.err} }
