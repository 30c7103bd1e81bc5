package demeterrr

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Code is the machine-readable code of an API error. The constants are the
// documented codes (API docs, page "errors"). Other codes are passed through.
type Code string

// Codes documented by the API.
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

// Sentinels to test for with errors.Is. The first block matches the code in the
// body of the reply. ErrNotFound and ErrRateLimited match the code or the HTTP
// status. ErrBadRequest to ErrServer match the status alone, so an error with
// an unknown code still matches. API docs, page "errors".
var (
	// ErrMissingAPIKey means that no API key was given or sent.
	ErrMissingAPIKey error = &sentinel{code: CodeMissingAPIKey}
	// ErrInvalidAPIKeyFormat means that the key does not look like dem_….
	ErrInvalidAPIKeyFormat error = &sentinel{code: CodeInvalidAPIKeyFormat}
	// ErrInvalidAPIKey means that the key is unknown or inactive: make a new
	// one in the dashboard.
	ErrInvalidAPIKey error = &sentinel{code: CodeInvalidAPIKey}
	// ErrExpiredAPIKey means that the key has expired: make a new one in the
	// dashboard.
	ErrExpiredAPIKey error = &sentinel{code: CodeExpiredAPIKey}
	// ErrInsufficientPermissions means that the key lacks the scope in
	// [Error.RequiredScope].
	ErrInsufficientPermissions error = &sentinel{code: CodeInsufficientPermissions}
	// ErrValidation means that the request is invalid. If the API rejected it,
	// [Error.DecodeDetails] lists the reasons. If the client rejected it before
	// sending, [Error.Message] has the reason.
	ErrValidation error = &sentinel{code: CodeValidation}
	// ErrSequenceInactive means that the sequence is inactive: activate it
	// before you execute it.
	ErrSequenceInactive error = &sentinel{code: CodeSequenceInactive}
	// ErrContactExists means that another contact has this email: update that
	// contact, or use Upsert.
	ErrContactExists error = &sentinel{code: CodeContactExists}
	// ErrInternal means that the API failed (500 with its own error body).
	ErrInternal error = &sentinel{code: CodeInternal}

	// ErrNotFound means that this organization has no such resource (404).
	ErrNotFound error = &sentinel{code: CodeNotFound, status: http.StatusNotFound}
	// ErrRateLimited means that the organization's quota is used up (429): wait
	// for [Error.RetryAfter].
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

	// ErrTimeout means that an attempt exceeded its own time limit (see
	// [WithTimeout]), while the caller's context was still alive.
	ErrTimeout = errors.New("demeterrr: the attempt timed out")
	// ErrUnknownOutcome matches every failed write that may have taken effect:
	// the reply was lost, the server failed half-way, or the call was canceled
	// in flight. Look before you send it again. After an Execute, look under
	// Sendings in the dashboard.
	ErrUnknownOutcome = errors.New("demeterrr: the outcome is unknown, the request may have taken effect")
)

// sentinel matches an [Error] by code, by status, or by either.
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

// documentedStatus returns the documented status for a code (contract, section
// 7). With it, an error raised before sending matches the same sentinels as the
// server's error.
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

// Error is the error of every failed call. Test for causes with errors.Is and
// the sentinels. Get the details with errors.As. An Error is safe to log: it
// holds no API key, no request and no reply.
type Error struct {
	// StatusCode is the HTTP status of the last attempt; 0 if it got no reply.
	StatusCode int
	// Code is the API's code; empty without the API's own error body.
	Code Code
	// Message is the API's message for people, or the client's reason to reject
	// the call. For a reply from elsewhere, such as a proxy, it is an excerpt
	// of at most 200 bytes.
	Message string
	// Details is the raw JSON of the error's details, an object or an array;
	// nil if there are none. Decode it with DecodeDetails. Error() and LogValue
	// show only the names of its fields, as the values may be personal data.
	Details json.RawMessage
	// RequiredScope is the missing scope of the key; empty if the API named
	// none.
	RequiredScope string
	// RetryAfter is the wait before the next request, as the API or a limiter
	// asked; 0 if unknown.
	RetryAfter time.Duration
	// RequestID is the reply's X-Request-Id; empty if it had none.
	RequestID string
	// Method and Path are those of the request. The path is relative to the
	// base URL, without the query.
	Method, Path string
	// Attempts is the number of requests sent; 0 if the client rejected the
	// call before sending.
	Attempts int

	cause     error // for Unwrap: a network error, the context's error, a limiter's
	unknown   bool  // the write may have taken effect
	permanent bool  // a retry would fail the same way, whatever the status
}

// Is reports whether target is a sentinel for this error's code or status,
// [ErrTimeout] or [ErrUnknownOutcome].
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

// Unwrap returns the cause of a failure without a reply: a network error, the
// context's error, or a limiter's error. Otherwise it returns nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Retryable reports whether the same call can succeed later without harm. It is
// true after a 429, after a failure of the server or the network, and after the
// end of the context. It is false for lasting errors: invalid input, a wrong
// key, a 404. It is also false for an unknown outcome of a POST or PUT other
// than Create, as a repeat could do the work twice. Wait for RetryAfter first.
func (e *Error) Retryable() bool {
	if e == nil || e.permanent || e.unknown && !repeatable(e.Method, e.Path) {
		return false
	}
	status := e.StatusCode
	if status == 0 || status/100 == 2 && e.Code != "" {
		status = documentedStatus(e.Code) // unsent, or the API's own error in a 2xx
	}
	switch status {
	case 0:
		return e.Code == "" && e.cause != nil // no reply
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status/100 == 5 || status/100 == 2 // a 2xx with a lost or unreadable body
}

// LogValue makes slog write the error as a group of its fields. Of the details
// it shows only the names of the fields, as the values may be personal data.
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

// DecodeDetails decodes the error's details into v, as encoding/json does.
// Their shape is undocumented: an object or an array. It fails if there are no
// details.
func (e *Error) DecodeDetails(v any) error {
	if e == nil || len(e.Details) == 0 {
		return errors.New("demeterrr: the error has no details")
	}
	if err := json.Unmarshal(e.Details, v); err != nil {
		return fmt.Errorf("demeterrr: the error's details do not fit %T: %w", v, withoutContent(err))
	}
	return nil
}

// invalid returns the error for input that is rejected before sending. It
// matches the same sentinels as the server's error.
func invalid(format string, args ...any) *Error {
	return &Error{Code: CodeValidation, Message: fmt.Sprintf(format, args...)}
}
