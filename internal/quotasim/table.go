package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// row is one strategy in one setting, and the outcome.
type row struct {
	setting
	strategy
	result
}

// settings returns both kinds of window, each latency, and 1 and 8 goroutines.
// Fixed windows have random phases.
func settings() (all []setting) {
	rng := rand.New(rand.NewPCG(4, 0)) //nolint:gosec // every run has the same phases
	for _, kind := range []demeterrrtest.WindowKind{demeterrrtest.FixedWindow, demeterrrtest.SlidingWindow} {
		for _, latency := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second} {
			for _, workers := range []int{1, 8} {
				all = append(all, setting{
					kind: kind, phase: time.Duration(rng.Int64N(int64(time.Hour))),
					limits: demeterrr.DefaultLimits(), latency: [2]time.Duration{latency, latency},
					workers: workers, requests: 5000,
				})
			}
		}
	}
	return all
}

// runAll runs every strategy in every setting, in parallel: two at a time, or
// one for each processor.
func runAll(t *testing.T) []row {
	t.Helper()
	var rows []row
	for _, s := range settings() {
		for _, by := range strategies() {
			rows = append(rows, row{setting: s, strategy: by})
		}
	}
	t.Run("all", func(t *testing.T) { // returns after its parallel parts
		for i := range rows {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				rows[i].result = typical(t, rows[i].setting, rows[i].strategy)
			})
		}
	})
	return rows
}

// typical returns the median of three runs by their 429s. The client's waits
// are random, and a small difference can change a run much.
func typical(t *testing.T, s setting, by strategy) result {
	t.Helper()
	runs := []result{simulate(t, s, by), simulate(t, s, by), simulate(t, s, by)}
	slices.SortFunc(runs, func(a, b result) int { return len(a.refused) - len(b.refused) })
	return runs[1]
}

func (r *row) kindName() string {
	if r.kind == demeterrrtest.FixedWindow {
		return "fixed"
	}
	return "sliding"
}

// ratio returns the finish as a multiple of the minimum.
func (r *row) ratio() float64 { return float64(r.finish) / float64(minimum(r.setting)) }

// table returns the rows, one on each line.
func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, limits %v, virtual time; ratio: finish to the soonest schedule that keeps every limit in every interval; the middle one of three runs, by 429s\n\n", rows[0].requests, rows[0].limits)
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(tw, "windows\tlatency\tgoroutines\tstrategy\tsent\t429s\tfinish\tratio\t")
	for i := range rows {
		r := &rows[i]
		_, _ = fmt.Fprintf(tw, "%s\t%v\t%d\t%s\t%d\t%d\t%v\t%.4f\t\n", r.kindName(), r.latency[0], r.workers, r.name,
			len(r.accepted)+len(r.refused), len(r.refused), r.finish.Round(time.Second), r.ratio())
	}
	_ = tw.Flush() // a strings.Builder never fails
	return b.String()
}
