package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestMain makes the test binary each of the processes that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-role" {
		main()
		return
	}
	os.Exit(m.Run())
}

// scale returns the number of contacts: SCALE, or few enough for every run of
// CI. With -short it is the fewest that a kill can still meet at work.
func scale(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SCALE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 4000
	}
	return 20_000
}

// TestASyncThatIsKilledGoesOn kills a Sync of many contacts at 20 random points
// (6 with -short) and starts it again. Each change arrives, and only requests in
// flight are sent again.
func TestASyncThatIsKilledGoesOn(t *testing.T) {
	t.Parallel()
	n := scale(t)
	const inFlight = 4
	changes, kills := 2000, 20
	if testing.Short() {
		changes, kills = 1000, 6
	}
	url, stop, err := startServer(n, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	v := victim{t: t, url: url, sent: map[string]int{}, args: []string{"-url", url, "-contacts", fmt.Sprint(n), "-state", filepath.Join(t.TempDir(), "state")}}
	var loading time.Duration
	for range 2 { // the second time the state knows them
		begin := time.Now()
		v.finish(n)
		loading = time.Since(begin)
	}
	v.sent = map[string]int{}

	v.args = append(v.args, "-every", fmt.Sprint(n/changes), "-lastname", "Changed")
	for i := 0; v.killed < kills && len(v.sent) < changes; i++ {
		if i%2 == 0 {
			pause := rand.N(loading)
			v.kill(func() bool { time.Sleep(pause); return true })
			continue
		}
		most := len(v.sent) + 1 + rand.IntN(changes/kills)
		v.kill(func() bool { time.Sleep(time.Millisecond); v.note(); return len(v.sent) >= most })
	}
	v.finish(n)
	twice := 0
	for _, times := range v.sent {
		twice += times - 1
	}
	t.Logf("%d contacts, %d changes, killed %d times: %d sent, %d of them again", n, changes, v.killed, len(v.sent)+twice, twice)
	if v.killed < kills/2 {
		t.Errorf("it was killed only %d times", v.killed)
	}
	if have := ask[int](t, url+"/lastnames?is=Changed"); have != len(v.sent) || have < changes {
		t.Errorf("%d contacts are changed, %d were sent, want %d", have, len(v.sent), changes)
	}
	if most := v.killed * inFlight; twice > most {
		t.Errorf("%d were sent again, more than the %d that were in flight", twice, most)
	}
	v.sent = map[string]int{}
	if last := v.finish(n); len(v.sent) > 0 || last.Unchanged != n {
		t.Errorf("nothing is left to do: %+v, sent %d", last, len(v.sent))
	}
}

// victim is a job under repeated kills.
type victim struct {
	t      *testing.T
	url    string
	args   []string
	killed int
	sent   map[string]int // how often each write was sent
}

// note adds the server's record to the victim's.
func (v *victim) note() {
	for what, times := range ask[counts](v.t, v.url+"/counts").Writes {
		v.sent[what] += times
	}
}

// kill starts the job, and kills it when it is time, unless it has ended
// before.
func (v *victim) kill(isTime func() bool) {
	cmd := exec.CommandContext(v.t.Context(), os.Args[0], append([]string{"-role", "work"}, v.args...)...)
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for len(ended) == 0 && !isTime() {
	}
	_ = cmd.Process.Kill() // SIGKILL; it may have ended
	var exit *exec.ExitError
	if err := <-ended; errors.As(err, &exit) {
		v.killed++
	}
	v.note()
}

// finish lets the job finish.
func (v *victim) finish(n int) result {
	r, _, err := runJob(v.args...)
	if err != nil || r.Failed > 0 || r.Updated+r.Unchanged != n {
		v.t.Fatalf("%+v %v", r, err)
	}
	v.note()
	return r
}

// ask gets a value from the server process.
func ask[T any](t *testing.T, url string) T {
	t.Helper()
	v, err := askServer[T](url)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
