package soak

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/marked"
)

var (
	soak = flag.Duration("soak", 4*time.Second, "how long the run lasts: 10 rounds, or with -short 4 of them")
	out  = flag.String("out", "", "write the figures into this file, between their marks")
)

// figures are counted over all rounds.
type figures struct {
	requests, faults      atomic.Int64
	executes, once, syncs atomic.Int64 // operations
	sendings, doubt       atomic.Int64
	spans, wrong          atomic.Int64
}

// TestSoak runs rounds, each with an API, a database and clients of its own. After
// each round nobody is sent to twice, nobody is lost, and everything is closed.
// Memory and goroutines are back where the first round left them.
func TestSoak(t *testing.T) { //nolint:paralleltest // it measures the process
	rounds, length := 10, *soak/10
	if testing.Short() {
		rounds = 4
	}
	redis := startRedis(t)
	var all figures
	playRound(t, redis, &all, 0, length/2) // fills the caches that stay
	heap, goroutines := memory(), runtime.NumGoroutine()
	begin := time.Now()
	var samples strings.Builder
	for n := range rounds {
		playRound(t, redis, &all, n+1, length)
		fmt.Fprintf(&samples, "| %v | %d | %d | %.1f | %d |\n", time.Since(begin).Round(time.Second), all.requests.Load(), all.sendings.Load(), float64(memory())/1e6, runtime.NumGoroutine())
	}
	after := memory()
	if after > heap+8e6 {
		t.Errorf("the heap grew from %d to %d bytes", heap, after)
	}
	if !settled(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), goroutines, stacks())
	}
	race := ""
	if raceEnabled {
		race = "-race "
	}
	text := fmt.Sprintf("Made on %s with %s, %s/%s, by\n\n    go test %s./internal/faults/soak -timeout 20m -args -soak %v -out ../../../docs/reliability.md\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, race, *soak) +
		fmt.Sprintf("%d requests, %d of which met a fault. %d runs of Execute, %d calls of ExecuteOnce, %d runs of Sync. %d people were sent to, %d are in doubt and listed by InDoubt. "+
			"%d spans began, and each ended. **Sent twice: 0. Lost: 0.** Connections left open: 0. The heap was %.1f MB after the first round, and %.1f MB at the end. Goroutines: %d, and %d at the end. It took %v.\n\n",
			all.requests.Load(), all.faults.Load(), all.executes.Load(), all.once.Load(), all.syncs.Load(), all.sendings.Load(), all.doubt.Load(), all.spans.Load(),
			float64(heap)/1e6, float64(after)/1e6, goroutines, runtime.NumGoroutine(), time.Since(begin).Round(time.Second)) +
		"| after | requests | people sent to | heap, MB | goroutines |\n|---:|---:|---:|---:|---:|\n" + samples.String()
	t.Log(text)
	if *out != "" && !t.Failed() {
		if err := marked.Replace(*out, "soak", text); err != nil {
			t.Fatal(err)
		}
	}
}

// memory is the size of the heap that is in use.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // what a finalizer or a pool has held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func stacks() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
}

// settled waits for what ends a moment later.
func settled(done func() bool) bool {
	for range 1000 {
		if done() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
