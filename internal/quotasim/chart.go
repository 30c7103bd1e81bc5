package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/svg"
)

// The chart has two panels above each other, with one time axis.
const (
	width, height, left, right = 880, 580, 66, 24

	topPanel, topHeight       = 158, 160 // the upper edge and the height
	bottomPanel, bottomHeight = 360, 160
	legendTop, legendLine     = 72, 20

	command = "go run ./internal/quotasim -docs docs"
)

var colours = []string{svg.Orange, svg.Purple, svg.Gray, svg.Blue, svg.Green}

// chart is the content of one picture.
type chart struct {
	title, note  string
	top, bottom  string // counted things
	highest      int    // of the upper panel
	hours        float64
	lines        []curve
	best         []time.Duration // the soonest schedule, in the upper panel
	bestFinish   time.Duration
	bestName     string
	legendByLine bool // each entry on its own line
}

// curve is the outcome of one strategy.
type curve struct {
	colour      string
	name        string
	top, bottom []time.Duration
	finish      time.Duration
}

// jobChart shows a job alone: its requests beside the limits, and its 429s.
func jobChart(rows []row) chart {
	s := rows[0].setting
	c := chart{
		title: fmt.Sprintf("%s requests on a quota of 100 a minute and 1,000 an hour", svg.Thousands(s.requests)),
		note:  fmt.Sprintf("%s windows, latency %v, %d goroutines; simulated with the fake API; the middle one of three runs", rows[0].kindName(), s.latency[0], s.workers),
		top:   "requests accepted", bottom: "429s met", highest: s.requests, hours: 4.5,
		best: schedule(s), bestFinish: minimum(s), bestName: "the most that the limits allow",
	}
	for i := range rows {
		r := &rows[i]
		c.lines = append(c.lines, curve{
			colours[i], fmt.Sprintf("%s: %v, %d × 429", r.name, r.finish.Round(time.Second), len(r.refused)), r.accepted, r.refused, r.finish,
		})
	}
	return c
}

func (c chart) pixelsHour() float64 { return (width - left - right) / c.hours }

// draw returns the chart as SVG.
func (c chart) draw() string {
	p := svg.New(command, width, height, fmt.Sprintf("%s: %s and %s over time", c.title, c.top, c.bottom))
	p.Text(left, 28, "title", "", c.title)
	p.Text(left, 48, "note", "", c.note)

	highest := 0
	for _, line := range c.lines {
		highest = max(highest, len(line.bottom))
	}
	top := panel{topPanel, topHeight, float64(c.highest), svg.NiceStep(float64(c.highest)), c.pixelsHour()}
	bottom := panel{bottomPanel, bottomHeight, float64(highest), svg.NiceStep(float64(highest)), c.pixelsHour()}
	top.axes(p, c.top)
	bottom.axes(p, c.bottom)
	for hour := 0; float64(hour) <= c.hours; hour++ {
		p.Text(left+float64(hour)*c.pixelsHour(), bottomPanel+bottomHeight+18, "note", "middle", fmt.Sprintf("%d h", hour))
	}
	p.Text(left+(width-left-right)/2, bottomPanel+bottomHeight+38, "note", "middle", "time since the start")

	for i, line := range c.lines {
		top.line(p, "", line.colour, line.top, line.finish)
		bottom.line(p, "", line.colour, line.bottom, line.finish)
		c.legend(p, i, "", line.colour, line.name)
	}
	top.line(p, "limit", "", c.best, c.bestFinish)
	c.legend(p, len(c.lines), "limit", "", fmt.Sprintf("%s: %v", c.bestName, c.bestFinish.Round(time.Second)))
	return p.End()
}

// panel is a plot: its place, its highest count, and the distance of its lines.
type panel struct {
	top, height   float64
	highest, step float64
	pixelsHour    float64
}

func (p panel) y(count float64) float64 { return p.top + p.height*(1-count/p.highest) }

func (p panel) axes(b *svg.Picture, title string) {
	b.Text(left, p.top-10, "note", "", title)
	for count := 0.0; count <= p.highest; count += p.step {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, p.y(count), width-right)
		b.Text(left-8, p.y(count)+4, "note", "end", svg.Thousands(int(count)))
	}
}

// line draws the number of past times at every pixel with a change, until the
// finish.
func (p panel) line(b *svg.Picture, class, colour string, times []time.Duration, finish time.Duration) {
	fmt.Fprintf(b, `<path%s d="M%d %.1f`, attributes("line "+class, colour), left, p.y(0))
	before, last := 0, int(math.Ceil(finish.Hours()*p.pixelsHour))
	for x := range last + 1 {
		until := time.Duration(float64(x) / p.pixelsHour * float64(time.Hour))
		count := sort.Search(len(times), func(i int) bool { return times[i] > until })
		if count != before {
			fmt.Fprintf(b, "H%dV%.1f", left+x, p.y(float64(count)))
			before = count
		}
	}
	fmt.Fprintf(b, "H%d\"/>\n", left+last)
}

func (c chart) legend(b *svg.Picture, i int, class, colour, content string) {
	x, y := float64(left+i%2*410), float64(legendTop+i/2*legendLine)
	if c.legendByLine {
		x, y = left, float64(legendTop+i*17-4)
	}
	fmt.Fprintf(b, `<path%s d="M%.0f %.0fh22"/>`+"\n", attributes("line "+class, colour), x, y)
	b.Text(x+30, y+4, "", "", content)
}

func attributes(class, colour string) string {
	out := fmt.Sprintf(` class="%s"`, strings.TrimSpace(class))
	if colour != "" {
		out += fmt.Sprintf(` stroke="%s"`, colour)
	}
	return out
}
