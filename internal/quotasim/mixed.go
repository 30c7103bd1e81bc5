package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// The mixed load is a job beside a website with steady calls.
const (
	mixedContacts = 2000             // in the job's sync
	webEvery      = time.Minute      // one call
	burstEvery    = 15 * time.Minute // calls at once
	burst         = 20
	webDeadline   = 20 * time.Second
	mixedLatency  = 200 * time.Millisecond
	mixedWorkers  = 4 // of bulk.Sync
)

// reserved are the default limits. Their Reserve covers the website's calls of
// a minute and of an hour, and one more call.
var reserved = []demeterrr.Limit{
	{Requests: 100, Window: time.Minute, Reserve: 21},
	{Requests: 1000, Window: time.Hour, Reserve: 141},
}

// newLimiter makes a limiter that a process shares with all others of the key.
type newLimiter func(key string, limits []demeterrr.Limit) demeterrr.Limiter

// way is how the job and the website share the quota: the limiters of a
// process.
type way struct {
	name     string
	limiters func(newLimiter) (job, web demeterrr.Limiter)
}

func ways() []way {
	return []way{
		{"no classes", func(create newLimiter) (job, web demeterrr.Limiter) {
			one := noClasses{create("all", demeterrr.DefaultLimits())}
			return one, one
		}},
		{"fixed shares, 60 % and 40 %", func(create newLimiter) (job, web demeterrr.Limiter) {
			return create("job", share(60)), create("web", share(40))
		}},
		classes(),
	}
}

func classes() way {
	return way{"classes, Reserve 21 and 141", func(create newLimiter) (job, web demeterrr.Limiter) {
		one := create("all", reserved)
		return one, one
	}}
}

func share(percent int) []demeterrr.Limit {
	limits := demeterrr.DefaultLimits()
	for i := range limits {
		limits[i].Requests = limits[i].Requests * percent / 100
	}
	return limits
}

// noClasses is a limiter that treats all calls alike.
type noClasses struct{ demeterrr.Limiter }

func (l noClasses) Acquire(ctx context.Context) (demeterrr.Release, error) {
	return l.Limiter.Acquire(withoutValues{ctx}) //nolint:contextcheck // it inherits all but the values
}

type withoutValues struct{ context.Context }

func (withoutValues) Value(any) any { return nil }

// mixedSetting is the environment of the mixed load.
type mixedSetting struct {
	processes int           // one has the job; the web calls take turns
	fleet     bool          // they share the quota on Redis
	phase     time.Duration // of the bursts, from the start of the job
}

func (s mixedSetting) String() string {
	if s.fleet {
		return fmt.Sprintf("a fleet of %d, Redis", s.processes)
	}
	return "one process, Pacer"
}

func mixedSettings() []mixedSetting {
	return []mixedSetting{{processes: 1, phase: 5 * time.Minute}, {processes: 4, fleet: true, phase: 5 * time.Minute}}
}

// mixedResult is the outcome for the job and the website.
type mixedResult struct {
	result                   // of the job
	web      []time.Duration // arrivals of the web calls at the server
	failed   []time.Duration // times of failed web calls
	waits    []time.Duration // of the successful ones, sorted
	minimum  time.Duration   // the job's earliest possible finish
	soonest  []time.Duration // the earliest possible times of its requests
	webCalls int
}

// wait returns a percentile of the waits of the web calls.
func (r *mixedResult) wait(percent int) time.Duration {
	if len(r.waits) == 0 {
		return 0
	}
	return r.waits[(len(r.waits)*percent+99)/100-1]
}

// ratio returns the job's finish as a multiple of the minimum.
func (r *mixedResult) ratio() float64 { return float64(r.finish) / float64(r.minimum) }

// mixed runs the load in virtual time.
func mixed(t *testing.T, s mixedSetting, by way) (r mixedResult) {
	t.Helper()
	double := newRedisDouble(t, s.fleet)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		srv, note := newServer(setting{
			kind: demeterrrtest.SlidingWindow, limits: demeterrr.DefaultLimits(), latency: [2]time.Duration{mixedLatency, mixedLatency},
		}, start)
		defer srv.Close()
		var job *demeterrr.Client
		var website []*demeterrr.Client
		for i := range s.processes {
			create := newPacer
			if s.fleet {
				create = double.process(t)
			}
			ofJob, ofWeb := by.limiters(create)
			if i == 0 {
				job = srv.Client(demeterrr.WithLimiter(ofJob))
			}
			website = append(website, srv.Client(demeterrr.WithLimiter(ofWeb)))
		}
		over := make(chan struct{})
		var calling sync.WaitGroup
		calling.Go(func() { callWeb(t, s, website, start, over, &r) })
		report, err := bulk.Sync(demeterrr.LowPriority(t.Context()), job, bulk.Slice(newContacts()), &bulk.SyncOptions{Concurrency: mixedWorkers})
		if err != nil || report.Created != mixedContacts {
			t.Errorf("the job failed: %v, %+v", err, report)
		}
		finish := time.Since(start)
		close(over)
		calling.Wait()
		r.result, r.web = note.result, note.others
		r.finish = finish
	})
	slices.Sort(r.waits)
	r.soonest = soonest(demeterrr.DefaultLimits(), len(r.accepted), mixedWorkers, mixedLatency, r.web)
	r.minimum = r.soonest[len(r.soonest)-1] + mixedLatency/2 // the server counts half-way
	return r
}

func newPacer(_ string, limits []demeterrr.Limit) demeterrr.Limiter {
	return demeterrr.NewPacer(limits...)
}

func newContacts() []demeterrr.ContactParams {
	contacts := make([]demeterrr.ContactParams, mixedContacts)
	for i := range contacts {
		contacts[i] = demeterrr.ContactParams{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "Jane"}
	}
	return contacts
}

// callWeb makes the website's calls until the job is over.
func callWeb(t *testing.T, s mixedSetting, website []*demeterrr.Client, start time.Time, over <-chan struct{}, r *mixedResult) {
	t.Helper()
	var mu sync.Mutex
	var calls sync.WaitGroup
	defer calls.Wait()
	call := func() {
		client := website[r.webCalls%len(website)]
		r.webCalls++
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), webDeadline)
			defer cancel()
			begin := time.Now()
			_, err := client.Sequences.List(ctx, nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.failed = append(r.failed, time.Since(start))
				return
			}
			r.waits = append(r.waits, time.Since(begin)-mixedLatency)
		})
	}
	for next := time.Duration(0); ; next += webEvery {
		select {
		case <-over:
			return
		case <-time.After(time.Until(start.Add(next))):
		}
		call()
		if next%burstEvery == s.phase {
			for range burst {
				call()
			}
		}
	}
}

// soonest returns the earliest times at which the n requests of the job can
// reach the server. They have the limits of the organization less the requests
// of the website, each at its real time. A request goes as soon as all earlier
// ones have gone, a worker is free, and every window keeps room for the
// website. No schedule within every limit in every interval is earlier.
func soonest(limits []demeterrr.Limit, n, workers int, latency time.Duration, web []time.Duration) []time.Duration {
	web = slices.Sorted(slices.Values(web))
	var job []time.Duration
	for i := range n {
		at := latency / 2
		if i > 0 {
			at = job[i-1]
		}
		if i >= workers {
			at = max(at, job[i-workers]+latency)
		}
		for moved := true; moved; {
			moved = false
			for _, l := range limits {
				if free := room(l, at, job, web); free > at {
					at, moved = free, true
				}
			}
		}
		job = append(job, at)
	}
	return job
}

// room returns the earliest time from at on when one more request keeps every
// window around it within the limit l.
func room(l demeterrr.Limit, at time.Duration, job, web []time.Duration) time.Duration {
	// The windows around at begin with a request, or with at itself. They end
	// just before another request.
	for _, begin := range slices.Concat(between(web, at-l.Window+1, at), between(job, at-l.Window+1, at), []time.Duration{at}) {
		if len(between(web, begin, begin+l.Window-1))+len(between(job, begin, begin+l.Window-1)) >= l.Requests {
			return begin + l.Window
		}
	}
	return at
}

// between returns the times from first to last; they are sorted.
func between(times []time.Duration, first, last time.Duration) []time.Duration {
	i, _ := slices.BinarySearchFunc(times, first, cmp.Compare[time.Duration])
	j, _ := slices.BinarySearchFunc(times, last+1, cmp.Compare[time.Duration])
	return times[i:max(i, j)]
}
