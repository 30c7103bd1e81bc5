package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// measurement is what was found on one Go release. It travels as JSON.
type measurement struct {
	Go, Machine string
	Versions    []string
	Started     time.Time
	Took        time.Duration
	Rounds      int
	Works       []row
	Traced      []row // work A of this SDK with tracers
	Paced       []row // the same with Pacers
	Crowds      []crowd
	Binaries    []binary // by candidate; nil if not measured
}

// row is one work at one place; the slices go by candidate.
type row struct {
	Letter, Title, Place string
	Baseline             float64  // nanoseconds
	Ratios               []spread // the baseline is 1
	Allocs, Bytes        []float64
}

// spread is a median with its quartiles.
type spread struct{ Low, Median, High float64 }

// crowd is work H over one protocol.
type crowd struct {
	Protocol         string
	Requests, Rounds int
	Connections      []float64
	Rates            []spread // in times of the baseline's; Low and High are the least and the most
}

func newMeasurement(size size) *measurement {
	return &measurement{Go: runtime.Version(), Machine: machine(), Versions: versions(), Started: time.Now(), Rounds: size.rounds}
}

func rows(cells []*cell) []row {
	var all []row
	for _, c := range cells {
		r := row{Letter: c.task.letter, Title: c.task.title, Place: c.place, Baseline: spreadOf(c.times[c.baseline]).Median, Allocs: c.alloc, Bytes: c.bytes}
		for i := range c.candidates {
			r.Ratios = append(r.Ratios, c.ratio(i))
		}
		all = append(all, r)
	}
	return all
}

// binary is what a program carries that gets one contact.
type binary struct {
	Modules int
	Bytes   int64
}

func measureBinaries() ([]binary, error) {
	var all []binary
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, c := range candidates {
		program := "./size/" + c.folder
		list, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./by/"+c.folder).Output() //nolint:gosec,noctx // our own words, to be waited for
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		modules := map[string]bool{}
		for _, m := range strings.Fields(string(list)) {
			if !strings.HasSuffix(m, "/internal/peers") {
				modules[m] = true
			}
		}
		file := filepath.Join(dir, c.folder)
		if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, program).CombinedOutput(); err != nil { //nolint:gosec,noctx // our own words, to be waited for
			return nil, fmt.Errorf("go build: %w: %s", err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		all = append(all, binary{len(modules), info.Size()})
	}
	return all, nil
}

// versions are those of the peers' modules, as this program was built with them.
func versions() []string {
	var list []string
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output() //nolint:noctx // to be waited for
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, c := range candidates {
			if c.modules == path {
				list = append(list, path+" "+version)
			}
		}
	}
	return list
}

// machine is what little is worth knowing of it.
func machine() string {
	text := fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return text
	}
	defer f.Close() //nolint:errcheck // it was only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return text + " (" + strings.TrimSpace(value) + ")"
		}
	}
	return text
}
