package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// After a panic or an exit inside a call, every start has its end, the limiter
// has its place back, and the panic reaches the caller.
func TestEveryStartHasItsEndAfterAPanic(t *testing.T) {
	t.Parallel()
	methods := []string{
		"TraceOperationStart", "TraceCallStart", "TraceWaitStart", "TraceWaitEnd", "TraceAttemptStart", "TraceAttemptEnd", "TraceCallEnd", "TraceOperationEnd",
	}
	places := append([]string{"transport", "limiter", "hook", "wait hook", "logger"}, methods...)
	for _, place := range places {
		for _, goexit := range []bool{false, true} {
			for after := range 3 {
				for _, alone := range []bool{false, true} {
					for _, reports := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s goexit=%v after=%d alone=%v reports=%v", place, goexit, after, alone, reports), func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								explode(t, &bomb{place: place, goexit: goexit, after: after}, alone, reports)
							})
						})
					}
				}
			}
		}
	}
}

// explode makes an Upsert of three attempts with a wait each, with the bomb in
// it.
func explode(t *testing.T, b *bomb, alone, reports bool) {
	t.Helper()
	recorders := []*recorder{newRecorder(t), newRecorder(t), newRecorder(t)}
	tracers := []demeterrr.Tracer{recorders[0], bombTracer{recorders[1], b}, recorders[2]}
	if alone {
		recorders, tracers = recorders[1:2], tracers[1:2]
	}
	limiter := &turnstile{waits: []time.Duration{time.Minute, time.Minute, time.Minute}, reports: reports, f: func(context.Context) { b.tick("limiter") }}
	s := &script{t: t, begin: time.Now(), steps: []step{internal, internal, okCreated}}
	c := s.client(demeterrr.WithHTTPClient(&http.Client{Transport: bombTransport{b, s}}), demeterrr.WithLimiter(limiter),
		demeterrr.WithTracer(tracers...), demeterrr.WithLogger(bombLogger(b)))
	cause := isolated(func() {
		_, _, _ = c.Contacts.Upsert(t.Context(), createParams, demeterrr.WithBeforeSend(func(context.Context) error { b.tick("hook"); return nil }),
			demeterrr.WithOnWait(func(demeterrr.WaitStart) { b.tick("wait hook") }))
	})
	for _, r := range recorders {
		r.wantClosed()
	}
	if limiter.inside != 0 {
		t.Errorf("%d places were not given back", limiter.inside)
	}
	var want any
	if b.exploded && !b.goexit {
		want = b.place
	}
	same(t, "what reached the caller", cause, want)
	if !b.exploded || strings.HasPrefix(b.place, "Trace") {
		return
	}
	end := recorders[0].ends[0]
	if end.Err == nil || !strings.Contains(end.Err.Error(), "ended by a panic or by runtime.Goexit") {
		t.Errorf("the call ended with %v", end.Err)
	}
	same(t, "unknown outcome", end.UnknownOutcome, end.Attempts > 0)
	attempts := len(s.sent)
	if b.place == "transport" {
		attempts++
	}
	same(t, "attempts", end.Attempts, attempts)
}

// bomb panics or exits at its place, after a number of earlier visits.
type bomb struct {
	place    string
	goexit   bool
	after    int
	exploded bool
}

func (b *bomb) tick(place string) {
	if place != b.place {
		return
	}
	if b.after--; b.after != -1 {
		return
	}
	b.exploded = true
	if b.goexit {
		runtime.Goexit()
	}
	panic(b.place)
}

type bombTransport struct {
	b *bomb
	s *script
}

func (t bombTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.b.tick("transport")
	return t.s.RoundTrip(req)
}

// bombTracer explodes before each start and after each end.
type bombTracer struct {
	*recorder
	b *bomb
}

func (t bombTracer) TraceCallStart(ctx context.Context, c demeterrr.CallStart) context.Context {
	t.b.tick("TraceCallStart")
	return t.recorder.TraceCallStart(ctx, c)
}

func (t bombTracer) TraceCallEnd(ctx context.Context, c demeterrr.CallEnd) {
	t.recorder.TraceCallEnd(ctx, c)
	t.b.tick("TraceCallEnd")
}

func (t bombTracer) TraceAttemptStart(ctx context.Context, a demeterrr.AttemptStart) context.Context {
	t.b.tick("TraceAttemptStart")
	return t.recorder.TraceAttemptStart(ctx, a)
}

func (t bombTracer) TraceAttemptEnd(ctx context.Context, a demeterrr.AttemptEnd) {
	t.recorder.TraceAttemptEnd(ctx, a)
	t.b.tick("TraceAttemptEnd")
}

func (t bombTracer) TraceWaitStart(ctx context.Context, w demeterrr.WaitStart) context.Context {
	t.b.tick("TraceWaitStart")
	return t.recorder.TraceWaitStart(ctx, w)
}

func (t bombTracer) TraceWaitEnd(ctx context.Context, w demeterrr.WaitEnd) {
	t.recorder.TraceWaitEnd(ctx, w)
	t.b.tick("TraceWaitEnd")
}

func (t bombTracer) TraceOperationStart(ctx context.Context, o demeterrr.OperationStart) context.Context {
	t.b.tick("TraceOperationStart")
	return t.recorder.TraceOperationStart(ctx, o)
}

func (t bombTracer) TraceOperationEnd(ctx context.Context, o demeterrr.OperationEnd) {
	t.recorder.TraceOperationEnd(ctx, o)
	t.b.tick("TraceOperationEnd")
}

// Tracers see no id in the path, no email in the query or the body, no key, and
// no text about them.
func TestATracerSeesNothingPersonal(t *testing.T) {
	t.Parallel()
	const canary = "canary@example.com"
	secrets := []string{canary, "canary%40example.com", "CANARY@EXAMPLE.COM", johnID, "15551234567", "canary-request", "canary-detail", "canary-scope", testKey, testKey[4:]}
	own := func(status int, code string) step {
		return step{status: status, header: []string{"X-Request-Id", "canary-request", "Retry-After", "1"}, body: fmt.Sprintf(
			`{"error":{"code":%q,"message":"%s of %s","requiredScope":"canary-scope","details":{"email":%q,"id":"canary-detail"}}}`, code, canary, johnID, canary)}
	}
	foreign := errors.New("canary@example.com of " + johnID)
	for name, s := range map[string]step{
		"the API's error":        own(400, "VALIDATION_ERROR"),
		"a retry":                own(429, "RATE_LIMIT_EXCEEDED"),
		"a code that is an id":   own(500, johnID),
		"a code that is email":   own(500, canary),
		"a code that is a phone": own(404, "15551234567"),
		"a page":                 {status: 502, body: canary + johnID},
		"a lost reply":           {err: &url.Error{Op: "Get", URL: "https://x/" + johnID + "?email=" + canary, Err: foreign}},
		"no connection":          {err: &net.OpError{Op: "dial", Net: "tcp", Err: foreign}},
		"an unreadable reply":    {body: `{"data":{"id":5,"` + canary + `":`},
		"a cut reply":            {body: okContacts.body, cut: true},
		"success":                {body: okContacts.body, header: []string{"X-Request-Id", "canary-request"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRecorder(t)
				c, _ := play(t, repeat(s, 50), demeterrr.WithTracer(r, forgetful{}))
				ctx, cancel := context.WithCancelCause(t.Context())
				_ = get(ctx, c)
				_, _ = c.Contacts.List(ctx, &demeterrr.ContactListParams{Email: canary, Phone: "+15551234567"})
				_, _, _ = c.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: canary, FirstName: "John", Phone: "+15551234567"})
				_ = c.Do(ctx, &demeterrr.Request{Method: "PUT", Path: "/" + johnID + "/x/" + "canary%40example.com", Body: canary}, nil)
				_ = get(ctx, c, demeterrr.WithBeforeSend(func(context.Context) error { return foreign }))
				_ = get(ctx, c, demeterrr.WithBeforeSend(func(context.Context) error {
					return &demeterrr.Error{Code: canary, Message: canary, RequestID: "canary-request", Path: "/" + johnID}
				}))
				time.AfterFunc(time.Millisecond, func() { cancel(foreign) })
				_ = get(ctx, c)
				_ = get(ctx, c)
				noSecret(t, r.raw, secrets...)
				for _, what := range r.raw {
					if end, ok := what.(demeterrr.CallEnd); ok {
						noSecret(t, end.Err, secrets...)
						wantIsNot(t, end.Err, foreign)
					}
				}
			})
		})
	}
}

// The tracer's error matches the same sentinels as the caller's.
func TestATracersErrorMatchesTheSameSentinels(t *testing.T) {
	t.Parallel()
	sentinels := []error{
		demeterrr.ErrValidation, demeterrr.ErrNotFound, demeterrr.ErrRateLimited, demeterrr.ErrInternal, demeterrr.ErrServer, demeterrr.ErrConflict,
		demeterrr.ErrContactExists, demeterrr.ErrTimeout, demeterrr.ErrUnknownOutcome, context.Canceled, context.DeadlineExceeded,
	}
	for name, s := range map[string]step{
		"404": missing, "409": exists, "429": limited, "500": internal, "502": gateway, "reset": reset, "refused": refused, "stalled": stalled, "certificate": badCert,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, limit := range []time.Duration{time.Second / 2, time.Hour} {
					r := newRecorder(t)
					c, _ := play(t, repeat(s, 9), demeterrr.WithTracer(r))
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					err := create(ctx, c)
					cancel()
					told := r.ends[0].Err
					for _, target := range sentinels {
						if got, want := errors.Is(told, target), errors.Is(err, target); got != want {
							t.Errorf("%v matches %v: %v, want %v", told, target, got, want)
						}
					}
					var e, own *demeterrr.Error
					if !errors.As(told, &e) || !errors.As(err, &own) || e == own {
						t.Fatalf("got %T", told)
					}
					same(t, "numbers", []any{e.StatusCode, e.Code, e.RetryAfter, e.Attempts}, []any{own.StatusCode, own.Code, own.RetryAfter, own.Attempts})
				}
			})
		})
	}
}

// bombLogger explodes when a record is logged.
func bombLogger(b *bomb) *slog.Logger {
	return slog.New(contextHandler{handle: func(context.Context) { b.tick("logger") }})
}
