package demeterrrotel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// PAUSE and BACKOFF are the random waits after the 429 and the 500. CALL is the
// whole call. The columns: name, kind, duration, attributes, status.
const wantSpans = `
Contacts.Get | internal | CALL | demeterrr.attempts=3 demeterrr.operation=Contacts.Get demeterrr.wait.backoff=BACKOFF demeterrr.wait.limiter=7 demeterrr.wait.rate_limited=PAUSE http.request.method=GET http.response.status_code=200 url.template=/contacts/{id}
  wait limiter | internal | 7s | demeterrr.wait.reason=limiter
  GET /contacts/{id} | client | 100ms | error.type=RATE_LIMIT_EXCEEDED http.request.method=GET http.response.status_code=429 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id} | demeterrr: GET /contacts/{id}: 429 RATE_LIMIT_EXCEEDED (retry after 1m0s)
  wait rate_limited | internal | PAUSE | demeterrr.wait.reason=rate_limited
  GET /contacts/{id} | client | 100ms | error.type=INTERNAL_ERROR http.request.method=GET http.request.resend_count=1 http.response.status_code=500 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id} | demeterrr: GET /contacts/{id}: 500 INTERNAL_ERROR: temporary; contact support if it persists (2 attempts)
  wait backoff | internal | BACKOFF | demeterrr.wait.reason=backoff
  GET /contacts/{id} | client | 100ms | http.request.method=GET http.request.resend_count=2 http.response.status_code=200 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id}
`

// The columns: name and unit, attributes, then the value, or the count and the
// sum.
const wantMetrics = `
demeterrr.active_waits {wait} | demeterrr.operation=Contacts.Get demeterrr.wait.reason=backoff http.request.method=GET url.template=/contacts/{id} | 0
demeterrr.active_waits {wait} | demeterrr.operation=Contacts.Get demeterrr.wait.reason=limiter http.request.method=GET url.template=/contacts/{id} | 0
demeterrr.active_waits {wait} | demeterrr.operation=Contacts.Get demeterrr.wait.reason=rate_limited http.request.method=GET url.template=/contacts/{id} | 0
demeterrr.attempts {attempt} | demeterrr.operation=Contacts.Get error.type=INTERNAL_ERROR http.request.method=GET http.response.status_code=500 url.template=/contacts/{id} | 1
demeterrr.attempts {attempt} | demeterrr.operation=Contacts.Get error.type=RATE_LIMIT_EXCEEDED http.request.method=GET http.response.status_code=429 url.template=/contacts/{id} | 1
demeterrr.attempts {attempt} | demeterrr.operation=Contacts.Get http.request.method=GET http.response.status_code=200 url.template=/contacts/{id} | 1
demeterrr.call.duration s | demeterrr.operation=Contacts.Get http.request.method=GET url.template=/contacts/{id} | 1 in CALL
demeterrr.quota.limit {request} | server.address=demeterrr.test server.port=443 | 1000
demeterrr.quota.remaining {request} | server.address=demeterrr.test server.port=443 | 997
demeterrr.rate_limited {attempt} | demeterrr.operation=Contacts.Get http.request.method=GET url.template=/contacts/{id} | 1
demeterrr.retries {attempt} | demeterrr.operation=Contacts.Get demeterrr.retry.reason=INTERNAL_ERROR http.request.method=GET url.template=/contacts/{id} | 1
demeterrr.retries {attempt} | demeterrr.operation=Contacts.Get demeterrr.retry.reason=RATE_LIMIT_EXCEEDED http.request.method=GET url.template=/contacts/{id} | 1
demeterrr.wait.duration s | demeterrr.operation=Contacts.Get demeterrr.wait.reason=backoff http.request.method=GET url.template=/contacts/{id} | 1 in BACKOFF
demeterrr.wait.duration s | demeterrr.operation=Contacts.Get demeterrr.wait.reason=limiter http.request.method=GET url.template=/contacts/{id} | 1 in 7
demeterrr.wait.duration s | demeterrr.operation=Contacts.Get demeterrr.wait.reason=rate_limited http.request.method=GET url.template=/contacts/{id} | 1 in PAUSE
http.client.request.duration s | error.type=INTERNAL_ERROR http.request.method=GET http.response.status_code=500 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id} | 1 in 0.1
http.client.request.duration s | error.type=RATE_LIMIT_EXCEEDED http.request.method=GET http.response.status_code=429 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id} | 1 in 0.1
http.client.request.duration s | http.request.method=GET http.response.status_code=200 server.address=demeterrr.test server.port=443 url.scheme=https url.template=/contacts/{id} | 1 in 0.1
`

func TestACallThatWaitsAndIsRetriedGivesTheseSpansAndMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(100*time.Millisecond, 100*time.Millisecond),
			demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.Limit{Requests: 1000, Window: time.Hour}))
		jane := srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"})
		srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute})
		srv.Inject(demeterrrtest.Fault{Status: 500})
		o := observe(t)
		client := srv.Client(demeterrr.WithTracer(o), demeterrr.WithLimiter(waitOnce(7*time.Second)))
		if _, err := client.Contacts.Get(t.Context(), jane.ID); err != nil {
			t.Fatal(err)
		}

		spans := o.stubs()
		took := map[string]time.Duration{}
		for _, s := range spans {
			took[s.Name] = length(s)
		}
		pause, backoff, call := took["wait rate_limited"], took["wait backoff"], took["Contacts.Get"]
		within(t, "the pause", pause, time.Minute, 75*time.Second)
		within(t, "the back-off", backoff, 2*time.Second, 2500*time.Millisecond)
		within(t, "the call", call, 7300*time.Millisecond+pause+backoff, 7300*time.Millisecond+pause+backoff)
		names := strings.NewReplacer(
			pause.String(), "PAUSE", backoff.String(), "BACKOFF", call.String(), "CALL",
			seconds(pause), "PAUSE", seconds(backoff), "BACKOFF", seconds(call), "CALL")
		if diff := cmp.Diff(wantSpans, "\n"+names.Replace(tree(spans, [8]byte{}, 0))); diff != "" {
			t.Errorf("the spans differ (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantMetrics, "\n"+names.Replace(points(o.collect(t)))); diff != "" {
			t.Errorf("the metrics differ (-want +got):\n%s", diff)
		}
	})
}

// A wait of an hour is in the metrics while it lasts.
func TestAWaitIsCountedWhileItLasts(t *testing.T) {
	t.Parallel()
	for reason, wait := range map[string]struct {
		fault   demeterrrtest.Fault
		limiter demeterrr.Limiter
		lasts   time.Duration
	}{
		"limiter":      {demeterrrtest.Fault{Status: 404}, reportingLimiter(time.Hour), time.Hour},
		"rate_limited": {demeterrrtest.Fault{Status: 429, RetryAfter: time.Hour}, reportingLimiter(0), time.Hour},
		"backoff":      {demeterrrtest.Fault{Status: 502}, reportingLimiter(0), time.Second},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer()
				srv.Inject(wait.fault)
				o := observe(t)
				client := srv.Client(demeterrr.WithTracer(o), demeterrr.WithLimiter(wait.limiter))
				go func() { _, _ = client.Contacts.List(demeterrr.LowPriority(t.Context()), nil) }()
				active := func() string {
					for line := range strings.Lines(points(o.collect(t))) {
						if strings.HasPrefix(line, "demeterrr.active_waits") && strings.Contains(line, "demeterrr.wait.reason="+reason+" ") {
							return strings.TrimSpace(line[strings.LastIndex(line, "|")+1:])
						}
					}
					return "none"
				}
				time.Sleep(wait.lasts / 2)
				synctest.Wait()
				if got := active(); got != "1" {
					t.Errorf("%s are active in the middle of the wait, want 1", got)
				}
				time.Sleep(wait.lasts)
				synctest.Wait()
				if got := active(); got != "0" {
					t.Errorf("%s are active after the wait, want 0", got)
				}
			})
		})
	}
}

func seconds(d time.Duration) string { return fmt.Sprint(d.Seconds()) }

func within(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s took %v, want %v to %v", what, got, least, most)
	}
}

// The spans of an operation's calls are below its own, and its metrics name it.
func TestCallsBelongToTheOutermostOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer()
		srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"})
		o := observe(t)
		client := srv.Client(demeterrr.WithTracer(o))
		ctx := o.TraceOperationStart(t.Context(), demeterrr.OperationStart{Operation: "bulk.Sync"})
		if _, _, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"}); err != nil {
			t.Fatal(err)
		}
		o.TraceOperationEnd(ctx, demeterrr.OperationEnd{Operation: "bulk.Sync"})
		want := `
bulk.Sync
  Contacts.Upsert
    Contacts.Create
      POST /contacts
    Contacts.FindByEmail
      GET /contacts
    Contacts.Update
      PATCH /contacts/{id}
`
		if diff := cmp.Diff(want, "\n"+names(o.stubs(), [8]byte{}, 0)); diff != "" {
			t.Errorf("the spans differ (-want +got):\n%s", diff)
		}
		for line := range strings.Lines(points(o.collect(t))) {
			if strings.HasPrefix(line, "demeterrr.attempts") && !strings.Contains(line, "demeterrr.operation=bulk.Sync ") {
				t.Error("an attempt is counted for another operation: ", line)
			}
		}
	})
}

// names returns the tree with names only.
func names(spans tracetest.SpanStubs, below [8]byte, depth int) string {
	var b strings.Builder
	for line := range strings.Lines(tree(spans, below, depth)) {
		name, _, _ := strings.Cut(line, " | ")
		b.WriteString(name + "\n")
	}
	return b.String()
}

func TestAnErrorTypeHasFewValues(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   *demeterrrtest.Fault
		limiter error
		cancel  bool
		want    string
	}{
		"a documented code":           {fault: &demeterrrtest.Fault{Status: 404}, want: "NOT_FOUND"},
		"another code":                {fault: &demeterrrtest.Fault{Status: 418, Body: `{"error":{"code":"TEAPOT_A","message":"m"}}`}, want: "418"},
		"a status":                    {fault: &demeterrrtest.Fault{Status: 502}, want: "502"},
		"a redirect":                  {fault: &demeterrrtest.Fault{Status: 302}, want: "302"},
		"a 2xx that cannot be read":   {fault: &demeterrrtest.Fault{Body: `{`}, want: "invalid_reply"},
		"a lost reply":                {fault: &demeterrrtest.Fault{Drop: demeterrrtest.DropAfter}, want: "no_reply"},
		"no connection":               {fault: &demeterrrtest.Fault{Drop: demeterrrtest.NoConnection}, want: "no_reply"},
		"an attempt that times out":   {fault: &demeterrrtest.Fault{Delay: time.Hour}, want: "timeout"},
		"a call that is canceled":     {cancel: true, want: "canceled"},
		"a call past its deadline":    {limiter: context.DeadlineExceeded, want: "deadline_exceeded"},
		"a limiter that refuses":      {limiter: fmt.Errorf("closed"), want: "_OTHER"},
		"input that is not like this": {want: "VALIDATION_ERROR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer()
				id := srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"}).ID
				options := []demeterrr.Option{demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{})}
				if test.limiter != nil {
					options = append(options, demeterrr.WithLimiter(limiterFunc(func(context.Context) error { return test.limiter })))
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch {
				case test.fault != nil:
					srv.Inject(*test.fault)
				case test.cancel:
					cancel()
				case test.limiter == nil:
					id = ""
				}
				o := observe(t)
				if _, err := srv.Client(append(options, demeterrr.WithTracer(o))...).Contacts.Get(ctx, id); err == nil {
					t.Fatal("want an error")
				}
				for _, s := range o.stubs() {
					if !strings.Contains(" "+attributes(s.Attributes)+" ", " error.type="+test.want+" ") {
						t.Errorf("span %s has %s, want error.type=%s", s.Name, attributes(s.Attributes), test.want)
					}
				}
				if got := points(o.collect(t)); !strings.Contains(got, "demeterrr.call.duration s | demeterrr.operation=Contacts.Get error.type="+test.want+" ") {
					t.Errorf("the metrics lack error.type=%s:\n%s", test.want, got)
				}
			})
		})
	}
}

func TestAnUnknownOutcomeIsCountedAndMarked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer()
		survey := srv.AddSequence(demeterrr.Sequence{Name: "Welcome"})
		srv.Inject(demeterrrtest.Fault{Drop: demeterrrtest.DropAfter, Skip: 1})
		o := observe(t)
		client := srv.Client(demeterrr.WithTracer(o))
		params := &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}}}
		const series = "demeterrr.unknown_outcomes {call} | demeterrr.operation=Sequences.Execute http.request.method=POST url.template=/sequences/{id}/execute | "
		for outcomes := range 2 { // counting starts at 0 with the first call
			_, err := client.Sequences.Execute(t.Context(), survey.ID, params)
			if (err != nil) != (outcomes == 1) {
				t.Fatal(err)
			}
			if got := points(o.collect(t)); !strings.Contains(got, series+fmt.Sprintln(outcomes)) {
				t.Errorf("want %d unknown outcomes in:\n%s", outcomes, got)
			}
		}
		for _, s := range o.stubs() {
			marked := strings.Contains(attributes(s.Attributes), "demeterrr.unknown_outcome=true")
			if want := s.Name == "Sequences.Execute" && s.Status.Description != ""; marked != want {
				t.Errorf("span %s: marked %v, want %v", s.Name, marked, want)
			}
		}
	})
}

// After its window, the quota is unknown. A sliding window can end within a
// second, so five minutes are the minimum.
func TestTheQuotaIsReportedUntilItsWindowEnds(t *testing.T) {
	t.Parallel()
	for window, reported := range map[time.Duration]time.Duration{time.Second: 5 * time.Minute, time.Hour: time.Hour} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.Limit{Requests: 10, Window: window}))
				o := observe(t)
				if _, err := srv.Client(demeterrr.WithTracer(o)).Contacts.List(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				quota := func() (lines string) {
					for line := range strings.Lines(points(o.collect(t))) {
						if strings.HasPrefix(line, "demeterrr.quota") {
							lines += line
						}
					}
					return lines
				}
				time.Sleep(reported - time.Second)
				want := "demeterrr.quota.limit {request} | server.address=demeterrr.test server.port=443 | 10\n" +
					"demeterrr.quota.remaining {request} | server.address=demeterrr.test server.port=443 | 9\n"
				if diff := cmp.Diff(want, quota()); diff != "" {
					t.Errorf("within the window (-want +got):\n%s", diff)
				}
				time.Sleep(2 * time.Second)
				if got := quota(); got != "" {
					t.Errorf("after the window there is still\n%s", got)
				}
			})
		})
	}
}

// A client may have several Tracers: each has its own spans and metrics.
func TestTwoTracersOfAClientDoNotMix(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer()
		srv.Inject(demeterrrtest.Fault{Status: 500})
		one, two := observe(t), observe(t)
		if _, err := srv.Client(demeterrr.WithTracer(one, new(demeterrrotel.Tracer), two)).Contacts.List(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		const want = 4 // a call, two attempts, a wait
		if a, b := len(one.stubs()), len(two.stubs()); a != want || b != want {
			t.Errorf("%d and %d spans, want %d each", a, b, want)
		}
		if diff := cmp.Diff(points(one.collect(t)), points(two.collect(t))); diff != "" {
			t.Errorf("the metrics differ:\n%s", diff)
		}
	})
}
