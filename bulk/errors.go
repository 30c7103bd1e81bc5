package bulk

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// apiError is [demeterrr.Error] under a name that can be embedded: a field
// named Error would hide the method of that name.
type apiError = demeterrr.Error

// failure is a [*demeterrr.Error] with a cause of this package's choice. The
// cause field of an Error is private to its package. errors.As finds the Error,
// and its text includes the cause.
type failure struct {
	*apiError
	cause error
}

// Unwrap returns the cause given to this failure, in place of the Error's own.
func (f *failure) Unwrap() error { return f.cause }

// As finds the embedded Error.
func (f *failure) As(target any) bool {
	e, ok := target.(**demeterrr.Error)
	if ok {
		*e = f.apiError
	}
	return ok
}

// because returns an error with a cause from outside the contact's own call.
func because(message string, cause error) *failure {
	return &failure{&apiError{Message: withCause(message, cause)}, cause}
}

// withCause appends the text of a cause to a message. It drops the cause's
// prefix, so that the result has one prefix.
func withCause(message string, cause error) string {
	text := strings.ReplaceAll(cause.Error(), "demeterrr: ", "")
	if message == "" {
		return text
	}
	return message + ": " + text
}

// invalid returns the error for input that fails before anything is sent.
func invalid(format string, args ...any) *demeterrr.Error {
	return &demeterrr.Error{Code: demeterrr.CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// inputFailed returns the error for an input iterator that yielded one. That
// error may come from another call, so its unknown outcome says nothing about
// these contacts: foreign hides it.
func inputFailed(err error) *failure {
	return because("the input failed", foreign{scrub.Readable(err)})
}

// journalFailed returns the error for a failed journal. Its text has emails
// removed, as a database may quote them.
func journalFailed(what string, err error) *failure {
	text := scrub.Emails(strings.ReplaceAll(err.Error(), "demeterrr: ", ""))
	return &failure{&apiError{Message: "the journal " + what + ": " + text}, err}
}

// elsewhere copies the error of another call without the details of its
// attempts. err is an Error or a failure, as is every reason to stop.
func elsewhere(err error) *failure {
	e, _ := errors.AsType[*demeterrr.Error](err)
	told := &failure{&apiError{
		StatusCode: e.StatusCode, Code: e.Code, Message: e.Message, Details: e.Details, RequiredScope: e.RequiredScope,
		RequestID: e.RequestID, Method: e.Method, Path: e.Path,
	}, nil}
	if cause := errors.Unwrap(err); cause != nil {
		if err == error(e) { //nolint:errorlint // identity: the text of a failure already includes the cause
			told.Message = withCause(told.Message, cause)
		}
		told.cause = foreign{cause}
	}
	return told
}

// foreign wraps an error from outside a contact's own call, possibly from
// another call. It hides that call's code, status and outcome from errors.Is
// and errors.As.
type foreign struct{ err error }

// sentinels is the type of the sentinels that match a code or a status.
var sentinels = reflect.TypeOf(demeterrr.ErrNotFound)

// doubts are the other errors that describe one contact's own attempt.
var doubts = []error{demeterrr.ErrUnknownOutcome, demeterrr.ErrTimeout, ErrInFlight}

func (f foreign) Error() string { return f.err.Error() }

func (f foreign) Is(target error) bool {
	ours := reflect.TypeOf(target) == sentinels || slices.Contains(doubts, target)
	return !ours && errors.Is(f.err, target)
}

func (f foreign) As(target any) bool {
	_, ours := target.(**demeterrr.Error)
	return !ours && errors.As(f.err, target)
}

// ended reports whether the context is over. It also compares the deadline with
// the clock, because the timer of a context fires a moment late.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) <= 0
}

// contextError returns the error of an ended context, together with its cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		return context.DeadlineExceeded // the deadline has passed and its timer is about to fire
	}
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, foreign{scrub.WithoutURL(cause)})
}
