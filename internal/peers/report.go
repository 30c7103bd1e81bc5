package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// size is what a program carries that gets one contact.
type size struct {
	modules int
	bytes   int64
}

func (r *results) measureSizes() error {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, c := range candidates {
		program := "./size/" + c.folder
		list, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./by/"+c.folder).Output() //nolint:gosec,noctx // our own words, to be waited for
		if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		modules := map[string]bool{}
		for _, m := range strings.Fields(string(list)) {
			if !strings.HasSuffix(m, "/internal/peers") {
				modules[m] = true
			}
		}
		binary := filepath.Join(dir, c.folder)
		if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, program).CombinedOutput(); err != nil { //nolint:gosec,noctx // our own words, to be waited for
			return fmt.Errorf("go build: %w: %s", err, out)
		}
		info, err := os.Stat(binary)
		if err != nil {
			return err
		}
		r.sizes = append(r.sizes, size{len(modules), info.Size()})
	}
	return nil
}

// markdown is the whole document.
func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprint(&b, "# Performance\n\nThis file is written by a command; change the command, not the file.\n\n")
	fmt.Fprintf(&b, "- Command: `%s`\n- Date: %s\n- Versions: %s\n- Machine: %s\n\n", r.command, r.started.UTC().Format("2006-01-02"), versions(), machine())
	fmt.Fprintf(&b, explanation, r.rounds)
	for _, place := range []string{memory, loopback} {
		fmt.Fprintf(&b, "## Time %s, in times of net/http + encoding/json\n\n", place)
		r.table(&b, place, func(c *cell, i int) string {
			s := c.ratio(i)
			return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.low, s.high)
		})
	}
	fmt.Fprint(&b, "## Allocations in memory, and KiB allocated\n\nThe transport's own two or so are in them.\n\n")
	r.table(&b, memory, func(c *cell, i int) string {
		return fmt.Sprintf("%.0f, %.1f KiB", c.alloc[i], c.bytes[i]/1024)
	})
	r.crowdTable(&b)
	r.sizeTable(&b)
	return b.String()
}

const explanation = `Each client does the same work by turns, in %d rounds and in a new random order each time; its time is divided by that of
net/http + encoding/json in the same round. The tables give the median of these ratios and the quartiles: less is faster. Times
themselves are not given, as they would tell of the machine. "In memory" is a transport that answers at once, so that only the
client's own work is left, with a heap of 64 MB as a service has one; "over loopback" is a server on 127.0.0.1 in the same process that allocates nothing. Every client
is written as its documentation shows, checks the status, and decodes the reply into its own types, all
fields; a test holds all of them to the same requests and the same values. The limit decodes nothing.

Every call is given a context with a deadline of ten seconds, as the requests of a service have one, and its making is in the times. Where
there is none (work I), this SDK sets one for each attempt, and the others wait for ever. This
SDK also limits each attempt and the size of the reply, is ready to repeat each request, reads what the reply says of the rate limit, and checks
its input; the others do as much of that as they do by default. The client made by ogen leaves custom fields as raw JSON; the generated clients and the limit retry
(work G) as net/http with go-retryablehttp does, or at once.

`

func (r *results) table(b *strings.Builder, place string, text func(*cell, int) string) {
	fmt.Fprint(b, "| work |")
	for _, c := range candidates {
		fmt.Fprintf(b, " %s |", c.name)
	}
	fmt.Fprint(b, "\n|---|", strings.Repeat("---|", len(candidates)), "\n")
	for _, c := range r.cells {
		if c.place != place {
			continue
		}
		fmt.Fprintf(b, "| %s: %s |", c.task.letter, c.task.title)
		for i := range candidates {
			fmt.Fprintf(b, " %s |", text(c, i))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

func (r *results) crowdTable(b *strings.Builder) {
	if r.secure == nil {
		return
	}
	fmt.Fprintf(b, "## H: %d goroutines share a client, %d requests over loopback\n\nThe API is https; plain http is for comparison. Each client has the transport that its documentation leads to; medians of %d rounds.\n\n",
		goroutines, crowdRequests, crowdRounds)
	fmt.Fprint(b, "| client | connections, https | requests a second, https, in times of net/http + encoding/json | connections, http | requests a second, http |\n|---|---|---|---|---|\n")
	for i, c := range candidates {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.name, crowdText(r.secure, i), crowdText(r.plain, i))
	}
	fmt.Fprintln(b)
}

// crowdText is the connections of candidate i, and its rate in times of the baseline's.
func crowdText(crowds []crowd, i int) string {
	rates := make([]float64, crowdRounds)
	for round := range rates {
		rates[round] = crowds[baseline].times[round] / crowds[i].times[round]
	}
	s := spreadOf(rates)
	return fmt.Sprintf("%.0f | %.1f (%.1f–%.1f)", spreadOf(crowds[i].connections).median, s.median, s.low, s.high)
}

func (r *results) sizeTable(b *strings.Builder) {
	if r.sizes == nil {
		return
	}
	fmt.Fprint(b, "## What a program carries that gets one contact\n\nModules linked in besides the standard library, and the size of the stripped binary.\n\n")
	fmt.Fprint(b, "| client | modules | MiB |\n|---|---|---|\n")
	for i, c := range candidates {
		fmt.Fprintf(b, "| %s | %d | %.2f |\n", c.name, r.sizes[i].modules, float64(r.sizes[i].bytes)/(1<<20))
	}
}

// versions are those of Go and of the peers' modules, as this program was built with them.
func versions() string {
	list := []string{runtime.Version()}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all").Output() //nolint:noctx // to be waited for
	if err != nil {
		return list[0]
	}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, c := range candidates {
			if c.modules == path {
				list = append(list, path+" "+version)
			}
		}
	}
	return strings.Join(list, ", ")
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
