//go:build !race

package demeterrr_test

import (
	"context"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

//nolint:paralleltest // allocations are counted for the whole process
func TestAnAcquireThatNeedNotWaitAllocatesItsReleaseOnly(t *testing.T) {
	p := demeterrr.NewPacer(demeterrr.Limit{Requests: 100, Window: 1, Reserve: 10}, demeterrr.Limit{Requests: 1000, Window: 1, Reserve: 100})
	reported := demeterrr.RateLimit{Limit: 1000, Remaining: 999, Reset: time.Now().Add(time.Hour)}
	for name, ctx := range map[string]context.Context{"normal": t.Context(), "low": demeterrr.LowPriority(t.Context())} {
		send := func() {
			release, err := p.Acquire(ctx)
			if err != nil {
				t.Fatal(err)
			}
			release(demeterrr.LimitOutcome{Sent: true, StatusCode: 200, RateLimit: reported})
		}
		for range 1000 { // until the rings have their full size
			send()
		}
		if allocs := testing.AllocsPerRun(1000, send); allocs > 1 {
			t.Errorf("%s priority: %v allocations, want 1", name, allocs)
		}
	}
}
