package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// some are all settings, or every third with -short.
func some(all []setting) (list []setting) {
	for i, s := range all {
		if !testing.Short() || i%3 == 0 {
			list = append(list, s)
		}
	}
	return list
}

func TestThePacerMeetsNo429AndIsWithinOnePercentOfTheMinimum(t *testing.T) {
	t.Parallel()
	for _, s := range some(settings()) {
		for range 3 {
			s.phase += 13 * time.Minute / 7
			t.Run(fmt.Sprintf("kind %d, %v, %d goroutines", s.kind, s.latency[0], s.workers), func(t *testing.T) {
				t.Parallel()
				r := row{setting: s, result: simulate(t, s, pacer())}
				if len(r.refused) > 0 || r.lost > 0 || len(r.accepted) != s.requests {
					t.Errorf("accepted %d, refused %d, lost %d of %d", len(r.accepted), len(r.refused), r.lost, s.requests)
				}
				if ratio := r.ratio(); ratio < 1 || ratio > 1.01 {
					t.Errorf("finished in %v, %.4f times the minimum", r.finish, ratio)
				}
			})
			if s.kind == demeterrrtest.SlidingWindow || testing.Short() {
				break // it has no phase, or one is enough
			}
		}
	}
}

// The latency of each request differs here, so that requests and replies
// overtake each other.
func TestThePacerMeetsNo429UnderMixedLatencies(t *testing.T) {
	t.Parallel()
	for _, s := range some(settings()) {
		s.latency = [2]time.Duration{20 * time.Millisecond, 2 * time.Second}
		t.Run(fmt.Sprintf("kind %d, %d goroutines", s.kind, s.workers), func(t *testing.T) {
			t.Parallel()
			r := simulate(t, s, pacer())
			if len(r.refused) > 0 || r.lost > 0 {
				t.Errorf("refused %d, lost %d", len(r.refused), r.lost)
			}
			s.latency[0] = time.Second // the mean, used for the minimum
			if ratio := float64(r.finish) / float64(minimum(s)); ratio > 1.01 {
				t.Errorf("finished in %v, %.4f times the minimum", r.finish, ratio)
			}
		})
	}
}

// The fake's headers describe only the longest window, so that a shorter one
// runs out unseen. The other consumer takes every place it can get, and chance
// decides who gets a freed place. A request may be refused more often than the
// three times of the default policy (one in some 400,000 was), hence ten.
func TestAnotherConsumerCostsOne429ForEachRequestInFlightAndLosesNone(t *testing.T) {
	t.Parallel()
	minute, hour := demeterrr.Limit{Requests: 100, Window: time.Minute}, demeterrr.Limit{Requests: 1000, Window: time.Hour}
	plans := map[string]struct {
		limits []demeterrr.Limit
		others time.Duration // 30 % of the tightest limit
	}{
		"the default plan":    {[]demeterrr.Limit{minute, hour}, 12 * time.Second},
		"a minute, reported":  {[]demeterrr.Limit{minute}, 2 * time.Second},
		"a minute, unseen":    {[]demeterrr.Limit{minute, {Requests: 10_000, Window: time.Hour}}, 2 * time.Second},
		"an hour of its size": {[]demeterrr.Limit{hour}, 12 * time.Second},
	}
	rng := rand.New(rand.NewPCG(4, 1)) // a failure can be repeated
	for name, plan := range plans {
		for _, s := range settings() {
			s.limits, s.others, s.requests, s.retries = plan.limits, plan.others, 3000, 10
			s.phase = time.Duration(rng.Int64N(int64(time.Hour)))
			t.Run(fmt.Sprintf("%s, kind %d, %v, %d goroutines", name, s.kind, s.latency[0], s.workers), func(t *testing.T) {
				t.Parallel()
				r := simulate(t, s, pacer())
				t.Logf("refused %d, at worst %d in a row, finished in %v", len(r.refused), r.worstRunOut, r.finish)
				if r.lost > 0 || len(r.accepted) != s.requests {
					t.Errorf("lost %d, accepted %d of %d", r.lost, len(r.accepted), s.requests)
				}
				if share := float64(len(r.refused)) / float64(s.requests); share > 0.1 {
					t.Errorf("%d 429s: the Pacer does not yield", len(r.refused))
				}
				if r.worstRunOut > s.workers {
					t.Errorf("%d 429s while the quota was used up once, with %d in flight", r.worstRunOut, s.workers)
				}
			})
		}
	}
}

func TestTheMinimumIsWhatCountingByHandGives(t *testing.T) {
	t.Parallel()
	tests := []struct {
		workers, requests int
		latency           time.Duration
		want              time.Duration
	}{
		{1, 3, time.Second, 3 * time.Second},               // one after the other
		{3, 3, time.Second, time.Second},                   // all at once
		{10, 5, time.Second, time.Minute + time.Second},    // the fifth is one too many for the minute
		{10, 9, time.Second, 2*time.Minute + time.Second},  // and the ninth for the next
		{1, 5, 20 * time.Second, 100 * time.Second},        // too slow for any limit
		{10, 13, time.Second, time.Hour + 1*time.Second},   // the thirteenth is one too many for the hour
		{10, 17, time.Second, time.Hour + 61*time.Second},  // and then the minute binds again
		{10, 25, time.Second, 2*time.Hour + 1*time.Second}, // until the next hour
	}
	limits := []demeterrr.Limit{{Requests: 4, Window: time.Minute}, {Requests: 12, Window: time.Hour}}
	for _, test := range tests {
		s := setting{limits: limits, workers: test.workers, requests: test.requests, latency: [2]time.Duration{test.latency, test.latency}}
		if got := minimum(s); got != test.want {
			t.Errorf("%d requests from %d goroutines at %v: %v, want %v", test.requests, test.workers, test.latency, got, test.want)
		}
	}
}
