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

// measure prints what a Sync costs.
func measure(n int, out io.Writer) error {
	url, stop, err := startServer(n)
	if err != nil {
		return err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "syncscale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	state := filepath.Join(dir, "state")
	for _, step := range []struct {
		name string
		args []string
	}{
		{"no state, 0.1 % changed", []string{"-every", "1000", "-lastname", "A"}},
		{"a new state, 0.1 % changed", []string{"-every", "1000", "-lastname", "B", "-state", state}},
		{"a state that knows them, 0.1 % changed", []string{"-every", "1000", "-lastname", "C", "-state", state}},
		{"a state that knows them, nothing changed", []string{"-every", "1000", "-lastname", "C", "-state", state}},
		{"a state that knows them, verified", []string{"-every", "1000", "-lastname", "C", "-state", state, "-verify"}},
	} {
		r, cpu, err := runJob(append([]string{"-url", url, "-contacts", fmt.Sprint(n)}, step.args...)...)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-40s %6d MB  %5.2f µs a contact  %d requests  %+v\n", step.name, r.PeakMB, float64(cpu.Microseconds())/float64(n), r.Requests, r)
	}
	return nil
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
