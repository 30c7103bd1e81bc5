package demeterrr

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// TraceOperation calls f and tells the client's tracers that the calls made
// with f's context are one operation. See [OperationTracer]. Use it for code on
// top of the client, such as package bulk. The name is a constant, such as
// "bulk.Sync". TraceOperation returns the error of f. Without an
// OperationTracer it only calls f.
func (c *Client) TraceOperation(ctx context.Context, name string, f func(context.Context) error) error {
	if f == nil {
		return invalid("TraceOperation: the function is nil; pass the work to be done")
	}
	if c == nil || c.tracing == nil || c.tracing.operations == nil || ctx == nil {
		return f(ctx)
	}
	return tracedOperation(ctx, c.tracing.operations, name, f)
}

// traced runs prepareAndRun between the tracers' start and end.
func (k *call) traced(opts []CallOption) (failed *Error) {
	t := k.client.tracing
	switch {
	case k.route != "":
	case k.raw:
		k.route = template(k.path)
	default:
		k.route = k.path // it has no place for an id
	}
	if !strings.HasPrefix(k.route, "/") {
		k.route = "/" + k.route
	}
	start := t.server
	start.Operation, start.Method, start.Route = k.operation, k.method, k.route
	ctx := orElse(t.calls.TraceCallStart(k.ctx, start), k.ctx)
	k.ctx = ctx
	returned := false
	defer func() {
		end := CallEnd{StatusCode: k.status, Attempts: k.attempts, Waited: k.waited}
		switch {
		case !returned:
			end.UnknownOutcome = k.method != http.MethodGet && k.attempts > 0
			end.Err = k.died(end.UnknownOutcome)
		case failed != nil:
			end.UnknownOutcome = failed.unknown
			end.Err = forTracers(failed, k.method, k.route)
		}
		t.calls.TraceCallEnd(ctx, end)
	}()
	defer func() { // a panic or an ended context leaves its wait open
		if k.tracedWait != nil {
			k.endWait(k.died(false))
		}
	}()
	failed = k.prepareAndRun(opts)
	returned = true
	return failed
}

// tracedSend runs send between the tracers' start and end of an attempt.
func (k *call) tracedSend(t AttemptTracer, rep *reply) {
	ordinal := k.attempts + 1
	ctx := orElse(t.TraceAttemptStart(k.ctx, AttemptStart{Ordinal: ordinal, Previous: k.attemptError(k.last)}), k.ctx)
	returned := false
	defer func() {
		end := AttemptEnd{Ordinal: ordinal, StatusCode: rep.status, RateLimit: rep.rateLimit}
		switch {
		case !returned:
			end.Err = k.died(k.method != http.MethodGet)
		case k.last != nil:
			end.Code, end.RetryAfter, end.Err = plainCode(k.last.Code), k.last.RetryAfter, k.attemptError(k.last)
		}
		t.TraceAttemptEnd(ctx, end)
	}()
	k.send(ctx, rep)
	returned = true
}

// attemptError returns the error of an attempt for tracers, or nil.
func (k *call) attemptError(failed *Error) error {
	if failed == nil {
		return nil
	}
	told := forTracers(failed, k.method, k.route)
	told.Attempts, told.unknown = k.attempts, k.unknown
	return told
}

// died returns the error for tracers after a panic.
func (k *call) died(unknown bool) *Error {
	return &Error{Message: messageDied, Method: k.method, Path: k.route, Attempts: k.attempts, unknown: unknown}
}

// tracedOperation runs f between the tracer's start and end.
func tracedOperation(ctx context.Context, t OperationTracer, name string, f func(context.Context) error) (err error) {
	ctx = orElse(t.TraceOperationStart(ctx, OperationStart{Operation: name}), ctx)
	returned := false
	defer func() {
		end := OperationEnd{Operation: name}
		switch {
		case !returned:
			end.Err = &Error{Message: messageDied}
		case err != nil:
			end.Err = forTracers(err, "", "")
		}
		t.TraceOperationEnd(ctx, end)
	}()
	err = f(ctx)
	returned = true
	return err
}

// orElse returns ctx, or before if a tracer returned nil.
func orElse(ctx, before context.Context) context.Context {
	if ctx == nil {
		return before
	}
	return ctx
}

// Messages of the client itself. Tracers get no others.
const (
	messageUnsent       = "not sent"
	messageNoConnection = "no connection"
	messageNoReply      = "no reply"
	messageCancelled    = "ended while the request was in flight"
	messageCertificate  = "the server's certificate cannot be verified; check the base URL and the root certificates"
	messageUnreadable   = "the reply cannot be read"
	messageDied         = "ended by a panic or by runtime.Goexit"
)

var ownMessages = []string{messageUnsent, messageNoConnection, messageNoReply, messageCancelled, messageCertificate, messageUnreadable, messageDied}

// forTracers returns the error for tracers. Of outside data it keeps only
// numbers and a plain code: no path, no text of the server, no text of a
// foreign error.
func forTracers(err error, method, route string) *Error {
	told := &Error{Method: method, Path: route}
	err = scrub.Readable(err)
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		told.StatusCode, told.Code, told.RetryAfter = e.StatusCode, plainCode(e.Code), e.RetryAfter
		told.Attempts = e.Attempts
		if slices.Contains(ownMessages, e.Message) {
			told.Message = e.Message
		}
	}
	told.unknown = errors.Is(err, ErrUnknownOutcome)
	for _, known := range []error{ErrTimeout, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			told.cause = known
			break
		}
	}
	return told
}

// plainCode returns a code of usual form, or "". A server may echo an email in
// its place.
func plainCode(code Code) Code {
	const longest = 40
	letters := strings.Trim(string(code), "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
	if len(code) > longest || !letters {
		return ""
	}
	return code
}

// template returns the route of a raw call without one. Its first segment stays
// if it is a word, and each other one becomes {id}.
func template(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		if s != "" && (i > 0 || !isWord(s)) {
			segments[i] = "{id}"
		}
	}
	return "/" + strings.Join(segments, "/")
}

func isWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	}) < 0
}
