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

// apiError is a [demeterrr.Error] by a name that can be embedded: a field named
// Error would hide the method.
type apiError = demeterrr.Error

// failure is a [*demeterrr.Error] with a cause, which only its own package can
// give it. errors.As finds the Error, whose text names the cause.
type failure struct {
	*apiError
	cause error
}

// Unwrap returns the cause, rather than that of the Error.
func (f *failure) Unwrap() error { return f.cause }

// As finds the Error.
func (f *failure) As(target any) bool {
	e, ok := target.(**demeterrr.Error)
	if ok {
		*e = f.apiError
	}
	return ok
}

// because is the error for what failed with a cause beside its own call's.
func because(message string, cause error) *failure {
	return &failure{&apiError{Message: withCause(message, cause)}, cause}
}

// withCause is a message that names its cause, without the prefix of that.
func withCause(message string, cause error) string {
	text := strings.ReplaceAll(cause.Error(), "demeterrr: ", "")
	if message == "" {
		return text
	}
	return message + ": " + text
}

// invalid is the error for input that is refused before anything is sent.
func invalid(format string, args ...any) *demeterrr.Error {
	return &demeterrr.Error{Code: demeterrr.CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// inputFailed is the error for a sequence of the caller's that ended with one. It
// may be another call's: what that left in doubt is no doubt about these contacts.
func inputFailed(err error) *failure {
	return because("the input failed", foreign{scrub.Readable(err)})
}

// journalFailed is the error for a journal that failed. Its text has no emails,
// which a database may quote.
func journalFailed(what string, err error) *failure {
	text := scrub.Emails(strings.ReplaceAll(err.Error(), "demeterrr: ", ""))
	return &failure{&apiError{Message: "the journal " + what + ": " + text}, err}
}

// elsewhere is the error of another call, without what it says of its attempts. It
// is an Error or a failure, as every reason to stop is.
func elsewhere(err error) *failure {
	e, _ := errors.AsType[*demeterrr.Error](err)
	told := &failure{&apiError{
		StatusCode: e.StatusCode, Code: e.Code, Message: e.Message, Details: e.Details, RequiredScope: e.RequiredScope,
		RequestID: e.RequestID, Method: e.Method, Path: e.Path,
	}, nil}
	if cause := errors.Unwrap(err); cause != nil {
		if err == error(e) { //nolint:errorlint // itself: the text of a failure names the cause already
			told.Message = withCause(told.Message, cause)
		}
		told.cause = foreign{cause}
	}
	return told
}

// foreign is an error that came from outside of a contact's own call, and may be
// another call's. What that call met must not be taken for what this one met.
type foreign struct{ err error }

// sentinels is the type of those that match a code or a status.
var sentinels = reflect.TypeOf(demeterrr.ErrNotFound)

// doubts are the other errors that belong to one contact's own attempt.
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

// ended reports whether the context is over. Its deadline may have passed a
// moment before its timer fires.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) <= 0
}

// contextError is the error of a context that has ended, with its cause where it has one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		return context.DeadlineExceeded // the deadline has passed, its timer has not fired yet
	}
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, foreign{scrub.WithoutURL(cause)})
}
