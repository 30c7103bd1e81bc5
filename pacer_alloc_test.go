//go:build !race

package demeterrr_test

import (
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

//nolint:paralleltest // allocations are counted for the whole process
func TestAnAcquireThatNeedNotWaitAllocatesLittle(t *testing.T) {
	p := demeterrr.NewPacer(demeterrr.Limit{Requests: 100, Window: 1}, demeterrr.Limit{Requests: 1000, Window: 1})
	reported := demeterrr.RateLimit{Limit: 1000, Remaining: 999, Reset: time.Now().Add(time.Hour)}
	send := func() {
		release, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release(demeterrr.LimitOutcome{Sent: true, StatusCode: 200, RateLimit: reported})
	}
	for range 1000 { // the ring has grown to its size
		send()
	}
	if allocs := testing.AllocsPerRun(1000, send); allocs > 2 {
		t.Errorf("%v allocations, want at most 2", allocs)
	}
}
