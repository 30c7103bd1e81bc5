package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"golang.org/x/time/rate"
)

// setting is the environment of a job.
type setting struct {
	kind     demeterrrtest.WindowKind
	phase    time.Duration // of fixed windows
	limits   []demeterrr.Limit
	latency  [2]time.Duration // the shortest and the longest
	workers  int
	requests int
	others   time.Duration // the interval of another consumer's requests; 0 without one
	retries  int           // for each request; 0 means without end
}

// strategy is a job's way to stay within the quota: its client's limiter, and
// the pause of each goroutine between two calls.
type strategy struct {
	name    string
	limiter func([]demeterrr.Limit) demeterrr.Limiter // nil for none
	pause   time.Duration
}

// strategies returns the strategies of a job. All use the same client. After a
// 429, all calls of that client wait for the retryAfter, as the API documents.
func strategies() []strategy {
	return []strategy{
		{name: "no pacing"},
		{name: "sleep 0.6 s", pause: time.Minute / 100},
		{name: "sleep 3.6 s", pause: time.Hour / 1000},
		{name: "rate.Limiter", limiter: func([]demeterrr.Limit) demeterrr.Limiter {
			return demeterrr.WaitLimiter(rate.NewLimiter(rate.Every(time.Minute/100), 100))
		}},
		pacer(),
	}
}

func pacer() strategy {
	return strategy{name: "Pacer", limiter: func(limits []demeterrr.Limit) demeterrr.Limiter {
		return demeterrr.NewPacer(limits...)
	}}
}

// result is the outcome of a job. Times are counted from its start to the
// arrival of a request at the server.
type result struct {
	accepted, refused []time.Duration
	finish            time.Duration // of the last reply
	lost              int           // requests that failed for good
	worstRunOut       int           // the most 429s of ours in one period of used-up quota
}

// simulate runs the job in virtual time.
func simulate(t *testing.T, s setting, by strategy) (r result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		srv, note := newServer(s, start)
		defer srv.Close()
		contact := srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"})
		client := srv.Client(by.options(s)...)
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour) // a starved job would run forever
		go consume(ctx, srv, s.others)

		var next, lost atomic.Int64
		var workers sync.WaitGroup
		for range s.workers {
			workers.Go(func() {
				for next.Add(1) <= int64(s.requests) {
					if _, err := client.Contacts.Get(ctx, contact.ID); err != nil {
						t.Log(err)
						lost.Add(1)
					}
					time.Sleep(by.pause)
				}
			})
		}
		workers.Wait()
		cancel()
		r = note.result
		r.finish, r.lost = time.Since(start)-by.pause, int(lost.Load())
	})
	return r
}

func (by strategy) options(s setting) []demeterrr.Option {
	policy := demeterrr.RetryPolicy{MaxRetries: s.retries, MaxRetryAfter: 2 * time.Hour}
	if s.retries == 0 {
		policy.MaxRetries = 1_000_000
	}
	options := []demeterrr.Option{demeterrr.WithRetryPolicy(policy)}
	if by.limiter != nil {
		options = append(options, demeterrr.WithLimiter(by.limiter(s.limits)))
	}
	return options
}

// notes are the server's record of requests.
type notes struct {
	mu     sync.Mutex
	result result
	others []time.Duration // times of accepted requests of others
	runOut int
}

func newServer(s setting, start time.Time) (*demeterrrtest.Server, *notes) {
	note := &notes{}
	options := []demeterrrtest.Option{
		demeterrrtest.WithRateLimits(s.kind, s.limits...),
		demeterrrtest.WithLatency(s.latency[0], s.latency[1]),
		demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) { note.take(r, start) }),
	}
	if s.kind == demeterrrtest.FixedWindow {
		options = append(options, demeterrrtest.WithWindowPhase(s.phase))
	}
	return demeterrrtest.NewServer(options...), note
}

// othersPath is the path of the other consumer, and never of the job.
const othersPath = "/sequences"

func (n *notes) take(r demeterrrtest.Request, start time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := r.At.Sub(start)
	switch ours := r.Path != othersPath; {
	case r.Status != http.StatusTooManyRequests:
		n.runOut = 0 // a place was free, for some request
		if ours {
			n.result.accepted = append(n.result.accepted, at)
		} else {
			n.others = append(n.others, at)
		}
	case ours:
		n.result.refused = append(n.result.refused, at)
		n.runOut++
		n.result.worstRunOut = max(n.result.worstRunOut, n.runOut)
	}
}

// consume is another consumer in the organization. It sends a request in every
// interval, whatever the reply.
func consume(ctx context.Context, srv *demeterrrtest.Server, every time.Duration) {
	if every == 0 {
		return
	}
	client := srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
	for ctx.Err() == nil {
		_ = client.Do(ctx, &demeterrr.Request{Method: http.MethodGet, Path: othersPath}, nil)
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// schedule returns the start times of the earliest schedule with the same
// concurrency and latency that keeps every limit in every interval. All
// requests take the same time and are counted half-way, so the limits apply to
// the starts. Each request begins as soon as those before it allow. No such
// schedule is earlier. Around the edge of a fixed window, a server lets twice
// the limit through. A job that uses this edge can therefore be faster.
func schedule(s setting) []time.Duration {
	starts := make([]time.Duration, s.requests)
	for i := range starts {
		if i >= s.workers {
			starts[i] = starts[i-s.workers] + s.latency[0]
		}
		for _, l := range s.limits {
			if i >= l.Requests {
				starts[i] = max(starts[i], starts[i-l.Requests]+l.Window)
			}
		}
	}
	return starts
}

// minimum returns the time of the last reply in that schedule.
func minimum(s setting) time.Duration {
	starts := schedule(s)
	return starts[len(starts)-1] + s.latency[0]
}
