package demeterrrtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// admitted sends n requests at once and counts the admitted ones.
func admitted(t *testing.T, s *Server, n int) int {
	t.Helper()
	count := 0
	for range n {
		switch got := send(t, s, "GET", "/contacts", ""); got.status {
		case 200:
			count++
		case 429:
		default:
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	return count
}

// TestWhatEachKindOfWindowAdmitsAtItsEdges sends more than the limit around the
// edges of one-minute windows. Bubbles start at a whole minute.
func TestWhatEachKindOfWindowAdmitsAtItsEdges(t *testing.T) {
	t.Parallel()
	type step struct {
		at   time.Duration // since the start
		want int           // admitted
	}
	const ns, ms, minute = time.Nanosecond, time.Millisecond, time.Minute
	for _, test := range []struct {
		name  string
		kind  WindowKind
		phase time.Duration
		steps []step
	}{
		{"fixed: all at the start, none until the end", FixedWindow, 0, []step{{0, 10}, {30 * time.Second, 0}, {minute - ns, 0}, {minute, 10}}},
		{"fixed: twice the limit around an edge", FixedWindow, 0, []step{{minute - ms, 10}, {minute - ns, 0}, {minute, 10}, {minute + ms, 0}, {2 * minute, 10}}},
		{"fixed: the phase moves the edge", FixedWindow, 20 * time.Second, []step{{0, 10}, {20*time.Second - ns, 0}, {20 * time.Second, 10}, {minute, 0}, {80 * time.Second, 10}}},
		{"fixed: a negative phase", FixedWindow, -20 * time.Second, []step{{0, 10}, {40*time.Second - ns, 0}, {40 * time.Second, 10}}},
		{"fixed: a phase later than now", FixedWindow, 50*365*24*time.Hour + 20*time.Second, []step{{0, 10}, {20*time.Second - ns, 0}, {20 * time.Second, 10}}},
		{"fixed: what is not used is lost", FixedWindow, 0, []step{{3 * minute, 10}, {4 * minute, 10}}},
		{"sliding: never more in any minute", SlidingWindow, 0, []step{{minute - ms, 10}, {minute, 0}, {2*minute - ms - ns, 0}, {2*minute - ms, 10}}},
		{"sliding: what is not used is lost", SlidingWindow, 0, []step{{3 * minute, 10}, {3*minute + ns, 0}, {4 * minute, 10}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := NewServer(WithRateLimits(test.kind, Limit{Requests: 10, Window: minute, Reserve: 9}), WithWindowPhase(test.phase))
				start := time.Now()
				for _, step := range test.steps {
					time.Sleep(step.at - time.Since(start))
					if got := admitted(t, s, 15); got != step.want {
						t.Errorf("at %v: %d admitted, want %d", step.at, got, step.want)
					}
				}
			})
		})
	}
}

// TestSlidingWindowFreesPlacesOneByOne spreads the requests over the window.
func TestSlidingWindowFreesPlacesOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(WithRateLimits(SlidingWindow, Limit{Requests: 3, Window: time.Minute}))
		for range 3 {
			if admitted(t, s, 1) != 1 {
				t.Fatal("refused below the limit")
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(30 * time.Second) // a minute after the first
		for range 3 {
			if got := admitted(t, s, 2); got != 1 {
				t.Errorf("%d admitted, want 1", got)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestNoStretchSeesMoreThanWindowsAllow compares the windows with a count by
// hand, for random arrivals.
func TestNoStretchSeesMoreThanWindowsAllow(t *testing.T) {
	t.Parallel()
	limits := []Limit{{Requests: 5, Window: time.Second}, {Requests: 20, Window: 10 * time.Second}}
	for _, kind := range []WindowKind{FixedWindow, SlidingWindow} {
		synctest.Test(t, func(t *testing.T) {
			s := NewServer(WithRateLimits(kind, limits...))
			random := rand.New(rand.NewPCG(3, 4))
			var passed []time.Time
			for range 2000 {
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
				room := !slices.ContainsFunc(limits, func(l Limit) bool { return counted(kind, l, passed) >= l.Requests })
				if got := admitted(t, s, 1) == 1; got != room {
					t.Fatalf("kind %d: admitted %t, by hand %t", kind, got, room)
				}
				if room {
					passed = append(passed, time.Now())
				}
			}
		})
	}
}

// counted returns the number of the requests in the current window.
func counted(kind WindowKind, l Limit, passed []time.Time) int {
	now, n := time.Now(), 0
	for _, at := range passed {
		if kind == SlidingWindow && now.Sub(at) < l.Window || kind == FixedWindow && at.UnixNano()/int64(l.Window) == now.UnixNano()/int64(l.Window) {
			n++
		}
	}
	return n
}

func TestRefusalHasTheDocumentedBodyAndHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(WithRateLimits(FixedWindow, Limit{Requests: 1000, Window: time.Hour}, Limit{Requests: 2, Window: time.Minute}))
		start := time.Now()
		time.Sleep(1500 * time.Millisecond)
		check := func(got answer, status int, body string, want ...string) {
			t.Helper()
			if body != "" {
				got.is(t, status, body)
			}
			var have []string
			for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
				have = append(have, got.header.Get(name))
			}
			if diff := cmp.Diff(want, have); diff != "" || got.status != status {
				t.Errorf("%d %s", got.status, diff)
			}
		}
		hour := strconv.FormatInt(start.Add(time.Hour).Unix(), 10)
		check(send(t, s, "GET", "/contacts", ""), 200, "", "1000", "999", hour, "")
		check(send(t, s, "GET", "/contacts/x", ""), 404, "", "1000", "998", hour, "")
		const minuteFull = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":59,"limit":2,"window":"1 minute"}}}`
		for range 3 { // a refused request counts in none of the windows
			check(send(t, s, "GET", "/contacts", ""), 429, minuteFull, "1000", "998", hour, "59")
		}
	})
}

// TestLongestWaitIsReported fills two windows at once.
func TestLongestWaitIsReported(t *testing.T) {
	t.Parallel()
	for _, kind := range []WindowKind{FixedWindow, SlidingWindow} {
		synctest.Test(t, func(t *testing.T) {
			s := NewServer(WithRateLimits(kind, Limit{Requests: 2, Window: time.Minute}, Limit{Requests: 2, Window: time.Hour}, Limit{Requests: 2, Window: time.Second}))
			start := time.Now()
			time.Sleep(time.Second / 4)
			admitted(t, s, 2)
			got := send(t, s, "GET", "/contacts", "")
			const wait = 3600 // seconds: 3599.75 are left of the fixed window, rounded up
			got.is(t, 429, fmt.Sprintf(`{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":%d,"limit":2,"window":"1 hour"}}}`, wait))
			reset := start.Add(time.Hour)
			if kind == SlidingWindow {
				reset = start.Add(time.Hour + time.Second) // 3600.25 s, rounded up
			}
			if have := got.header.Get("X-RateLimit-Reset"); have != strconv.FormatInt(reset.Unix(), 10) {
				t.Errorf("kind %d: reset %s, want %d", kind, have, reset.Unix())
			}
			time.Sleep(time.Duration(wait) * time.Second)
			if admitted(t, s, 3) != 2 {
				t.Error("the wait that was asked for was too short, or too much passed")
			}
		})
	}
}

//
//nolint:thelper // the functions of its table are steps of the test
func TestWhatCountsAsARequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		counts bool
		send   func(*testing.T, *Server)
	}{
		{"another key of the organization", true, func(t *testing.T, s *Server) { sendWith(t, s, s.AddKey("contacts:read")) }},
		{"a key without the scope", true, func(t *testing.T, s *Server) { sendWith(t, s, s.AddKey()) }},
		{"an unknown path", true, func(t *testing.T, s *Server) { send(t, s, "GET", "/nothing", "") }},
		{"an answer by a fault", true, func(t *testing.T, s *Server) {
			s.Inject(Fault{Status: 502})
			send(t, s, "GET", "/contacts", "")
		}},
		{"a lost reply", true, func(t *testing.T, s *Server) {
			s.Inject(Fault{Drop: DropAfter})
			_, _ = s.Transport().RoundTrip(newRequest(t, s, "GET", "/contacts", "")) //nolint:bodyclose // there is none
		}},
		{"no connection", false, func(t *testing.T, s *Server) {
			s.Inject(Fault{Drop: NoConnection})
			_, _ = s.Transport().RoundTrip(newRequest(t, s, "GET", "/contacts", "")) //nolint:bodyclose // there is none
		}},
		{"no key", false, func(t *testing.T, s *Server) { sendWith(t, s, "") }},
		{"an expired key", false, func(t *testing.T, s *Server) {
			key := s.AddKey("contacts:*")
			s.ExpireKey(key)
			sendWith(t, s, key)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := NewServer(WithRateLimits(SlidingWindow, Limit{Requests: 5, Window: time.Hour}))
				test.send(t, s)
				if got := admitted(t, s, 10) == 4; got != test.counts {
					t.Errorf("counted: %t", got)
				}
			})
		})
	}
}

func sendWith(t *testing.T, s *Server, key string) {
	t.Helper()
	req := newRequest(t, s, "GET", "/contacts", "")
	req.Header.Set("X-API-Key", key)
	roundTrip(t, s, req)
}

// TestFaultsComeBeforeTheRateLimit injects a fault after the quota is used up.
func TestFaultsComeBeforeTheRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(WithRateLimits(FixedWindow, Limit{Requests: 1, Window: time.Hour}))
		admitted(t, s, 1)
		for status, remaining := range map[int]string{500: "0", 503: ""} { // of the API, and of a proxy
			s.Inject(Fault{Status: status})
			if got := send(t, s, "GET", "/contacts", ""); got.status != status || got.header.Get("X-RateLimit-Remaining") != remaining {
				t.Errorf("%d %v", got.status, got.header)
			}
		}
	})
}

func TestWindowsTellHowFullTheyAre(t *testing.T) {
	t.Parallel()
	if got := NewServer().Windows(); len(got) > 0 {
		t.Errorf("windows without rate limits: %v", got)
	}
	for name, test := range map[string]struct {
		kind          WindowKind
		before, after Window // a second before the minute ends, and at its end
	}{
		"fixed":   {FixedWindow, Window{Used: 3, Reset: time.Unix(60, 0)}, Window{Used: 0, Reset: time.Unix(120, 0)}},
		"sliding": {SlidingWindow, Window{Used: 3, Reset: time.Unix(60, 0)}, Window{Used: 1, Reset: time.Unix(90, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limit := Limit{Requests: 3, Window: time.Minute, Reserve: 1}
				s := NewServer(WithRateLimits(test.kind, limit))
				start := time.Now()
				admitted(t, s, 2)
				time.Sleep(30 * time.Second)
				admitted(t, s, 2)
				time.Sleep(29 * time.Second)
				for _, want := range []Window{test.before, test.after} {
					want.Limit, want.Reset = limit, start.Add(want.Reset.Sub(time.Unix(0, 0)))
					if diff := cmp.Diff([]Window{want}, s.Windows()); diff != "" {
						t.Errorf("after %v: %s", time.Since(start), diff)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}

func TestWindowNames(t *testing.T) {
	t.Parallel()
	for window, want := range map[time.Duration]string{
		time.Hour: "1 hour", time.Minute: "1 minute", 24 * time.Hour: "1 day", time.Second: "1 second",
		90 * time.Minute: "90 minutes", 2 * time.Hour: "2 hours", 10 * time.Second: "10 seconds", 1500 * time.Millisecond: "1.5s",
	} {
		if got := windowName(window); got != want {
			t.Errorf("%v: %q, want %q", window, got, want)
		}
	}
}
