package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/marked"
	"github.com/demeterrr/demeterrr-go/internal/svg"
)

const command = "go run ./internal/scale -docs docs"

// document writes the table into performance.md, between its two marks, and the
// chart beside it.
func document(table [][]step, docs string) error {
	path := filepath.Join(docs, "performance.md")
	if err := marked.Replace(path, "scale", section(table)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "scale.svg"), []byte(draw(table)), 0o644) //nolint:gosec // for everybody to read
}

// section returns the text between the marks.
func section(table [][]step) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Made on %s with %s, %s/%s, %d CPUs, by

    %s

The account is the fake API in a process of its own, and holds as many contacts as the input. Every job is a process
of its own. "A state that knows them" has seen all contacts. One contact in 1,000 differs from a Sync to the next.
Requests are the server's count. Processor time is that of the whole job, start included. Heap is the peak of the
heap in use, garbage included, so it steps with the collector.

![Cost of a contact by number of contacts](scale.svg)

| work | contacts | requests | µs a contact | heap, MB | heap, bytes a contact |
|---|--:|--:|--:|--:|--:|
`, time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), command)
	for i := range table[0] {
		for _, list := range table {
			s := list[i]
			fmt.Fprintf(&b, "| %s | %s | %s | %.1f | %d | %.0f |\n",
				s.name, svg.Thousands(s.contacts), svg.Thousands(s.requests), s.micros, s.PeakBytes>>20, s.bytesAContact())
		}
	}
	return b.String()
}

// The chart has three panels side by side.
const (
	width, height, left, right = 880, 330, 60, 20
	upper, lower, gap          = 130, 280, 66
)

var curves = []struct{ name, color string }{
	{"Contacts.All", svg.Gray},
	{"Sync, no state", svg.Blue},
	{"Sync, a state that knows them", svg.Green},
	{"Execute, no journal", svg.Purple},
	{"Execute, a new journal", svg.Orange},
}

func draw(table [][]step) string {
	p := svg.New(command, width, height, "Requests, processor time and heap of a contact at each number of contacts")
	p.Text(left, 28, "title", "", "The cost of a contact, by number of contacts")
	p.Text(left, 48, "note", "", "A flat line is linear growth, a falling one is better.")
	for i, c := range curves {
		x, y := float64(left+i%3*270), float64(72+i/3*20)
		fmt.Fprintf(p, `<path class="line" stroke="%s" d="M%.0f %.0fh22"/>`+"\n", c.color, x, y)
		p.Text(x+30, y+4, "", "", c.name)
	}
	panels := []struct {
		title string
		value func(step) float64
	}{
		{"requests for 1,000 contacts", func(s step) float64 { return float64(s.requests) * 1000 / float64(s.contacts) }},
		{"µs of processor time a contact", func(s step) float64 { return s.micros }},
		{"bytes of heap a contact", step.bytesAContact},
	}
	each := float64(width-left-right-2*gap) / 3
	for i, panel := range panels {
		drawPanel(p, table, left+float64(i)*(each+gap), each, panel.title, panel.value)
	}
	return p.End()
}

// drawPanel draws the curves of one value.
func drawPanel(p *svg.Picture, table [][]step, x, wide float64, title string, value func(step) float64) {
	shown := func(list []step, name string) float64 {
		for _, s := range list {
			if s.name == name {
				return value(s)
			}
		}
		return math.NaN()
	}
	highest := 0.0
	for _, list := range table {
		for _, c := range curves {
			highest = max(highest, shown(list, c.name))
		}
	}
	grid := svg.NiceStep(highest)
	highest = max(math.Ceil(highest/grid), 1) * grid
	y := func(v float64) float64 { return upper + (lower-upper)*(1-v/highest) }
	at := func(i int) float64 { return x + 18 + float64(i)*(wide-36)/float64(max(len(table)-1, 1)) }

	p.Text(x, upper-14, "note", "", title)
	for v := 0.0; v <= highest; v += grid {
		fmt.Fprintf(p, `<path class="grid" d="M%.1f %.1fh%.1f"/>`+"\n", x, y(v), wide)
		p.Text(x-8, y(v)+4, "note", "end", svg.Thousands(int(v)))
	}
	for i, list := range table {
		p.Text(at(i), lower+20, "note", "middle", svg.Thousands(list[0].contacts))
	}
	for _, c := range curves {
		fmt.Fprintf(p, `<path class="line" stroke="%s" d="`, c.color)
		for i, list := range table {
			fmt.Fprintf(p, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], at(i), y(shown(list, c.name)))
		}
		p.WriteString("\"/>\n")
		for i, list := range table {
			fmt.Fprintf(p, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", at(i), y(shown(list, c.name)), c.color)
		}
	}
}
