package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"
)

// markdown is the whole document. The newest release comes first.
func markdown(args string, all []*measurement) string {
	var b strings.Builder
	newest := all[0]
	fmt.Fprintf(&b, "# Performance\n\nA command writes this file. Change the command, not the file.\n\n- Command: `%s`\n- Date: %s\n", strings.TrimSpace("cd internal/peers && GOWORK=off go run . "+args), newest.Started.UTC().Format("2006-01-02"))
	for _, m := range all {
		fmt.Fprintf(&b, "- Measured on %s in %s: %d rounds\n", m.Go, m.Took.Round(time.Second), m.Rounds)
	}
	fmt.Fprintf(&b, "- Versions: %s\n- Machine: %s\n\n%s", strings.Join(newest.Versions, ", "), newest.Machine, explanation)
	for _, place := range []string{memory, loopback} {
		for i, m := range all {
			fmt.Fprintf(&b, "## Time %s, on %s\n\nIn times of net/http + encoding/json. Less is faster.\n\n", place, m.Go)
			m.timeTable(&b, place, i == 0)
		}
	}
	for _, place := range []string{memory, loopback} {
		for _, m := range all {
			fmt.Fprintf(&b, "## Allocations %s, on %s\n\nThe number, and the KiB allocated. %s\n\n", place, m.Go, transportsOwn[place])
			m.allocTable(&b, place)
		}
	}
	table(&b, "## The cost of a tracer", "tracer", tracers, all, func(m *measurement) []row { return m.Traced })
	table(&b, "## The cost of a Pacer", "limiter", pacers, all, func(m *measurement) []row { return m.Paced })
	fmt.Fprint(&b, "A Pacer here always has a free place, so that a call never waits. Low priority waits for the one place that\nthe Reserve leaves to it.\n\n")
	for _, m := range all {
		m.crowdTables(&b)
	}
	binaryTable(&b, all)
	return strings.TrimSuffix(b.String(), "\n")
}

const explanation = `Each client does the same work. The clients take turns, in a new random order each round. The time of a client is
divided by the time of net/http + encoding/json in the same round. The tables give the median of these ratios and the
quartiles.

- "In memory": the transport answers at once. Only the client's own work is left.
- "Over loopback": a server on 127.0.0.1 answers, in the same process. It allocates nothing.
- "Aim": the ratio that this SDK aims at on Go 1.27.

Every client is written as its documentation shows. It checks the status and decodes all fields of the reply into its
own types. A test holds the clients to the same requests and the same values, except for the headers Accept and
User-Agent. The last column decodes nothing: it shows what a plain client costs without JSON. The ogen client leaves
custom fields as raw JSON. In work G, net/http retries by hand, resty by itself, the generated clients through
go-retryablehttp, and the last column at once.

Every call has a deadline of ten seconds, and the time to make it counts. Without a deadline (work I), this SDK limits
each attempt to 30 seconds, and the other clients wait for ever. This SDK also limits the size of a reply, checks its
input, reads the reported rate limit, and keeps net/http from sending a request twice. The other clients do as much of
this as they do by default.

The difference has three sources. This SDK reads and writes JSON without reflection. It sends through the transport
without http.Client, as it follows no redirect. It reuses the buffer that replies are read into. Over a network, a call
takes the network's time. The client then saves work for the processor and the collector.

The heap holds 64 MB. The collector runs between the batches and hardly ever in one. So the tables of allocations show
what garbage costs, and the tables of time do not.

`

// transportsOwn describes the other allocations in the tables.
var transportsOwn = map[string]string{
	memory:   "They include about two of the transport's own.",
	loopback: "They include those of http.Transport. This SDK follows each connection and stops net/http's repeats, which takes a few more.",
}

// head begins a table.
func head(b *strings.Builder, columns ...string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func names(candidates []candidate) []string {
	var all []string
	for _, c := range candidates {
		all = append(all, c.name)
	}
	return all
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Low, s.High) }

// timeTable has a column of aims if they are for this release, and says why one is missed.
func (m *measurement) timeTable(b *strings.Builder, place string, withAims bool) {
	columns := append([]string{"work"}, names(candidates)...)
	if withAims {
		columns = append(columns, "aim")
	}
	head(b, columns...)
	var missed []string
	for _, r := range m.Works {
		if r.Place != place {
			continue
		}
		fmt.Fprintf(b, "| %s: %s |", r.Letter, r.Title)
		for i, ratio := range r.Ratios {
			if i == baseline {
				fmt.Fprintf(b, " 1, or %.1f µs |", r.Baseline/1000)
			} else {
				fmt.Fprintf(b, " %s |", ratio)
			}
		}
		if withAims {
			text := ""
			if aim, ok := aims[r.Letter]; ok {
				text = fmt.Sprintf("%.2f", aim.ratio[place])
				if fmt.Sprintf("%.2f", r.Ratios[0].Median) > text {
					missed = append(missed, fmt.Sprintf("- %s misses its aim: %s.\n", r.Letter, aim.reason))
				}
			}
			fmt.Fprintf(b, " %s |", text)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
	if missed != nil {
		fmt.Fprintf(b, "%s\n", strings.Join(missed, ""))
	}
}

func (m *measurement) allocTable(b *strings.Builder, place string) {
	head(b, append([]string{"work"}, names(candidates)...)...)
	for _, r := range m.Works {
		if r.Place != place {
			continue
		}
		fmt.Fprintf(b, "| %s: %s |", r.Letter, r.Title)
		for i := range r.Allocs {
			fmt.Fprintf(b, " %.0f, %.1f KiB |", r.Allocs[i], r.Bytes[i]/1024)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

// table is about variants of this SDK, which are compared with the first.
func table(b *strings.Builder, title, what string, variants []candidate, all []*measurement, of func(*measurement) []row) {
	fmt.Fprintf(b, "%s\n\nWork A, in times of the same with %s, and the allocations.\n\n", title, variants[0].name)
	columns := []string{what}
	for _, m := range all {
		for _, r := range of(m) {
			columns = append(columns, r.Place+", "+m.Go, "allocations")
		}
	}
	head(b, columns...)
	for i, v := range variants {
		fmt.Fprintf(b, "| %s |", v.name)
		for _, m := range all {
			for _, r := range of(m) {
				fmt.Fprintf(b, " %s | %.0f |", r.Ratios[i], r.Allocs[i])
			}
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

func (m *measurement) crowdTables(b *strings.Builder) {
	if m.Crowds == nil {
		return
	}
	fmt.Fprintf(b, "## H: %d goroutines share a client over loopback, on %s\n\n", goroutines, m.Go)
	fmt.Fprintf(b, "%d requests over each protocol. Requests a second are in times of net/http + encoding/json: more is faster. The\ntables give medians of %d rounds, and the least and the most. Each client has the transport that its documentation\nleads to. Over HTTP/2 the server is net/http's, and its work counts too. The columns https and http are HTTP/1.1: there the\nother clients keep their connections if MaxIdleConnsPerHost is set by hand. The API is https.\n\n", m.Crowds[0].Requests, m.Crowds[0].Rounds)
	columns := []string{"client"}
	for _, c := range m.Crowds {
		columns = append(columns, "connections, "+c.Protocol, "requests a second, "+c.Protocol)
	}
	head(b, columns...)
	for i, name := range names(candidates) {
		fmt.Fprintf(b, "| %s |", name)
		for _, c := range m.Crowds {
			fmt.Fprintf(b, " %.0f | %.1f (%.1f–%.1f) |", c.Connections[i], c.Rates[i].Median, c.Rates[i].Low, c.Rates[i].High)
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

func binaryTable(b *strings.Builder, all []*measurement) {
	if all[0].Binaries == nil {
		return
	}
	fmt.Fprintf(b, "## What a program carries that gets one contact\n\nThe modules in the build besides the standard library, the client's own included, and the size of the stripped binary\non %s.\n\n", all[0].Go)
	columns := []string{"client", "modules", "MiB"}
	for _, m := range all[1:] {
		columns = append(columns, "MiB on "+m.Go)
	}
	head(b, columns...)
	for i, name := range names(candidates) {
		fmt.Fprintf(b, "| %s | %d |", name, all[0].Binaries[i].Modules)
		for _, m := range all {
			fmt.Fprintf(b, " %.2f |", float64(m.Binaries[i].Bytes)/(1<<20))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

// growth returns the section of internal/scale as the file has it now. It is
// empty in a new file.
func growth(file string) string {
	const begin, end = "<!-- scale: begin -->", "<!-- scale: end -->"
	old, _ := os.ReadFile(file) //nolint:gosec // the caller names it; a new file has no section
	_, rest, _ := strings.Cut(string(old), begin)
	section, _, _ := strings.Cut(rest, end)
	return "\n\n## Growth with the number of contacts\n\n" + begin + cmp.Or(section, "\n") + end + "\n"
}
