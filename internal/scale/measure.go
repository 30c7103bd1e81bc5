package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var background = context.Background()

// sizes is a flag: numbers of contacts.
type sizes []int

func (s *sizes) String() string {
	var parts []string
	for _, n := range *s {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ",")
}

// Set reads the numbers.
func (s *sizes) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return errors.New("want numbers of contacts, such as 10000,100000")
		}
		*s = append(*s, n)
	}
	return nil
}

// step is one job of the measurement: its limits and its cost.
type step struct {
	name       string
	args       []string
	mostMB     int     // for a million contacts
	mostMicros float64 // of processor time for each contact
	want       int     // requests

	result
	contacts int
	requests int // the server's count
	micros   float64
}

func (s step) bytesAContact() float64 { return float64(s.PeakBytes) / float64(s.contacts) }

// steps runs the jobs over an account of n contacts. From one Sync to the next,
// one contact in 1,000 differs.
func steps(n int, dir string) ([]step, error) {
	url, stop, err := startServer(n, 0)
	if err != nil {
		return nil, err
	}
	defer stop()
	pages, changed := (n+99)/100, (n+999)/1000
	state, journal := filepath.Join(dir, "state"), filepath.Join(dir, "journal")
	list := []step{
		{name: "Contacts.All", args: []string{"-work", "all"}, mostMB: 20, mostMicros: 8, want: pages},
		{name: "Sync, no state", args: []string{"-lastname", "A"}, mostMB: 600, mostMicros: 8, want: pages + changed},
		{name: "Sync, a new state", args: []string{"-lastname", "B", "-state", state}, mostMB: 600, mostMicros: 12, want: pages + changed},
		{name: "Sync, a state that knows them", args: []string{"-lastname", "C", "-state", state}, mostMB: 300, mostMicros: 8, want: changed},
		{name: "Sync, a state that knows them, nothing changed", args: []string{"-lastname", "C", "-state", state}, mostMB: 300, mostMicros: 8},
		{name: "Sync, a state that knows them, verified", args: []string{"-lastname", "C", "-state", state, "-verify"}, mostMB: 600, mostMicros: 12, want: pages},
		{name: "Execute, no journal", args: []string{"-work", "execute"}, mostMB: 300, mostMicros: 12, want: pages},
		{name: "Execute, a new journal", args: []string{"-work", "execute", "-journal", journal}, mostMB: 900, mostMicros: 20, want: pages},
		{name: "Execute, a journal that knows them", args: []string{"-work", "execute", "-journal", journal}, mostMB: 900, mostMicros: 20},
	}
	for i := range list {
		s := &list[i]
		s.contacts = n
		var cpu time.Duration
		if s.result, cpu, err = runJob(append([]string{"-url", url, "-contacts", strconv.Itoa(n), "-every", "1000"}, s.args...)...); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if done := s.result.contacts(); done != n {
			return nil, fmt.Errorf("%s: %d of %d contacts have a good outcome: %+v", s.name, done, n, s.result)
		}
		s.micros = float64(cpu.Microseconds()) / float64(n)
		seen, err := askServer[counts](url + "/counts")
		if err != nil {
			return nil, err
		}
		s.requests = seen.requests()
	}
	return list, nil
}

// measure prints the cost of every job at every size, and writes it into the
// documents if docs is set.
func measure(all sizes, docs string, out io.Writer) error {
	var table [][]step
	for _, n := range all {
		dir, err := os.MkdirTemp("", "scale")
		if err != nil {
			return err
		}
		list, err := steps(n, dir)
		_ = os.RemoveAll(dir)
		if err != nil {
			return err
		}
		for _, s := range list {
			fmt.Fprintf(out, "%9d  %-46s %4d MB  %6.0f bytes  %5.2f µs a contact  %5d requests\n", n, s.name, s.PeakBytes>>20, s.bytesAContact(), s.micros, s.requests)
		}
		table = append(table, list)
	}
	if docs == "" {
		return nil
	}
	return document(table, docs)
}

// startServer starts the server process and returns its address.
func startServer(n int, writeTime time.Duration) (url string, stop func(), err error) {
	cmd := exec.Command(os.Args[0], "-role", "serve", "-contacts", strconv.Itoa(n), "-write", writeTime.String()) //nolint:noctx,gosec // this program, and stop ends it
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	printed, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = in.Close(); _ = cmd.Wait() }
	line, err := bufio.NewReader(printed).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the server process does not start: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// runJob runs a job in its own process. It returns the result and the processor
// time.
func runJob(args ...string) (r result, cpu time.Duration, err error) {
	cmd := exec.Command(os.Args[0], append([]string{"-role", "work"}, args...)...) //nolint:noctx,gosec // this program
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(printed, &r)
	}
	return r, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// askServer gets a value from the server process.
func askServer[T any](url string) (v T, err error) {
	resp, err := http.Get(url) //nolint:noctx,gosec // the server is ours, and answers at once
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	return v, json.NewDecoder(resp.Body).Decode(&v)
}
