package redislimit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

// workerEnv makes the test binary a worker of a fleet instead of running its
// tests.
const workerEnv = "REDISLIMIT_TEST_WORKER"

func TestMain(m *testing.M) {
	if settings := os.Getenv(workerEnv); settings != "" {
		work(settings)
		return
	}
	os.Exit(m.Run())
}

// job is the task of a worker: Waits requests in Goroutines goroutines. Each
// lasts up to Request, with a Pause after it.
type job struct {
	Addr                   string
	Limits                 []demeterrr.Limit
	Margin, Request, Pause time.Duration
	Waits, Goroutines      int
	Low                    bool
}

// work is the main function of a worker. At the start signal it makes its
// requests, and prints a line for each: its start, the random moment in it at
// which the server counted it, both in nanoseconds of this machine's clock, and
// its wait.
func work(settings string) {
	var j job
	if err := json.Unmarshal([]byte(settings), &j); err != nil {
		fmt.Println("error", err)
		return
	}
	rdb := redis.NewClient(&redis.Options{Addr: j.Addr})
	defer rdb.Close()
	l, err1 := redislimit.New(rdb, "fleet", j.Limits, redislimit.WithMargin(j.Margin))
	warm, err2 := redislimit.New(rdb, "warm", []demeterrr.Limit{{Requests: 1 << 30, Window: time.Millisecond}})
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println("error", err)
		return
	}
	var group sync.WaitGroup
	for range j.Goroutines { // opens the connections and loads the script
		group.Go(func() { _ = take(ctx, warm) })
	}
	group.Wait()
	class := ctx
	if j.Low {
		class = low
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return
	}
	var taken atomic.Int64
	for range j.Goroutines {
		group.Go(func() {
			for taken.Add(1) <= int64(j.Waits) {
				asked := time.Now()
				release, err := l.Acquire(class)
				if err != nil {
					fmt.Println("error", err)
					return
				}
				start, lasts := time.Now(), rand.N(j.Request)
				fmt.Println(start.UnixNano(), start.Add(rand.N(lasts+1)).UnixNano(), start.Sub(asked).Nanoseconds())
				time.Sleep(lasts)
				release(done)
				time.Sleep(j.Pause)
			}
		})
	}
	group.Wait()
}

// worker is a running process of a fleet.
type worker struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
	log   worklog
}

// worklog is the parsed output of a worker.
type worklog struct {
	starts, counted []time.Duration
	waited          time.Duration // the longest
	errors          []string
}

// startWorker starts a process and waits until it is ready.
func startWorker(t *testing.T, j job) *worker {
	t.Helper()
	settings, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{cmd: exec.CommandContext(ctx, os.Args[0])}
	w.cmd.Env = append(os.Environ(), workerEnv+"="+string(settings))
	w.cmd.Stderr = os.Stderr
	stdin, err1 := w.cmd.StdinPipe()
	stdout, err2 := w.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, w.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.stdin, w.out = stdin, bufio.NewScanner(stdout)
	if !w.out.Scan() || w.out.Text() != "ready" {
		t.Fatalf("worker is not ready: %q", w.out.Text())
	}
	return w
}

// run starts the worker's requests and reads its output to the end. It kills
// the worker after killAfter lines; 0 means never.
func (w *worker) run(killAfter int) {
	fmt.Fprintln(w.stdin, "go")
	for lines := 1; w.out.Scan(); lines++ {
		var start, counted, waited time.Duration
		if _, err := fmt.Sscan(w.out.Text(), &start, &counted, &waited); err != nil {
			w.log.errors = append(w.log.errors, w.out.Text())
			continue
		}
		w.log.starts = append(w.log.starts, start)
		w.log.counted = append(w.log.counted, counted)
		w.log.waited = max(w.log.waited, waited)
		if lines == killAfter {
			_ = w.cmd.Process.Kill() // SIGKILL: no place comes back
		}
	}
	_ = w.cmd.Wait()
}

// runFleet runs the jobs at once, and kills the first after killAfter lines; 0
// means never. It checks that every interval is within its limit, counted by
// starts and by the server, and that no job failed.
func runFleet(t *testing.T, jobs []job, killAfter int) []*worker {
	t.Helper()
	var workers []*worker
	for _, j := range jobs {
		workers = append(workers, startWorker(t, j))
	}
	rdb := redis.NewClient(&redis.Options{Addr: jobs[0].Addr})
	defer rdb.Close()
	rdb.ConfigResetStat(ctx)
	var group sync.WaitGroup
	for i, w := range workers {
		group.Go(func() {
			if i > 0 {
				w.run(0)
			} else {
				w.run(killAfter)
			}
		})
	}
	group.Wait()
	for line := range strings.Lines(rdb.Info(ctx, "commandstats").Val()) {
		if strings.HasPrefix(line, "cmdstat_evalsha:") {
			t.Log(strings.TrimSpace(line)) // more than one for each wait: late places, given back and taken anew
		}
	}
	var all worklog
	for i, w := range workers {
		all.starts = append(all.starts, w.log.starts...)
		all.counted = append(all.counted, w.log.counted...)
		if i == 0 && killAfter > 0 {
			continue // a killed worker can leave half a line
		}
		for _, err := range w.log.errors {
			t.Errorf("worker %d: %s", i, err)
		}
	}
	slices.Sort(all.starts)
	slices.Sort(all.counted)
	for _, limit := range jobs[0].Limits {
		started, counted := mostIn(all.starts, limit.Window), mostIn(all.counted, limit.Window)
		t.Logf("limit of %d in %v: at most %d started, %d counted", limit.Requests, limit.Window, started, counted)
		if started > limit.Requests || counted > limit.Requests {
			t.Error("the limit is exceeded")
		}
	}
	return workers
}

// minimum returns when the last of so many requests can start at the soonest,
// the first starting at 0.
func minimum(limits []demeterrr.Limit, margin time.Duration, requests int) time.Duration {
	starts := make([]time.Duration, requests)
	for i := range starts {
		for _, limit := range limits {
			if i >= limit.Requests {
				starts[i] = max(starts[i], starts[i-limit.Requests]+limit.Window+margin)
			}
		}
	}
	return starts[requests-1]
}

func TestEightProcessesKeepTheLimits(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	j := job{
		Addr:   s.addr,
		Limits: []demeterrr.Limit{{Requests: 300, Window: 8 * time.Second}, {Requests: 500, Window: 16 * time.Second}},
		// The margin covers the stalls of a machine that also runs other tests.
		Margin: 250 * time.Millisecond, Request: 40 * time.Millisecond,
		Waits: 250, Goroutines: 20,
	}
	if testing.Short() {
		j.Waits = 80 // 640 in all: each limit is reached
	}
	const processes = 8
	workers := runFleet(t, slices.Repeat([]job{j}, processes), 0)
	var starts []time.Duration
	for i, w := range workers {
		if len(w.log.starts) != j.Waits {
			t.Errorf("worker %d made %d requests, want %d", i, len(w.log.starts), j.Waits)
		}
		starts = append(starts, w.log.starts...)
	}
	took := slices.Max(starts) - slices.Min(starts)
	ideal, withMargin := minimum(j.Limits, 0, processes*j.Waits), minimum(j.Limits, j.Margin, processes*j.Waits)
	t.Logf("%d requests by %d processes took %v: %.4f of the minimum (%v), %.4f of the minimum with the margin (%v)",
		len(starts), processes, took, float64(took)/float64(ideal), ideal, float64(took)/float64(withMargin), withMargin)
	if took > withMargin+withMargin*3/100 {
		t.Error("more than 3 % above the minimum")
	}
}

// Six processes of low priority use up their share, and more than it. Two of
// normal priority call now and then.
func TestNormalCallsNeverWaitForLowOnesOfOtherProcesses(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	batch := job{
		Addr:   s.addr,
		Limits: []demeterrr.Limit{{Requests: 100, Window: 8 * time.Second, Reserve: 30}, {Requests: 1000, Window: 20 * time.Second, Reserve: 100}},
		Margin: 250 * time.Millisecond, Request: 40 * time.Millisecond,
		Waits: 60, Goroutines: 5, Low: true,
	}
	calls := 45
	if testing.Short() {
		batch.Waits, calls = 25, 20 // two full windows of low calls, and a part of the third
	}
	web := batch
	web.Low, web.Waits, web.Goroutines, web.Pause = false, calls, 1, 700*time.Millisecond // 26 at most in a window with margin
	workers := runFleet(t, append(slices.Repeat([]job{batch}, 6), web, web), 0)
	var starts, counted []time.Duration
	for i, w := range workers {
		if i < 6 {
			starts, counted = append(starts, w.log.starts...), append(counted, w.log.counted...)
			continue
		}
		t.Logf("web %d waited %v at most", i, w.log.waited)
		if len(w.log.starts) != web.Waits || w.log.waited > time.Second {
			t.Errorf("web %d: %d calls of %d, one waited %v", i, len(w.log.starts), web.Waits, w.log.waited)
		}
	}
	slices.Sort(starts)
	slices.Sort(counted)
	share := batch.Limits[0].Requests - batch.Limits[0].Reserve
	if most := mostIn(starts, batch.Limits[0].Window); most > share {
		t.Errorf("%d low calls started in one window, want %d", most, share)
	}
	if most := mostIn(counted, batch.Limits[0].Window); most > share {
		t.Errorf("%d low calls counted in one window, want %d", most, share)
	}
	shares := []demeterrr.Limit{{Requests: share, Window: batch.Limits[0].Window}}
	took, least := starts[len(starts)-1]-starts[0], minimum(shares, batch.Margin, len(starts))
	t.Logf("%d low calls took %v: %.4f of the minimum with the margin (%v)", len(starts), took, float64(took)/float64(least), least)
	if len(starts) != 6*batch.Waits || took > least+least*3/100 {
		t.Error("more than 3 % above the minimum")
	}
}

func TestAKilledProcessLosesItsPlacesAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	j := job{
		Addr:   s.addr,
		Limits: []demeterrr.Limit{{Requests: 30, Window: time.Second}},
		Margin: 200 * time.Millisecond, Request: 100 * time.Millisecond,
		Waits: 60, Goroutines: 12,
	}
	workers := runFleet(t, slices.Repeat([]job{j}, 3), 15)
	for i, w := range workers {
		if got := len(w.log.starts); i == 0 && got >= j.Waits || i > 0 && got != j.Waits {
			t.Errorf("worker %d made %d requests of %d", i, got, j.Waits)
		}
	}
	t.Logf("killed after %d requests; the others made all of theirs", len(workers[0].log.starts))
}

// passed makes as many requests as pass before the deadline of d and returns
// when each did.
func passed(t *testing.T, l *redislimit.Limiter, d time.Duration) []time.Duration {
	t.Helper()
	short, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var starts []time.Duration
	for {
		err := take(short, l)
		if _, ok := errors.AsType[*redislimit.DeadlineError](err); ok || errors.Is(err, context.DeadlineExceeded) {
			return starts
		}
		if err != nil {
			t.Fatal(err)
		}
		starts = append(starts, time.Duration(time.Now().UnixNano()))
	}
}

func TestRedisRestartedEmptyLetsAtMostOneMoreLimitPass(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	limit := demeterrr.Limit{Requests: 20, Window: 2 * time.Second}
	l := newLimiter(t, s.client(t), []demeterrr.Limit{limit}, redislimit.WithMargin(500*time.Millisecond))
	starts := passed(t, l, time.Second)
	s.stop()
	s.start(t)
	starts = append(starts, passed(t, l, 4*time.Second)...)
	most := mostIn(starts, limit.Window)
	t.Logf("%d of %d in %v", most, limit.Requests, limit.Window)
	if most > 2*limit.Requests {
		t.Error("more than one more limit's worth passed")
	}
	if most <= limit.Requests {
		t.Error("Redis lost nothing: the test shows nothing")
	}
}

func TestRedisRestartedEmptyLetsNothingMorePassWithTheHold(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	limit := demeterrr.Limit{Requests: 20, Window: 2 * time.Second}
	l := newLimiter(t, s.client(t), []demeterrr.Limit{limit}, redislimit.WithMargin(500*time.Millisecond), redislimit.WithColdStartHold())
	starts := passed(t, l, 4*time.Second) // the hold of the first start, and then the limit
	before := len(starts)
	s.stop()
	s.start(t)
	starts = append(starts, passed(t, l, 4*time.Second)...)
	most := mostIn(starts, limit.Window)
	t.Logf("%d of %d in %v; %d before and %d after the restart", most, limit.Requests, limit.Window, before, len(starts)-before)
	if most > limit.Requests {
		t.Error("the limit is exceeded")
	}
	if before < limit.Requests || len(starts)-before < limit.Requests {
		t.Error("the hold does not end")
	}
}

func TestTheHoldIsForAStateThatIsMissingNotForOneThatWasIdle(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	hour := []demeterrr.Limit{{Requests: 5, Window: time.Hour}}
	wait, err := newLimiter(t, rdb, hour, redislimit.WithColdStartHold()).Reserve(ctx, "first")
	if err != nil || wait.Round(time.Second) != time.Hour+time.Second {
		t.Errorf("the first start waits %v, %v, want an hour and the margin", wait, err)
	}

	rdb.FlushDB(ctx)
	short := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 5, Window: 50 * time.Millisecond}},
		redislimit.WithMargin(50*time.Millisecond), redislimit.WithColdStartHold())
	if wait, err := short.Reserve(ctx, "first"); err != nil || wait != 100*time.Millisecond {
		t.Fatalf("the first start waits %v, %v", wait, err)
	}
	time.Sleep(500 * time.Millisecond) // the place and its window are long past
	if wait, err := short.Reserve(ctx, "second"); err != nil || wait != 0 {
		t.Errorf("after being idle: waits %v, %v, want no wait", wait, err)
	}
	if ttl := rdb.PTTL(ctx, "{test}:places").Val(); ttl < 29*24*time.Hour || ttl > 31*24*time.Hour {
		t.Errorf("the state lives for %v, want 30 days", ttl)
	}
}

func TestNothingPassesWhileRedisIsStopped(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	l := newLimiter(t, s.client(t), []demeterrr.Limit{{Requests: 1 << 30, Window: time.Hour}})
	if err := take(ctx, l); err != nil {
		t.Fatal(err)
	}
	s.stop()
	for range 3 {
		err := take(ctx, l)
		if err == nil || !strings.HasPrefix(err.Error(), `redislimit: no place under key "test": `) || errors.Unwrap(err) == nil {
			t.Errorf("Wait = %v, want an error that says whose and why", err)
		}
		t.Log(err)
	}
	s.start(t)
	if err := take(ctx, l); err != nil {
		t.Errorf("Redis is back: %v", err)
	}
}
