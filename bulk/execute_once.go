package bulk

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// ErrNotSent matches the error of [ExecuteOnce] if certainly nothing was sent
// and the cause lies outside the contact. The API was rate limited, failing or
// unreachable, the key was refused, the journal failed, or ctx ended. Call
// again later. errors.As finds a [*demeterrr.Error], and its RetryAfter says
// when, if the API named a time.
//
// A journal that refuses every call matches it too, for example a campaign of
// another sequence or with a bad name. So build the campaign name from a
// validated event, and limit the redeliveries of an event.
var ErrNotSent = errors.New("demeterrr: not sent")

// ExecuteOnceOptions configures ExecuteOnce. The zero value adds nothing.
type ExecuteOnceOptions struct {
	// LocationID and EmployeeID are UUIDs; empty means none.
	LocationID string
	EmployeeID string
}

// OnceResult is the result for one contact.
type OnceResult struct {
	// Status is [demeterrr.ExecutionQueued] if the sequence was sent. With any
	// other status the API skipped the contact, for example after an
	// unsubscription. It is empty if the reply left the contact out.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact; empty if every reply left it out.
	ContactID string
	// Earlier is true if the result comes from an earlier call. This call then
	// sent nothing.
	Earlier bool
}

// ExecuteOnce sends a sequence to one contact, at most once. It is for events
// that can arrive twice, such as webhooks and queue messages.
//
// Give each event its own journal: one campaign for an order, a visit or a
// ticket. The same contact can then get the sequence again for the next event.
// Calls for one event may run concurrently, in any number of processes that
// share the journal.
//
// The result is from this call or, with Earlier, from an earlier one. An error
// tells how to go on:
//
//   - [ErrInFlight]: another call is sending. Let the event come again.
//   - [ErrNotSent]: nothing was sent. Let the event come again.
//   - [demeterrr.ErrUnknownOutcome]: it may have been sent, now or earlier.
//     Later calls leave it alone until a person resolves it.
//   - Any other error is permanent: the API refuses the contact or the
//     sequence, or an argument is invalid. Nothing was sent.
//
// If the sequence was sent and the journal failed to record it, ExecuteOnce
// returns both, the result and an error. Later calls match
// [demeterrr.ErrUnknownOutcome].
//
// ctx limits the waits. When ctx ends, a request in flight is allowed to
// finish, for as long as [demeterrr.WithTimeout] allows. The journal then has
// 30 seconds to record the outcome. In an HTTP handler, pass
// [context.WithoutCancel] with a deadline, so that the call survives a client
// that hangs up.
//
// An event in the journal takes no request, any other takes one. The calls have
// normal priority. ExecuteOnce needs the scope sequences:execute. API docs,
// page "sequences/execute".
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

// executeOnce looks the contact up first, so that a repeated event skips the
// wait for the quota. It sends to a contact that is new to the journal.
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

// result turns an entry into the result of a call that sends nothing.
func (entry JournalEntry) result() (*OnceResult, error) {
	if err := entry.problem(); err != nil {
		return nil, err
	}
	return &OnceResult{Status: entry.Status, ContactID: entry.ContactID, Earlier: true}, nil
}

// permanent reports whether the API would always answer this event alike. A
// refused key is temporary, since it concerns every event.
func permanent(err error) bool {
	e, ok := errors.AsType[*demeterrr.Error](err)
	return ok && !e.Retryable() && !errors.Is(e, demeterrr.ErrUnauthorized) && !errors.Is(e, demeterrr.ErrForbidden)
}

// notSentError wraps an error so that it also matches ErrNotSent.
type notSentError struct{ err error }

func notSent(err error) error { return &notSentError{err} }

func (e *notSentError) Error() string { return withCause(ErrNotSent.Error(), e.err) }

func (e *notSentError) Unwrap() []error { return []error{ErrNotSent, e.err} }
