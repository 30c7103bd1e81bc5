package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// size describes a program that gets one contact.
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

// markdown returns the whole document.
func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprint(&b, "# Performance\n\nThis file is written by a command; change the command, not the file.\n\n")
	fmt.Fprintf(&b, "- Command: `%s`\n- Date: %s\n- Versions: %s\n- Machine: %s\n\n", r.command, r.started.UTC().Format("2006-01-02"), versions(), machine())
	fmt.Fprintf(&b, explanation, r.rounds)
	for _, place := range []string{memory, loopback} {
		fmt.Fprintf(&b, "## Time %s, in times of net/http + encoding/json\n\n", place)
		r.table(&b, place, func(c *cell, i int) string {
			if i == baseline {
				return fmt.Sprintf("1, or %.1f µs", spreadOf(c.times[i]).median/1000)
			}
			s := c.ratio(i)
			return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.low, s.high)
		})
	}
	for _, place := range []string{memory, loopback} {
		fmt.Fprintf(&b, "## Allocations %s, and KiB allocated\n\n%s\n\n", place, transportsOwn[place])
		r.table(&b, place, func(c *cell, i int) string {
			return fmt.Sprintf("%.0f, %.1f KiB", c.alloc[i], c.bytes[i]/1024)
		})
	}
	r.tracerTable(&b)
	r.crowdTable(&b)
	r.sizeTable(&b)
	return b.String()
}

const explanation = `Each client does the same work by turns, in %d rounds and in a new random order each time; its time is divided by that of
net/http + encoding/json in the same round. The tables give the median of these ratios and the quartiles: less is faster. "In memory"
is a transport that answers at once, so that only the client's own work is left; "over loopback" is a server on 127.0.0.1 in the same process
that allocates nothing. The heap has 64 MB, and the collector runs between the batches but hardly ever in one: what garbage costs is in the
tables of allocations, not in the times.

Every client is written as its documentation shows, checks the status, and decodes the reply into its own types, all fields; a test holds them
to the same requests (but for Accept and User-Agent) and the same values. The last column decodes nothing: it is what is left of a plain client
then. The client made by ogen leaves custom fields as raw JSON. In work G, net/http retries by hand, resty by itself, the generated
clients through go-retryablehttp, and the last column at once.

Every call has a deadline of ten seconds, and making it is in the times. Without one (work I), this SDK sets 30 seconds for each attempt, and the
others wait for ever. This SDK also limits the size of the reply, can repeat each request, reads what the reply says of the rate
limit, and checks its input; the others do as much of that as they do by default.

Where the difference comes from: this SDK reads and writes JSON without reflection, sends through the transport without http.Client, as it
follows no redirect, and keeps the space that replies are read into. Over a network a call takes the network's time; what is saved is
work for the processor and the collector.

`

// transportsOwn describes the other allocations in the tables.
var transportsOwn = map[string]string{
	memory:   "The transport's own two or so are in them.",
	loopback: "Those of http.Transport are in them. This SDK has it tell what left on which connection, and stops its repeats: that takes some more.",
}

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

func (r *results) tracerTable(b *strings.Builder) {
	fmt.Fprint(b, "## The cost of a tracer\n\nWork A with a tracer, in times of the same without one, and the allocations.\n\n| tracer |")
	for _, c := range r.traced {
		fmt.Fprintf(b, " %s | allocations |", c.place)
	}
	fmt.Fprint(b, "\n|---|", strings.Repeat("---|---|", len(r.traced)), "\n")
	for i, candidate := range tracers {
		fmt.Fprintf(b, "| %s |", candidate.name)
		for _, c := range r.traced {
			s := c.ratio(i)
			fmt.Fprintf(b, " %.2f (%.2f–%.2f) | %.0f |", s.median, s.low, s.high, c.alloc[i])
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

func (r *results) crowdTable(b *strings.Builder) {
	if r.secure == nil {
		return
	}
	fmt.Fprintf(b, "## H: %d goroutines share a client, %d requests over loopback\n\nThe API is https; plain http is for comparison. Each client has the transport that its documentation leads to. The server speaks HTTP/1.1 only: over\nHTTP/2, or with MaxIdleConnsPerHost set by hand, the others keep their connections too. Medians of %d rounds, and the least and the most.\n\n",
		goroutines, crowdRequests, crowdRounds)
	fmt.Fprint(b, "| client | connections, https | requests a second, https, in times of net/http + encoding/json | connections, http | requests a second, http |\n|---|---|---|---|---|\n")
	for i, c := range candidates {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.name, crowdText(r.secure, i), crowdText(r.plain, i))
	}
	fmt.Fprintln(b)
}

// crowdText returns the connections of candidate i, and its rate as a multiple
// of the baseline's.
func crowdText(crowds []crowd, i int) string {
	rates := make([]float64, crowdRounds)
	for round := range rates {
		rates[round] = crowds[baseline].times[round] / crowds[i].times[round]
	}
	return fmt.Sprintf("%.0f | %.1f (%.1f–%.1f)", spreadOf(crowds[i].connections).median, spreadOf(rates).median, slices.Min(rates), slices.Max(rates))
}

func (r *results) sizeTable(b *strings.Builder) {
	if r.sizes == nil {
		return
	}
	fmt.Fprint(b, "## What a program carries that gets one contact\n\nModules in the build besides the standard library, the client's own among them, and the size of the stripped binary.\n\n")
	fmt.Fprint(b, "| client | modules | MiB |\n|---|---|---|\n")
	for i, c := range candidates {
		fmt.Fprintf(b, "| %s | %d | %.2f |\n", c.name, r.sizes[i].modules, float64(r.sizes[i].bytes)/(1<<20))
	}
}

// versions returns the versions of Go and of the peers' modules in this
// program.
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

// machine returns a short description of the machine.
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
