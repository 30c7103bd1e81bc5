package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestMain makes the test's own program the processes that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-role" {
		main()
		return
	}
	os.Exit(m.Run())
}

// scale is the number of contacts: SYNCSCALE, or few enough for every run of CI.
func scale(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SYNCSCALE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 20_000
}

// TestASyncThatIsKilledGoesOn kills a Sync of many contacts at 20 random points and
// starts it again: each change arrives, and only what was in flight is sent again.
func TestASyncThatIsKilledGoesOn(t *testing.T) {
	t.Parallel()
	n := scale(t)
	const changes, kills, inFlight = 2000, 20, 4
	url, stop, err := startServer(n)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"-url", url, "-contacts", fmt.Sprint(n), "-state", state}
	var loading time.Duration
	for range 2 { // the second time the state knows them
		begin := time.Now()
		first, _, err := runJob(args...)
		if err != nil || first.Unchanged != n {
			t.Fatalf("%+v %v", first, err)
		}
		loading = time.Since(begin)
	}
	_ = ask[counts](t, url+"/counts")

	args = append(args, "-every", fmt.Sprint(n/changes), "-lastname", "Changed")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	killed, total := 0, map[string]int{}
	note := func() int {
		seen := ask[counts](t, url+"/counts")
		for what, times := range seen.Writes {
			total[what] += times
		}
		return len(seen.Writes)
	}
	for killed < kills && len(total) < changes {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"-role", "sync"}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if killed%2 == 0 { // while it loads and compares
			time.Sleep(time.Duration(r.Int64N(int64(loading))))
		} else { // while it writes
			for target := 1 + r.IntN(changes/kills); ; time.Sleep(time.Millisecond) {
				if target -= note(); target <= 0 || len(ended) > 0 {
					break
				}
			}
		}
		cancel() // SIGKILL
		var exit *exec.ExitError
		if err := <-ended; errors.As(err, &exit) {
			killed++
		}
		note()
	}
	r1, _, err := runJob(args...)
	if err != nil || r1.Failed > 0 {
		t.Fatalf("%+v %v", r1, err)
	}
	note()
	twice := 0
	for what, times := range total {
		twice += times - 1
		if times > 1+kills {
			t.Errorf("%s was sent %d times", what, times)
		}
	}
	t.Logf("%d contacts, %d changes, killed %d times: %d sent, %d of them again", n, changes, killed, len(total)+twice, twice)
	if killed < kills/2 {
		t.Errorf("it was killed only %d times", killed)
	}
	if have := ask[int](t, url+"/lastnames?is=Changed"); have != len(total) || have < changes {
		t.Errorf("%d contacts are changed, %d were sent, want %d", have, len(total), changes)
	}
	if most := killed * inFlight; twice > most {
		t.Errorf("%d were sent again, more than the %d that were in flight", twice, most)
	}
	last, _, err := runJob(args...)
	if err != nil || last.Requests > 0 || last.Unchanged != n {
		t.Errorf("nothing is left to do: %+v %v", last, err)
	}
}

// ask gets a value from the server process.
func ask[T any](t *testing.T, url string) (v T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}
