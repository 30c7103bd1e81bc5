package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// environment is that of a go command or of a test.
func environment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOWORK=") { // this module stands outside the workspace, and what it mutates in it
			env = append(env, v)
		}
	}
	return env
}

// binary is a compiled test with the mutants of its target in it.
type binary struct {
	tests
	path string
	all  []*oneTest // from the fastest to the slowest
}

// oneTest is a test, and what it can find.
type oneTest struct {
	name    string
	took    time.Duration
	fails   string // why it cannot be used
	reaches map[int]bool
}

// test runs the tests of a target on each mutant.
func test(root string, t target, overlay map[string][]byte, mutants []*mutant, workers int) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries, err := compile(root, dir, t, overlay)
	if err != nil {
		return err
	}
	for _, b := range binaries {
		if err := b.learn(root, dir, workers); err != nil {
			return err
		}
	}
	atOnce(workers, mutants, func(m *mutant) {
		for _, b := range binaries {
			if m.killed = b.find(root, m.id); m.killed != "" {
				break
			}
		}
		fmt.Fprintf(os.Stderr, "%s\t%s\n", m.killed, m.key)
	})
	return nil
}

// atOnce works on several items at once.
func atOnce[T any](workers int, items []T, work func(T)) {
	var group sync.WaitGroup
	tickets := make(chan struct{}, workers)
	for _, item := range items {
		tickets <- struct{}{}
		group.Go(func() {
			defer func() { <-tickets }()
			work(item)
		})
	}
	group.Wait()
}

// learn runs each test alone, without a mutant, and notes which mutants it reaches.
func (b *binary) learn(root, dir string, workers int) error {
	cmd := exec.CommandContext(context.Background(), b.path, "-test.list", b.tests.run) //nolint:gosec // a target names it
	cmd.Dir, cmd.Env = filepath.Join(root, b.dir), environment()
	list, err := cmd.Output()
	if err != nil {
		return err
	}
	skip := regexp.MustCompile(cmp.Or(b.skip, "^$"))
	for name := range strings.FieldsSeq(string(list)) {
		if !skip.MatchString(name) {
			b.all = append(b.all, &oneTest{name: name, reaches: map[int]bool{}})
		}
	}
	atOnce(workers, b.all, func(one *oneTest) {
		file := filepath.Join(dir, one.name)
		for range 2 { // it may have failed because the machine is busy
			started := time.Now()
			one.fails = b.run(root, time.Hour, []*oneTest{one}, "DEMETERRR_MUTANTS_REACHED="+file)
			one.took = time.Since(started)
			if one.fails == "" {
				break
			}
		}
		reached, _ := os.ReadFile(file) //nolint:gosec // there is none if it reaches nothing
		_ = os.Remove(file)
		for line := range strings.FieldsSeq(string(reached)) {
			id, _ := strconv.Atoi(line)
			one.reaches[id] = true
		}
	})
	b.all = slices.DeleteFunc(b.all, func(one *oneTest) bool {
		if one.fails != "" {
			fmt.Fprintf(os.Stderr, "left out, as it fails without a mutant: %s\n", one.fails)
		}
		return one.fails != ""
	})
	slices.SortFunc(b.all, func(x, y *oneTest) int { return cmp.Compare(x.took, y.took) })
	return nil
}

// find returns what found the mutant; it is empty if nothing did. The fastest
// tests go first. A test that fails must do it twice, as it may be the machine.
func (b *binary) find(root string, mutant int) string {
	var reaching []*oneTest
	for _, one := range b.all {
		if one.reaches[mutant] {
			reaching = append(reaching, one)
		}
	}
	for few := 3; len(reaching) > 0; few *= 4 {
		some := reaching[:min(few, len(reaching))]
		reaching = reaching[len(some):]
		limit := 30 * time.Second
		for _, one := range some {
			limit += 5 * one.took
		}
		on := fmt.Sprintf("DEMETERRR_MUTANT=%d", mutant)
		found := b.run(root, limit, some, on)
		if i := slices.IndexFunc(some, func(one *oneTest) bool { return one.name == found }); i >= 0 {
			found = b.run(root, limit, some[i:i+1], on)
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// compile builds the test of each package once.
func compile(root, dir string, t target, overlay map[string][]byte) (binaries []*binary, err error) {
	replaced := map[string]string{}
	for path, text := range overlay {
		replaced[path] = filepath.Join(dir, strconv.Itoa(len(replaced))+".go")
		if err := os.WriteFile(replaced[path], text, 0o600); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	built := map[string]string{}
	for _, some := range t.tests {
		if built[some.dir] == "" {
			built[some.dir] = filepath.Join(dir, "test"+strconv.Itoa(len(built)))
			cmd := exec.CommandContext(context.Background(), "go", "test", "-c", "-vet=off", "-overlay", config, "-o", built[some.dir], ".") //nolint:gosec // a target names it
			cmd.Dir, cmd.Env = filepath.Join(root, some.dir), environment()
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%w: %s", err, out)
			}
		}
		binaries = append(binaries, &binary{tests: some, path: built[some.dir]})
	}
	return binaries, nil
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// run returns the test of some that failed; it is empty if all passed. A mutant
// may take all the memory there is, so it gets 8 GB of addresses.
func (b *binary) run(root string, limit time.Duration, some []*oneTest, env string) string {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var names []string
	for _, one := range some {
		names = append(names, one.name)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v 8000000; exec "$@"`, "sh", b.path, //nolint:gosec // a target names it
		"-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$"+b.sub, "-test.timeout", "0")
	cmd.Dir, cmd.Env = filepath.Join(root, b.dir), append(environment(), env)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch failed := failedTest.FindSubmatch(out); {
	case err == nil:
		return ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "time"
	case failed != nil:
		return string(failed[1])
	}
	last := bytes.TrimSpace(out)
	for line := range bytes.Lines(last) {
		if bytes.Contains(line, []byte("panic:")) || bytes.Contains(line, []byte("fatal error:")) {
			return strings.TrimSpace(string(line))
		}
	}
	return fmt.Sprintf("%v: %s", err, last[max(0, len(last)-300):])
}
