package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// recorder is a tracer of every kind. It writes a line for each start and end,
// indented by the depth in its context. It checks that ends come in the reverse
// order of starts.
type recorder struct {
	t    *testing.T
	name string // in front of each line

	mu    sync.Mutex
	lines *[]string
	open  []string
	calls []demeterrr.CallStart
	ends  []demeterrr.CallEnd
	raw   []any // everything it received
}

type depthKey struct{ of *recorder }

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	return &recorder{t: t, lines: new([]string)}
}

func (r *recorder) start(ctx context.Context, kind string, what any, line string) context.Context {
	depth, _ := ctx.Value(depthKey{r}).(int)
	r.mu.Lock()
	defer r.mu.Unlock()
	if depth != len(r.open) {
		r.t.Errorf("%s starts at depth %d of its context, want %d", kind, depth, len(r.open))
	}
	r.raw = append(r.raw, what)
	*r.lines = append(*r.lines, strings.Repeat("  ", depth)+r.name+line)
	r.open = append(r.open, kind)
	return context.WithValue(ctx, depthKey{r}, depth+1)
}

func (r *recorder) end(ctx context.Context, kind string, what any, line string) {
	depth, _ := ctx.Value(depthKey{r}).(int)
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.open) - 1; last < 0 || r.open[last] != kind || depth != last+1 {
		r.t.Errorf("%s ends at depth %d, open are %v", kind, depth, r.open)
	} else {
		r.open = r.open[:last]
	}
	r.raw = append(r.raw, what)
	*r.lines = append(*r.lines, strings.Repeat("  ", max(depth-1, 0))+r.name+"end "+line)
}

func (r *recorder) TraceCallStart(ctx context.Context, c demeterrr.CallStart) context.Context {
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	return r.start(ctx, "call", c, fmt.Sprintf("call %s %s %s", c.Operation, c.Method, c.Route))
}

func (r *recorder) TraceCallEnd(ctx context.Context, c demeterrr.CallEnd) {
	r.mu.Lock()
	r.ends = append(r.ends, c)
	r.mu.Unlock()
	line := fmt.Sprintf("call %d attempts=%d waited=%s/%s/%s", c.StatusCode, c.Attempts, nominal(c.Waited.Limiter), nominal(c.Waited.RateLimited), nominal(c.Waited.Backoff))
	if c.UnknownOutcome {
		line += " unknown"
	}
	r.end(ctx, "call", c, line+text(c.Err))
}

func (r *recorder) TraceAttemptStart(ctx context.Context, a demeterrr.AttemptStart) context.Context {
	return r.start(ctx, "attempt", a, fmt.Sprintf("attempt %d%s", a.Ordinal, text(a.Previous)))
}

func (r *recorder) TraceAttemptEnd(ctx context.Context, a demeterrr.AttemptEnd) {
	line := fmt.Sprintf("attempt %d %d", a.Ordinal, a.StatusCode)
	if a.Code != "" {
		line += " " + string(a.Code)
	}
	if a.RetryAfter != 0 {
		line += fmt.Sprint(" retryAfter=", a.RetryAfter)
	}
	if a.RateLimit.Limit != 0 {
		line += fmt.Sprintf(" quota=%d/%d", a.RateLimit.Remaining, a.RateLimit.Limit)
	}
	r.end(ctx, "attempt", a, line+text(a.Err))
}

func (r *recorder) TraceWaitStart(ctx context.Context, w demeterrr.WaitStart) context.Context {
	line := "wait " + string(w.Reason)
	if ago := time.Since(w.Start); ago != 0 {
		line += fmt.Sprint(" began=-", ago)
	}
	if !w.Until.IsZero() {
		line += " until=" + nominal(time.Until(w.Until))
	}
	return r.start(ctx, "wait", w, line)
}

func (r *recorder) TraceWaitEnd(ctx context.Context, w demeterrr.WaitEnd) {
	r.end(ctx, "wait", w, fmt.Sprintf("wait %s %s%s", w.Reason, nominal(w.Duration), text(w.Err)))
}

func (r *recorder) TraceOperationStart(ctx context.Context, o demeterrr.OperationStart) context.Context {
	return r.start(ctx, "operation", o, "operation "+o.Operation)
}

func (r *recorder) TraceOperationEnd(ctx context.Context, o demeterrr.OperationEnd) {
	r.end(ctx, "operation", o, "operation "+o.Operation+text(o.Err))
}

// want checks the lines, and that every start has had its end.
func (r *recorder) want(want ...string) {
	r.t.Helper()
	same(r.t, "trace", *r.lines, want)
	r.wantClosed()
}

func (r *recorder) wantClosed() {
	r.t.Helper()
	if len(r.open) != 0 {
		r.t.Errorf("without an end: %v", r.open)
	}
}

// text returns the text of an error, or "".
func text(err error) string {
	if err == nil {
		return ""
	}
	return " [" + strings.TrimPrefix(err.Error(), "demeterrr: ") + "]"
}

// nominal returns a wait without its jitter of up to a quarter.
func nominal(d time.Duration) string {
	for _, n := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, time.Minute} {
		if d > n && d < n+n/4 {
			return n.String()
		}
	}
	return d.String()
}

// turnstile is a limiter that holds back the first attempts.
type turnstile struct {
	waits   []time.Duration
	reports bool // it calls ReportWait
	inside  int
	err     error
	f       func(context.Context)
}

func (l *turnstile) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if l.f != nil {
		l.f(ctx)
	}
	if len(l.waits) > 0 {
		d := l.waits[0]
		l.waits = l.waits[1:]
		if l.reports && d > 0 {
			demeterrr.ReportWait(ctx, time.Now().Add(d))
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if l.err != nil {
		return nil, l.err
	}
	l.inside++
	return func(demeterrr.LimitOutcome) { l.inside-- }, nil
}

func TestATracerSeesWhatACallDoes(t *testing.T) {
	t.Parallel()
	limited60 := step{status: 429, body: limited60JSON, header: []string{"X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "0"}}
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		c, s := play(t, []step{limited60, internal, okContact}, demeterrr.WithTracer(r),
			demeterrr.WithLimiter(&turnstile{waits: []time.Duration{5 * time.Second, 0, 999 * time.Microsecond}}))
		wantNil(t, get(t.Context(), c))
		r.want(
			"call Contacts.Get GET /contacts/{id}",
			"  wait limiter began=-5s",
			"  end wait limiter 5s",
			"  attempt 1",
			"  end attempt 1 429 RATE_LIMIT_EXCEEDED retryAfter=1m0s quota=0/1000 [GET /contacts/{id}: 429 RATE_LIMIT_EXCEEDED (retry after 1m0s)]",
			"  wait rate_limited until=1m0s",
			"  end wait rate_limited 1m0s",
			"  attempt 2 [GET /contacts/{id}: 429 RATE_LIMIT_EXCEEDED (retry after 1m0s)]",
			"  end attempt 2 500 INTERNAL_ERROR [GET /contacts/{id}: 500 INTERNAL_ERROR: temporary; contact support if it persists (2 attempts)]",
			"  wait backoff until=2s",
			"  end wait backoff 2s",
			"  attempt 3 [GET /contacts/{id}: 500 INTERNAL_ERROR: temporary; contact support if it persists (2 attempts)]",
			"  end attempt 3 200",
			"end call 200 attempts=3 waited=5s/1m0s/2s",
		)
		waited := r.ends[0].Waited
		if total := waited.Limiter + waited.RateLimited + waited.Backoff + 999*time.Microsecond; total != s.sent[2].at {
			t.Errorf("waited %v, the last request left after %v", total, s.sent[2].at)
		}
	})
}

// go-retryablehttp makes the waits of later retries.
func TestATracerSeesEachRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		c, _ := play(t, []step{refused, reset, gateway, gateway}, demeterrr.WithTracer(r))
		wantError(t, create(t.Context(), c), 4, demeterrr.ErrServer, demeterrr.ErrUnknownOutcome)
		last := " [POST /contacts: 502 Bad Gateway (4 attempts, outcome unknown, it may have taken effect)]"
		r.want(
			"call Contacts.Create POST /contacts",
			"  attempt 1",
			"  end attempt 1 0 [POST /contacts: no connection]",
			"  wait backoff until=1s",
			"  end wait backoff 1s",
			"  attempt 2 [POST /contacts: no connection]",
			"  end attempt 2 0 [POST /contacts: no reply (2 attempts, outcome unknown, it may have taken effect)]",
			"  wait backoff until=2s",
			"  end wait backoff 2s",
			"  attempt 3 [POST /contacts: no reply (2 attempts, outcome unknown, it may have taken effect)]",
			"  end attempt 3 502 [POST /contacts: 502 Bad Gateway (3 attempts, outcome unknown, it may have taken effect)]",
			"  wait backoff until=4s",
			"  end wait backoff 4s",
			"  attempt 4 [POST /contacts: 502 Bad Gateway (3 attempts, outcome unknown, it may have taken effect)]",
			"  end attempt 4 502"+last,
			"end call 502 attempts=4 waited=0s/0s/"+r.ends[0].Waited.Backoff.String()+" unknown"+last,
		)
	})
}

func TestAWaitThatTheContextEndsIsTraced(t *testing.T) {
	t.Parallel()
	deadline := func(ctx context.Context, after time.Duration) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(after, cancel)
		return ctx
	}
	limited60 := step{status: 429, body: limited60JSON}
	for name, test := range map[string]struct {
		steps []step
		waits []time.Duration
		after time.Duration
		want  string
	}{
		"limiter":          {nil, []time.Duration{time.Hour}, time.Minute, "end wait limiter 1m0s [GET /contacts/{id}: context canceled]"},
		"429":              {[]step{limited60}, nil, time.Second, "end wait rate_limited 1s [GET /contacts/{id}: context canceled]"},
		"first back-off":   {[]step{internal}, nil, time.Second / 2, "end wait backoff 500ms [GET /contacts/{id}: context canceled]"},
		"second back-off":  {[]step{refused, internal}, nil, 3 * time.Second, "context canceled]"},
		"before a retry":   {[]step{internal}, []time.Duration{0, time.Hour}, time.Minute, "context canceled]"},
		"during a request": {[]step{stalled}, nil, time.Second, "end attempt 1 0 [GET /contacts/{id}: ended while the request was in flight: context canceled]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRecorder(t)
				c, _ := play(t, test.steps, demeterrr.WithTracer(r), demeterrr.WithLimiter(&turnstile{waits: test.waits}))
				wantIs(t, get(deadline(t.Context(), test.after), c), context.Canceled)
				r.wantClosed()
				lines := *r.lines
				if got := lines[len(lines)-2]; !strings.HasSuffix(got, test.want) {
					t.Errorf("the last line before the call's end is %q, want …%q", got, test.want)
				}
				wantIs(t, r.ends[0].Err, context.Canceled)
			})
		})
	}
}

// A 429 of one call holds back the others.
func TestTheWaitForAnEarlier429IsTraced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		c, _ := play(t, []step{limitedFor("60"), okContact}, demeterrr.WithTracer(r))
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1, demeterrr.ErrRateLimited)
		*r.lines = nil
		wantNil(t, get(t.Context(), c))
		r.want(
			"call Contacts.Get GET /contacts/{id}",
			"  wait rate_limited until=1m0s",
			"  end wait rate_limited 1m0s",
			"  attempt 1",
			"  end attempt 1 200",
			"end call 200 attempts=1 waited=0s/1m0s/0s",
		)
	})
}

func TestEveryMethodHasItsOperationAndRoute(t *testing.T) {
	t.Parallel()
	operations := map[string]string{"Contacts.All": "Contacts.List", "Sequences.All": "Sequences.List", "Contacts.Upsert": "Contacts.Create"}
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			c := serving(t, answer(200, e.good), demeterrr.WithTracer(r))
			wantNil(t, e.call(t.Context(), c, johnID))
			operation := e.name
			if below, ok := operations[e.name]; ok {
				operation = below
				if first := (*r.lines)[0]; first != "operation "+e.name {
					t.Errorf("the first line is %q", first)
				}
			}
			same(t, "calls", r.calls, []demeterrr.CallStart{{
				Operation: operation, Method: e.method, Route: e.path, Scheme: "https", ServerAddress: "app.demeterrr.com", ServerPort: 443,
			}})
			r.wantClosed()
		})
	}
}

func TestTheServerIsThatOfTheBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]demeterrr.CallStart{
		"http://127.0.0.1:8080/api":   {Scheme: "http", ServerAddress: "127.0.0.1", ServerPort: 8080},
		"http://localhost":            {Scheme: "http", ServerAddress: "localhost", ServerPort: 80},
		"https://[::1]:444/":          {Scheme: "https", ServerAddress: "::1", ServerPort: 444},
		"https://eu.example.com/v1/x": {Scheme: "https", ServerAddress: "eu.example.com", ServerPort: 443},
	} {
		r := newRecorder(t)
		c := serving(t, answer(204, ""), demeterrr.WithTracer(r), demeterrr.WithBaseURL(base))
		wantNil(t, c.Contacts.Delete(t.Context(), johnID))
		want.Operation, want.Method, want.Route = "Contacts.Delete", "DELETE", "/contacts/{id}"
		same(t, base, r.calls, []demeterrr.CallStart{want})
	}
}

func TestTheRouteOfARawCallHasNoID(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/surveys":                      "/surveys",
		"surveys":                       "/surveys",
		"/surveys/":                     "/surveys/",
		"/surveys/" + johnID:            "/surveys/{id}",
		"/surveys/x/responses":          "/surveys/{id}/{id}",
		"/" + johnID:                    "/{id}",
		"/jane@example.com":             "/{id}",
		"/jane%40example.com/x":         "/{id}/{id}",
		"/review-requests_old/1":        "/review-requests_old/{id}",
		"/15551234567":                  "/{id}",
		"/surveys/jane%40example.com/y": "/surveys/{id}/{id}",
	} {
		r := newRecorder(t)
		c := serving(t, answer(200, "{}"), demeterrr.WithTracer(r))
		wantNil(t, c.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: path}, nil))
		same(t, path, r.calls[0].Route, want)
	}
	r := newRecorder(t)
	c := serving(t, answer(200, "{}"), demeterrr.WithTracer(r))
	for _, route := range []string{"/surveys/{id}/responses", "surveys/{id}/responses"} {
		wantNil(t, c.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/surveys/1/responses", Route: route}, nil))
		same(t, "named", r.calls[len(r.calls)-1].Route, "/surveys/{id}/responses")
	}
}

// Rejected input is a call without attempts.
func TestRefusedInputIsTraced(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(context.Context, *demeterrr.Client) error{
		"id": func(ctx context.Context, c *demeterrr.Client) error { _, err := c.Contacts.Get(ctx, ""); return err },
		"body": func(ctx context.Context, c *demeterrr.Client) error {
			_, err := c.Contacts.Create(ctx, nil)
			return err
		},
		"option": func(ctx context.Context, c *demeterrr.Client) error { return get(ctx, c, nil) },
		"path": func(ctx context.Context, c *demeterrr.Client) error {
			return c.Do(ctx, &demeterrr.Request{Method: "GET", Path: "/jane@example.com?x=1"}, nil)
		},
		"out": func(ctx context.Context, c *demeterrr.Client) error {
			return c.Do(ctx, &demeterrr.Request{Method: "GET", Path: "/surveys"}, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			c := serving(t, neverSent(t), demeterrr.WithTracer(r))
			wantError(t, do(t.Context(), c), 0, demeterrr.ErrValidation)
			r.wantClosed()
			wantError(t, r.ends[0].Err, 0, demeterrr.ErrValidation)
			if len(*r.lines) != 2 {
				t.Errorf("got %q", *r.lines)
			}
			noSecret(t, r.raw, "jane@example.com")
		})
	}
}

func TestATracersContextReachesEverythingInside(t *testing.T) {
	t.Parallel()
	depths := map[string]any{}
	r := newRecorder(t)
	note := func(where string) func(context.Context) {
		return func(ctx context.Context) { depths[where] = ctx.Value(depthKey{r}) }
	}
	c := serving(t, func(w http.ResponseWriter, req *http.Request) {
		note("transport")(req.Context())
		answer(200, `{"data":`+johnJSON+`}`)(w, req)
	}, demeterrr.WithTracer(r), demeterrr.WithLimiter(&turnstile{f: note("limiter")}))
	hook := func(ctx context.Context) error { note("hook")(ctx); return nil }
	for _, opts := range [][]demeterrr.CallOption{{demeterrr.WithBeforeSend(hook)}, {demeterrr.WithBeforeSend(hook), demeterrr.WithUncancelableSend()}} {
		clear(depths)
		_, _, err := c.Contacts.Upsert(t.Context(), john(), opts...)
		wantNil(t, err)
		same(t, "depths", depths, map[string]any{"limiter": 2, "hook": 2, "transport": 3})
	}
}

// forgetful is a tracer that returns no context. It changes nothing.
type forgetful struct{}

func (forgetful) TraceCallStart(context.Context, demeterrr.CallStart) context.Context { return nil }
func (forgetful) TraceCallEnd(context.Context, demeterrr.CallEnd)                     {}
func (forgetful) TraceAttemptStart(context.Context, demeterrr.AttemptStart) context.Context {
	return nil
}
func (forgetful) TraceAttemptEnd(context.Context, demeterrr.AttemptEnd)               {}
func (forgetful) TraceWaitStart(context.Context, demeterrr.WaitStart) context.Context { return nil }
func (forgetful) TraceWaitEnd(context.Context, demeterrr.WaitEnd)                     {}
func (forgetful) TraceOperationStart(context.Context, demeterrr.OperationStart) context.Context {
	return nil
}
func (forgetful) TraceOperationEnd(context.Context, demeterrr.OperationEnd) {}

func TestATracerMayReturnNoContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tracers := range [][]demeterrr.Tracer{{forgetful{}}, {forgetful{}, forgetful{}}} {
			c, _ := play(t, []step{internal, okContact}, demeterrr.WithTracer(tracers...))
			_, _, err := c.Contacts.Upsert(t.Context(), createParams)
			wantNil(t, err)
		}
	})
}

func TestSeveralTracersEndInReverseOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newRecorder(t), newRecorder(t)
		a.name, b.name, b.lines = "a ", "b ", a.lines
		c, _ := play(t, []step{internal, okCreated}, demeterrr.WithTracer(a, callsOnly{forgetful{}}), demeterrr.WithTracer(b))
		_, _, err := c.Contacts.Upsert(t.Context(), createParams)
		wantNil(t, err)
		b.wantClosed()
		failed := " [POST /contacts: 500 INTERNAL_ERROR: temporary; contact support if it persists (outcome unknown, it may have taken effect)]"
		a.want(
			"a operation Contacts.Upsert", "b operation Contacts.Upsert",
			"  a call Contacts.Create POST /contacts", "  b call Contacts.Create POST /contacts",
			"    a attempt 1", "    b attempt 1",
			"    b end attempt 1 500 INTERNAL_ERROR"+failed, "    a end attempt 1 500 INTERNAL_ERROR"+failed,
			"    a wait backoff until=1s", "    b wait backoff until=1s",
			"    b end wait backoff 1s", "    a end wait backoff 1s",
			"    a attempt 2"+failed, "    b attempt 2"+failed,
			"    b end attempt 2 201", "    a end attempt 2 201",
			"  b end call 201 attempts=2 waited=0s/0s/1s", "  a end call 201 attempts=2 waited=0s/0s/1s",
			"b end operation Contacts.Upsert", "a end operation Contacts.Upsert",
		)
	})
}

// callsOnly has none of the optional interfaces.
type callsOnly struct{ demeterrr.Tracer }

func TestATracerNeedsNoOptionalInterface(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		c, _ := play(t, []step{internal, exists, okContacts, okContact}, demeterrr.WithTracer(callsOnly{r}))
		_, _, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "Jon"})
		wantNil(t, err)
		r.want(
			"call Contacts.Create POST /contacts",
			"end call 409 attempts=2 waited=0s/0s/1s unknown [POST /contacts: 409 CONTACT_EXISTS: update the existing contact, or use Upsert (2 attempts, outcome unknown, it may have taken effect)]",
			"call Contacts.FindByEmail GET /contacts",
			"end call 200 attempts=1 waited=0s/0s/0s",
			"call Contacts.Update PATCH /contacts/{id}",
			"end call 200 attempts=1 waited=0s/0s/0s",
		)
	})
}

func TestNilTracersAreRefused(t *testing.T) {
	t.Parallel()
	var typed *recorder
	for _, bad := range []demeterrr.Tracer{nil, typed} {
		_, err := demeterrr.New(testKey, demeterrr.WithTracer(newRecorder(t), bad))
		wantError(t, err, 0, demeterrr.ErrValidation)
		if !strings.Contains(err.Error(), "WithTracer: tracer 2 is nil") {
			t.Error(err)
		}
	}
	must(demeterrr.New(testKey, demeterrr.WithTracer()))
}

// The operation of an iterator lasts as long as its loop.
func TestTheOperationOfAnIteratorEndsWithItsLoop(t *testing.T) {
	t.Parallel()
	page := func(n int) step {
		return step{body: fmt.Sprintf(`{"data":[{"id":"s%d","name":"n","status":"active"}],"meta":{"page":%d,"perPage":1,"total":2,"totalPages":2}}`, n, n)}
	}
	first := []string{"operation Sequences.All", "  call Sequences.List GET /sequences", "    attempt 1", "    end attempt 1 200", "  end call 200 attempts=1 waited=0s/0s/0s"}
	second := append(slices.Clone(first), first[1:]...)
	for name, test := range map[string]struct {
		steps []step
		body  func(n int) bool // false: break
		want  []string
	}{
		"to its end": {[]step{page(1), page(2)}, func(int) bool { return true }, append(slices.Clone(second), "end operation Sequences.All")},
		"break":      {[]step{page(1)}, func(int) bool { return false }, append(slices.Clone(first), "end operation Sequences.All")},
		"panic":      {[]step{page(1)}, func(int) bool { panic("in the loop") }, append(slices.Clone(first), "end operation Sequences.All [ended by a panic or by runtime.Goexit]")},
		"Goexit":     {[]step{page(1)}, func(int) bool { runtime.Goexit(); return true }, append(slices.Clone(first), "end operation Sequences.All [ended by a panic or by runtime.Goexit]")},
		"wrong page": {[]step{page(1), page(1)}, func(int) bool { return true }, append(slices.Clone(second), "end operation Sequences.All [200 OK]")},
		"error": {[]step{missing}, func(int) bool { return true }, []string{
			"operation Sequences.All", "  call Sequences.List GET /sequences", "    attempt 1", "    end attempt 1 404 NOT_FOUND [GET /sequences: 404 NOT_FOUND]",
			"  end call 404 attempts=1 waited=0s/0s/0s [GET /sequences: 404 NOT_FOUND]", "end operation Sequences.All [404 NOT_FOUND]",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t)
			c, _ := play(t, test.steps, demeterrr.WithTracer(r))
			all := c.Sequences.All(t.Context(), nil)
			if len(*r.lines) != 0 {
				t.Error("the operation began before the loop")
			}
			isolated(func() {
				n := 0
				for _, err := range all {
					if n++; err == nil && !test.body(n) {
						break
					}
				}
			})
			r.want(test.want...)
		})
	}
}

// isolated runs f on its own goroutine, and returns the value of its panic.
func isolated(f func()) (cause any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { cause = recover() }()
		f()
	}()
	<-done
	return cause
}

func TestTraceOperation(t *testing.T) {
	t.Parallel()
	r := newRecorder(t)
	c := serving(t, answer(204, ""), demeterrr.WithTracer(r))
	failure := errors.New("jane@example.com has no birthday")
	err := c.TraceOperation(t.Context(), "shop.Clean", func(ctx context.Context) error {
		wantNil(t, c.Contacts.Delete(ctx, johnID))
		return failure
	})
	if err != failure { //nolint:errorlint // itself
		t.Errorf("got %v", err)
	}
	r.want(
		"operation shop.Clean",
		"  call Contacts.Delete DELETE /contacts/{id}", "    attempt 1", "    end attempt 1 204", "  end call 204 attempts=1 waited=0s/0s/0s",
		"end operation shop.Clean [request failed]",
	)
	wantError(t, c.TraceOperation(t.Context(), "shop.Clean", nil), 0, demeterrr.ErrValidation)
	for _, c := range []*demeterrr.Client{nil, {}, serving(t, neverSent(t)), serving(t, neverSent(t), demeterrr.WithTracer(callsOnly{r}))} {
		if err := c.TraceOperation(t.Context(), "x", func(context.Context) error { return failure }); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
	}
}
