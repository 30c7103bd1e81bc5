package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var background = context.Background()

// step is one Sync of the measurement: what it may cost, and what it cost.
type step struct {
	name       string
	args       []string
	mostMB     int // for a million contacts
	mostMicros float64
	requests   int

	result
	micros float64 // of processor time for each contact
}

// steps runs Sync without a state and with one, of which 1 in 1,000 contacts differs.
func steps(n int, dir string) ([]step, error) {
	url, stop, err := startServer(n)
	if err != nil {
		return nil, err
	}
	defer stop()
	pages, changed, state := (n+99)/100, (n+999)/1000, filepath.Join(dir, "state")
	list := []step{
		{name: "no state", args: []string{"-lastname", "A"}, mostMB: 600, mostMicros: 8, requests: pages + changed},
		{name: "a new state", args: []string{"-lastname", "B", "-state", state}, mostMB: 600, mostMicros: 12, requests: pages + changed},
		{name: "a state that knows them", args: []string{"-lastname", "C", "-state", state}, mostMB: 300, mostMicros: 8, requests: changed},
		{name: "a state that knows them, nothing changed", args: []string{"-lastname", "C", "-state", state}, mostMB: 300, mostMicros: 8},
		{name: "a state that knows them, verified", args: []string{"-lastname", "C", "-state", state, "-verify"}, mostMB: 600, mostMicros: 12, requests: pages},
	}
	for i := range list {
		s := &list[i]
		var cpu time.Duration
		if s.result, cpu, err = runJob(append([]string{"-url", url, "-contacts", fmt.Sprint(n), "-every", "1000"}, s.args...)...); err != nil {
			return nil, err
		}
		s.micros = float64(cpu.Microseconds()) / float64(n)
	}
	return list, nil
}

// measure prints what a Sync costs.
func measure(n int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "syncscale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	list, err := steps(n, dir)
	for _, s := range list {
		fmt.Fprintf(out, "%-42s %4d MB  %5.2f µs a contact  %5d requests\n", s.name, s.PeakMB, s.micros, s.Requests)
	}
	return err
}

// startServer starts the server process and returns its address.
func startServer(n int) (url string, stop func(), err error) {
	cmd := exec.Command(os.Args[0], "-role", "serve", "-contacts", fmt.Sprint(n)) //nolint:noctx,gosec // this program, and stop ends it
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

// runJob runs a job in a process of its own and returns its result and the
// processor time of the process.
func runJob(args ...string) (r result, cpu time.Duration, err error) {
	cmd := exec.Command(os.Args[0], append([]string{"-role", "sync"}, args...)...) //nolint:noctx,gosec // this program
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(printed, &r)
	}
	return r, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}
