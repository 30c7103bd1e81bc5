package demeterrrotel

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/demeterrr/demeterrr-go"
)

// Attributes missing in the semantic conventions.
const (
	// operationName is the method of the SDK that the program called.
	operationName = attribute.Key("demeterrr.operation")
	waitReason    = attribute.Key("demeterrr.wait.reason")
	retryReason   = attribute.Key("demeterrr.retry.reason")

	callAttempts    = attribute.Key("demeterrr.attempts")
	unknownOutcome  = attribute.Key("demeterrr.unknown_outcome")
	waitLimiter     = attribute.Key("demeterrr.wait.limiter")
	waitRateLimited = attribute.Key("demeterrr.wait.rate_limited")
	waitBackoff     = attribute.Key("demeterrr.wait.backoff")
)

// routeKey is everything that the attributes of a call depend on.
type routeKey struct {
	operation, call, method, template, scheme, address string
	port                                               int
}

// route holds the parts that all calls of one route share, made once.
type route struct {
	call, attempt           string // the names of the spans
	callStart, attemptStart []trace.SpanStartOption
	operation               []attribute.KeyValue // of the metrics called demeterrr
	http                    []attribute.KeyValue // of the metric of the semantic conventions
	server                  server
	writes                  bool
	series                  cache[seriesKey, series]
	begun                   sync.Once
}

// server identifies the owner of a quota.
type server struct {
	address string
	port    int
}

// route returns the route of a call within an operation.
func (t *Tracer) route(operation string, start demeterrr.CallStart) *route {
	key := routeKey{operation, start.Operation, start.Method, start.Route, start.Scheme, start.ServerAddress, start.ServerPort}
	return t.routes.get(key, func() *route { return newRoute(key) })
}

func newRoute(key routeKey) *route {
	method := key.method
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default: // the call will fail before it is sent
		method = semconv.HTTPRequestMethodOther.Value.AsString()
	}
	r := &route{
		call:    key.call,
		attempt: method + " " + key.template,
		server:  server{key.address, key.port},
		writes:  method != http.MethodGet,
	}
	if !strings.Contains(key.call, ".") {
		r.call += " " + r.attempt // the route says more than the name Do
	}
	r.operation = []attribute.KeyValue{
		operationName.String(key.operation),
		semconv.HTTPRequestMethodKey.String(method),
		semconv.URLTemplate(key.template),
	}
	r.http = []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method),
		semconv.URLTemplate(key.template),
		semconv.URLScheme(key.scheme),
		semconv.ServerAddress(key.address),
		semconv.ServerPort(key.port),
	}
	r.callStart = []trace.SpanStartOption{trace.WithAttributes(r.operation...)}
	r.attemptStart = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(r.http...)}
	return r
}

// callAttributes returns the attributes that describe the end of a call.
func callAttributes(end demeterrr.CallEnd) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 6)
	attrs = append(attrs, callAttempts.Int(end.Attempts))
	if end.StatusCode != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(end.StatusCode))
	}
	if end.UnknownOutcome {
		attrs = append(attrs, unknownOutcome.Bool(true))
	}
	seconds := func(key attribute.Key, d time.Duration) {
		if d > 0 {
			attrs = append(attrs, key.Float64(d.Seconds()))
		}
	}
	seconds(waitLimiter, end.Waited.Limiter)
	seconds(waitRateLimited, end.Waited.RateLimited)
	seconds(waitBackoff, end.Waited.Backoff)
	return attrs
}

// errorType returns the attribute error.type: why the caller gave up, the API's
// code if it is documented, the HTTP status, or the fault of the reply. It has
// few values, whatever a server sends. It is empty for a nil error.
func errorType(err error, sent bool) string {
	if err == nil {
		return ""
	}
	var e *demeterrr.Error
	if !errors.As(err, &e) || e == nil {
		e = new(demeterrr.Error)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	case errors.Is(err, demeterrr.ErrTimeout):
		return "timeout"
	case documented(e.Code):
		return string(e.Code)
	case e.StatusCode/100 == 2:
		return "invalid_reply"
	case e.StatusCode != 0:
		return strconv.Itoa(e.StatusCode)
	case sent || e.Attempts > 0:
		return "no_reply"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}

// documented reports whether the API documents the code.
func documented(code demeterrr.Code) bool {
	switch code {
	case demeterrr.CodeMissingAPIKey, demeterrr.CodeInvalidAPIKeyFormat, demeterrr.CodeInvalidAPIKey, demeterrr.CodeExpiredAPIKey,
		demeterrr.CodeInsufficientPermissions, demeterrr.CodeValidation, demeterrr.CodeSequenceInactive, demeterrr.CodeNotFound,
		demeterrr.CodeContactExists, demeterrr.CodeRateLimited, demeterrr.CodeInternal:
		return true
	}
	return false
}

// maxCached bounds a cache, in case a program puts ids into Request.Route.
const maxCached = 1000

// cache keeps one value for each key. The zero value is ready.
type cache[K comparable, V any] struct {
	mu     sync.RWMutex
	values map[K]V
}

// get returns the value of key. The first call builds it.
func (c *cache[K, V]) get(key K, build func() V) V {
	c.mu.RLock()
	v, ok := c.values[key]
	c.mu.RUnlock()
	if ok {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok = c.values[key]; ok {
		return v
	}
	if c.values == nil {
		c.values = map[K]V{}
	}
	v = build()
	if len(c.values) < maxCached {
		c.values[key] = v
	}
	return v
}

// each calls f with every key and value.
func (c *cache[K, V]) each(f func(K, V)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for key, v := range c.values {
		f(key, v)
	}
}
