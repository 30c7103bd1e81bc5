package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

func TestWithClassesNoWebCallFailsAndTheJobIsNearItsMinimum(t *testing.T) {
	t.Parallel()
	for _, s := range mixedSettings() {
		most, phases := 1.03, []time.Duration{0, 5 * time.Minute, 14 * time.Minute}
		if testing.Short() {
			if s.fleet {
				continue
			}
			phases = phases[:1]
		}
		if s.fleet {
			most, phases = 1.05, phases[:1] // it takes long
		}
		for _, phase := range phases {
			s := s
			s.phase = phase
			t.Run(fmt.Sprintf("%v, bursts at %v", s, s.phase), func(t *testing.T) {
				t.Parallel()
				r := mixed(t, s, classes())
				if len(r.failed) > 0 || len(r.waits) != r.webCalls || r.webCalls < 200 {
					t.Errorf("%d of %d web calls failed, at %v", len(r.failed), r.webCalls, r.failed)
				}
				if len(r.refused) > 0 {
					t.Errorf("%d 429s", len(r.refused))
				}
				if ratio := r.ratio(); ratio < 1 || ratio > most {
					t.Errorf("the job finished after %v, %.4f times the minimum of %v", r.finish, ratio, r.minimum)
				}
			})
		}
	}
}

// The alternatives to the classes fail or are slow. Otherwise the load would
// show nothing.
func TestWithoutClassesWebCallsFailAndSharesAreSlow(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long, and holds what the SDK is compared with")
	}
	for _, s := range mixedSettings() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			if r := mixed(t, s, ways()[0]); len(r.failed) < r.webCalls/2 || len(r.refused) > 0 {
				t.Errorf("without classes %d of %d web calls failed, with %d 429s", len(r.failed), r.webCalls, len(r.refused))
			}
			if r := mixed(t, s, ways()[1]); r.ratio() < 1.4 || len(r.failed) > 0 || len(r.refused) > 0 {
				t.Errorf("with fixed shares the job took %.4f times the minimum, %d web calls failed, with %d 429s", r.ratio(), len(r.failed), len(r.refused))
			}
		})
	}
}

// within reports whether no interval holds more requests than its limit.
func within(limits []demeterrr.Limit, requests []time.Duration) bool {
	requests = slices.Sorted(slices.Values(requests))
	for _, l := range limits {
		for i := l.Requests; i < len(requests); i++ {
			if requests[i]-requests[i-l.Requests] < l.Window {
				return false
			}
		}
	}
	return true
}

func TestTheMixedMinimumKeepsTheLimitsAndCannotBeSooner(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(15, 0)) // a failure can be repeated
	for range 200 {
		limits := []demeterrr.Limit{{Requests: 3 + rng.IntN(4), Window: 10}, {Requests: 8 + rng.IntN(8), Window: 50}}
		var web []time.Duration
		for at := time.Duration(0); at < 300; at += time.Duration(8 + rng.IntN(20)) {
			web = append(web, at)
		}
		workers, latency := 1+rng.IntN(3), time.Duration(2)
		job := soonest(limits, 20, workers, latency, web)
		if !within(limits, slices.Concat(web, job)) {
			t.Fatalf("limits %v are not kept by %v beside %v", limits, job, web)
		}
		for i, at := range job {
			first := latency / 2
			if i > 0 {
				first = job[i-1]
			}
			if i >= workers {
				first = max(first, job[i-workers]+latency)
			}
			for sooner := first; sooner < at; sooner++ {
				if within(limits, slices.Concat(web, job[:i], []time.Duration{sooner})) {
					t.Fatalf("request %d of %v can go at %v beside %v with limits %v", i, job, sooner, web, limits)
				}
			}
		}
	}
}

func TestTheMinimumBesideNobodyIsThatOfAJobAlone(t *testing.T) {
	t.Parallel()
	s := setting{limits: demeterrr.DefaultLimits(), workers: 4, requests: 2500, latency: [2]time.Duration{mixedLatency, mixedLatency}}
	want := schedule(s)
	got := soonest(s.limits, s.requests, s.workers, mixedLatency, nil)
	for i := range got {
		got[i] -= mixedLatency / 2
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schedules (-alone +beside nobody):\n%s", diff)
	}
}

func TestWaitsAreRanked(t *testing.T) {
	t.Parallel()
	r := mixedResult{}
	if got := r.wait(99); got != 0 {
		t.Errorf("without calls the wait is %v", got)
	}
	for i := range 200 {
		r.waits = append(r.waits, time.Duration(i+1))
	}
	for percent, want := range map[int]time.Duration{1: 2, 50: 100, 99: 198, 100: 200} {
		if got := r.wait(percent); got != want {
			t.Errorf("%d %%: %v, want %v", percent, got, want)
		}
	}
}

func TestThePageHasEveryRowAndSaysWhatMadeIt(t *testing.T) {
	t.Parallel()
	var rows []mixedRow
	for _, s := range mixedSettings() {
		for _, by := range ways() {
			rows = append(rows, mixedRow{mixedSetting: s, way: by, mixedResult: mixedResult{webCalls: 5, minimum: time.Hour, result: result{finish: time.Hour}}})
		}
	}
	s := settings()[0]
	got := page([]row{{setting: s, result: result{finish: minimum(s)}}}, rows)
	if !strings.HasPrefix(got, "<!-- Made by: "+command+" -->\n") || strings.Contains(got, "%!") {
		t.Errorf("the page is\n%s", got)
	}
	for _, r := range rows {
		if want := fmt.Sprintf("| %v | %s | 5 | 0 | 0.0 s | 0.0 s | 1h0m0s, +0.0 %% | 1h0m0s | 0 |", r.mixedSetting, r.name); !strings.Contains(got, want) {
			t.Errorf("the page has no row %q", want)
		}
	}
	if got := mixedChart(rows).draw(); strings.Count(got, "web calls failed; the job took") != len(ways()) {
		t.Errorf("the chart is\n%s", got)
	}
}
