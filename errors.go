package demeterrr

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Code is the machine-readable code of an API error. The constants below are
// the documented ones (API docs, page "errors"); others may come, and are kept
// as they are.
type Code string

// The codes that the API documents.
const (
	CodeMissingAPIKey           Code = "MISSING_API_KEY"
	CodeInvalidAPIKeyFormat     Code = "INVALID_API_KEY_FORMAT"
	CodeInvalidAPIKey           Code = "INVALID_API_KEY"
	CodeExpiredAPIKey           Code = "EXPIRED_API_KEY"
	CodeInsufficientPermissions Code = "INSUFFICIENT_PERMISSIONS"
	CodeValidation              Code = "VALIDATION_ERROR"
	CodeSequenceInactive        Code = "SEQUENCE_INACTIVE"
	CodeNotFound                Code = "NOT_FOUND"
	CodeContactExists           Code = "CONTACT_EXISTS"
	CodeRateLimited             Code = "RATE_LIMIT_EXCEEDED"
	CodeInternal                Code = "INTERNAL_ERROR"
)

// Sentinels to test for with errors.Is. The first block answers to the code in
// the body of the reply, the second to the HTTP status, so that an error whose
// code is unknown still matches by its status. ErrNotFound and ErrRateLimited
// answer to either. API docs, page "errors".
var (
	// ErrMissingAPIKey means that no API key was given or sent.
	ErrMissingAPIKey error = &sentinel{code: CodeMissingAPIKey}
	// ErrInvalidAPIKeyFormat means that the key does not look like dem_….
	ErrInvalidAPIKeyFormat error = &sentinel{code: CodeInvalidAPIKeyFormat}
	// ErrInvalidAPIKey means that the key is unknown or inactive: make a new one in the dashboard.
	ErrInvalidAPIKey error = &sentinel{code: CodeInvalidAPIKey}
	// ErrExpiredAPIKey means that the key has expired: make a new one in the dashboard.
	ErrExpiredAPIKey error = &sentinel{code: CodeExpiredAPIKey}
	// ErrInsufficientPermissions means that the key lacks the scope in [Error.RequiredScope].
	ErrInsufficientPermissions error = &sentinel{code: CodeInsufficientPermissions}
	// ErrValidation means that the request is not acceptable. Where the API said so, [Error.DecodeDetails] lists why; where
	// the client refused the input before sending anything, [Error.Message] does.
	ErrValidation error = &sentinel{code: CodeValidation}
	// ErrSequenceInactive means that the sequence must be activated before it is executed.
	ErrSequenceInactive error = &sentinel{code: CodeSequenceInactive}
	// ErrContactExists means that another contact has this email: update that one, or use Upsert.
	ErrContactExists error = &sentinel{code: CodeContactExists}
	// ErrInternal means that the API failed (500 with its own error body).
	ErrInternal error = &sentinel{code: CodeInternal}

	// ErrNotFound means that there is no such resource in this organization (404).
	ErrNotFound error = &sentinel{code: CodeNotFound, status: http.StatusNotFound}
	// ErrRateLimited means that the organization's quota is used up (429): [Error.RetryAfter] says for how long.
	ErrRateLimited error = &sentinel{code: CodeRateLimited, status: http.StatusTooManyRequests}

	// ErrBadRequest matches every 400.
	ErrBadRequest error = &sentinel{status: http.StatusBadRequest}
	// ErrUnauthorized matches every 401.
	ErrUnauthorized error = &sentinel{status: http.StatusUnauthorized}
	// ErrForbidden matches every 403.
	ErrForbidden error = &sentinel{status: http.StatusForbidden}
	// ErrConflict matches every 409.
	ErrConflict error = &sentinel{status: http.StatusConflict}
	// ErrServer matches every 5xx.
	ErrServer error = &sentinel{status: 500}

	// ErrTimeout means that an attempt took longer than its own time limit (see [WithTimeout]),
	// while the caller's context was still alive.
	ErrTimeout = errors.New("demeterrr: the attempt timed out")
	// ErrUnknownOutcome matches every failed write that may have taken effect: a reply was lost, a
	// server failed half-way, a call was canceled in flight. Look before you send it again: what an
	// Execute has sent is under Sendings in the dashboard.
	ErrUnknownOutcome = errors.New("demeterrr: the outcome is unknown, the request may have taken effect")
)

// sentinel is what an [Error] is compared with: by code, by status, or by either.
type sentinel struct {
	code   Code
	status int
}

func (s *sentinel) Error() string {
	if s.code != "" {
		return "demeterrr: " + string(s.code)
	}
	if s.status == http.StatusInternalServerError {
		return "demeterrr: 5xx server error"
	}
	return fmt.Sprintf("demeterrr: %d %s", s.status, http.StatusText(s.status))
}

func (s *sentinel) matches(code Code, status int) bool {
	switch {
	case s.code != "" && s.code == code:
		return true
	case s.status == http.StatusInternalServerError:
		return status >= 500 && status <= 599
	default:
		return s.status != 0 && s.status == status
	}
}

// documentedStatus is the status that the API documents for a code (contract,
// section 7). It lets an error that was raised before anything was sent match
// the same sentinels as the server's.
func documentedStatus(code Code) int {
	switch code {
	case CodeMissingAPIKey, CodeInvalidAPIKeyFormat, CodeInvalidAPIKey, CodeExpiredAPIKey:
		return http.StatusUnauthorized
	case CodeInsufficientPermissions:
		return http.StatusForbidden
	case CodeValidation, CodeSequenceInactive:
		return http.StatusBadRequest
	case CodeNotFound:
		return http.StatusNotFound
	case CodeContactExists:
		return http.StatusConflict
	case CodeRateLimited:
		return http.StatusTooManyRequests
	case CodeInternal:
		return http.StatusInternalServerError
	}
	return 0
}

// Error is what every failed call returns. Test for causes with errors.Is and
// the sentinels; take the details with errors.As. It holds no request and no
// reply, so it is safe to log: the API key is never in it.
type Error struct {
	// StatusCode is the HTTP status of the last attempt; 0 if nothing came back for it.
	StatusCode int
	// Code is the API's code; empty if the reply was not the API's own error body.
	Code Code
	// Message is the API's message for people, or what the client found wrong. If the
	// reply was not the API's, it is an excerpt of at most 200 bytes.
	Message string
	// Details is the raw JSON of the error's details (an object or an array); nil if there are none.
	// Decode it with DecodeDetails. Error() and LogValue show the names of its fields, never their values, which may be personal data.
	Details json.RawMessage
	// RequiredScope is the scope that the key lacks; empty unless the API named one.
	RequiredScope string
	// RetryAfter is how long to wait before the next request; 0 if neither the API nor a limiter said.
	RetryAfter time.Duration
	// RequestID is the reply's X-Request-Id; empty if it had none.
	RequestID string
	// Method and Path are those of the request; the path is relative to the base URL and has no query.
	Method, Path string
	// Attempts is the number of requests that this call sent; 0 if it was refused before sending.
	Attempts int

	cause     error // what Unwrap returns: a network error, the context's error, a limiter's
	unknown   bool  // the write may have taken effect
	permanent bool  // a repeat fails in the same way, whatever the status says
}

// Is reports whether target is a sentinel that this error answers to: its
// code's, its status's, [ErrTimeout] or [ErrUnknownOutcome].
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	if target == ErrUnknownOutcome {
		return e.unknown
	}
	s, ok := target.(*sentinel)
	if !ok {
		return false
	}
	status := e.StatusCode
	if status == 0 {
		status = documentedStatus(e.Code)
	}
	return s.matches(e.Code, status)
}

// Unwrap returns what made the call fail where that was not a reply: a network
// error, the context's error, a limiter's error; else nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Retryable reports whether the same call can succeed later and do no harm: after
// a 429, a failure of the server or of the network, or a context that ended. It is
// false if the outcome of a POST or PUT other than Create is unknown, as a repeat
// could do the work twice. It is false for a refusal that stays the same: invalid
// input, a wrong key, a 404. Wait for RetryAfter first.
func (e *Error) Retryable() bool {
	if e == nil || e.permanent || e.unknown && !repeatable(e.Method, e.Path) {
		return false
	}
	status := e.StatusCode
	if status == 0 || status/100 == 2 && e.Code != "" {
		status = documentedStatus(e.Code) // not sent, or the API's own error in a 2xx
	}
	switch status {
	case 0:
		return e.Code == "" && e.cause != nil // no reply
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status/100 == 5 || status/100 == 2 // a 2xx whose body was lost or unreadable
}

// LogValue makes slog write the error as a group of its fields. Of the details
// it shows only the names of the fields, as the values may hold personal data.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.StringValue(e.Error())
	}
	attrs := make([]slog.Attr, 0, 11)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("method", e.Method)
	add("path", e.Path)
	if e.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	add("code", oneLine(string(e.Code)))
	add("message", quoted(e.Message))
	add("cause", e.causeText())
	add("fields", e.fieldNames())
	add("required_scope", e.RequiredScope)
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	add("request_id", e.RequestID)
	attrs = append(attrs, slog.Int("attempts", e.Attempts))
	if e.unknown {
		attrs = append(attrs, slog.Bool("outcome_unknown", true))
	}
	return slog.GroupValue(attrs...)
}

// DecodeDetails decodes the error's details into v, as encoding/json does. The
// API does not document their shape: it is an object or an array. Without
// details it is an error.
func (e *Error) DecodeDetails(v any) error {
	if e == nil || len(e.Details) == 0 {
		return errors.New("demeterrr: the error has no details")
	}
	if err := json.Unmarshal(e.Details, v); err != nil {
		return fmt.Errorf("demeterrr: the error's details do not fit %T: %w", v, withoutContent(err))
	}
	return nil
}

// invalid is the error for input that is refused before anything is sent. It
// matches what the server would have answered.
func invalid(format string, args ...any) *Error {
	return &Error{Code: CodeValidation, Message: fmt.Sprintf(format, args...)}
}
