//go:build !race

package demeterrr_test

import (
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

//nolint:paralleltest // allocations are counted for the whole process
func TestAWaitThatNeedNotWaitAllocatesNothing(t *testing.T) {
	p := demeterrr.NewPacer(demeterrr.Limit{Requests: 100, Window: 1}, demeterrr.Limit{Requests: 1000, Window: 1})
	reported := demeterrr.RateLimit{Limit: 1000, Remaining: 999, Reset: time.Now().Add(time.Hour)}
	send := func() {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Done(reported, 0)
	}
	for range 1000 { // the ring has grown to its size
		send()
	}
	if allocs := testing.AllocsPerRun(1000, send); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
