//go:build !race

package demeterrr_test

import (
	"context"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// A limiter costs a call only its own allocations, also if it reports waits
// without a listener.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestALimiterAllocatesNothing(t *testing.T) {
	release := demeterrr.Release(func(demeterrr.LimitOutcome) {})
	until := time.Now().Add(time.Hour)
	limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
		demeterrr.ReportWait(ctx, until)
		if demeterrr.IsLowPriority(ctx) {
			t.Error("it is not")
		}
		return release, nil
	})
	for _, h := range hotCalls() {
		c := h.client(t, demeterrr.WithLimiter(limiter))
		allocs := testing.AllocsPerRun(200, func() {
			if err := h.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > h.most {
			t.Errorf("%s: %v allocations, want at most %v", h.name, allocs, h.most)
		}
	}
}
