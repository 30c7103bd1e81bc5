package gate_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/gate"
)

// left checks how long the gate stays closed.
func left(t *testing.T, g *gate.Gate, want time.Duration) {
	t.Helper()
	if got := g.Left(); max(got, 0) != want {
		t.Errorf("%s are left, want %s", got, want)
	}
}

func TestAGateOpensWhenItsTimeHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		left(t, &g, 0)
		g.Close(time.Minute)
		left(t, &g, time.Minute)
		time.Sleep(59 * time.Second)
		left(t, &g, time.Second)
		time.Sleep(time.Second)
		left(t, &g, 0)
		left(t, &g, 0)
		g.Close(time.Second)
		left(t, &g, time.Second)
	})
}

func TestTheLongestClosingCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		g.Close(time.Minute)
		g.Close(time.Second)
		left(t, &g, time.Minute)
		g.Close(2 * time.Minute)
		left(t, &g, 2*time.Minute)
		g.Close(-time.Hour)
		left(t, &g, 2*time.Minute)
	})
}

func TestAGateIsNeverClosedForMoreThanAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		g.Close(1<<63 - 1)
		left(t, &g, gate.MaxClosed)
		left(t, &g, time.Hour)
	})
}

func TestAGateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate.Gate
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				g.Close(time.Duration(i) * time.Second)
				g.Left()
			})
		}
		wg.Wait()
		left(t, &g, 49*time.Second)
	})
}
