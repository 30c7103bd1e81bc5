package main

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The chart has two panels above each other, with one axis of time.
const (
	width, height, left, right = 880, 580, 66, 24

	topPanel, topHeight       = 158, 160 // the upper edge and the height
	bottomPanel, bottomHeight = 360, 160
	legendTop, legendLine     = 72, 20

	command = "go run ./internal/quotasim -docs docs"
)

// colours keep apart for the colour-blind, on white and on black.
var colours = []string{"#d55e00", "#cc79a7", "#8c8c8c", "#3b8fd0", "#009e73"}

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.limit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 2 4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note { fill: #9198a1; }
.ground { fill: #0d1117; }
.grid { stroke: #3d444d; }
.limit { stroke: #e6edf3; }
}
</style>
`

// chart is what one picture shows.
type chart struct {
	title, note  string
	top, bottom  string // what the panels count
	highest      int    // of the upper panel
	hours        float64
	lines        []curve
	best         []time.Duration // the soonest schedule, in the upper panel
	bestFinish   time.Duration
	bestName     string
	legendByLine bool // each entry has a line of its own
}

// curve is what came of one way to keep to the quota.
type curve struct {
	colour      string
	name        string
	top, bottom []time.Duration
	finish      time.Duration
}

// jobChart shows a job alone: its requests, against the limits, and its 429s.
func jobChart(rows []row) chart {
	s := rows[0].setting
	c := chart{
		title: fmt.Sprintf("%s requests on a quota of 100 a minute and 1,000 an hour", thousands(s.requests)),
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
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Made by: %s -->\n", command)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s: %s and %s over time">`+"\n", width, height, c.title, c.top, c.bottom)
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	text(&b, left, 28, "title", "", c.title)
	text(&b, left, 48, "note", "", c.note)

	highest := 0
	for _, line := range c.lines {
		highest = max(highest, len(line.bottom))
	}
	top := panel{topPanel, topHeight, float64(c.highest), niceStep(c.highest), c.pixelsHour()}
	bottom := panel{bottomPanel, bottomHeight, float64(highest), niceStep(highest), c.pixelsHour()}
	top.axes(&b, c.top)
	bottom.axes(&b, c.bottom)
	for hour := 0; float64(hour) <= c.hours; hour++ {
		text(&b, left+float64(hour)*c.pixelsHour(), bottomPanel+bottomHeight+18, "note", "middle", fmt.Sprintf("%d h", hour))
	}
	text(&b, left+(width-left-right)/2, bottomPanel+bottomHeight+38, "note", "middle", "time since the start")

	for i, line := range c.lines {
		top.line(&b, "", line.colour, line.top, line.finish)
		bottom.line(&b, "", line.colour, line.bottom, line.finish)
		c.legend(&b, i, "", line.colour, line.name)
	}
	top.line(&b, "limit", "", c.best, c.bestFinish)
	c.legend(&b, len(c.lines), "limit", "", fmt.Sprintf("%s: %v", c.bestName, c.bestFinish.Round(time.Second)))
	b.WriteString("</svg>\n")
	return b.String()
}

// panel is a plot: where it is, up to which count it reaches, and how far its
// lines are apart.
type panel struct {
	top, height   float64
	highest, step float64
	pixelsHour    float64
}

func (p panel) y(count float64) float64 { return p.top + p.height*(1-count/p.highest) }

func (p panel) axes(b *strings.Builder, title string) {
	text(b, left, p.top-10, "note", "", title)
	for count := 0.0; count <= p.highest; count += p.step {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, p.y(count), width-right)
		text(b, left-8, p.y(count)+4, "note", "end", thousands(int(count)))
	}
}

// line draws how many of the times have passed, at every pixel where that
// changes, until the finish.
func (p panel) line(b *strings.Builder, class, colour string, times []time.Duration, finish time.Duration) {
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

func (c chart) legend(b *strings.Builder, i int, class, colour, content string) {
	x, y := float64(left+i%2*410), float64(legendTop+i/2*legendLine)
	if c.legendByLine {
		x, y = left, float64(legendTop+i*17-4)
	}
	fmt.Fprintf(b, `<path%s d="M%.0f %.0fh22"/>`+"\n", attributes("line "+class, colour), x, y)
	text(b, x+30, y+4, "", "", content)
}

func attributes(class, colour string) string {
	out := fmt.Sprintf(` class="%s"`, strings.TrimSpace(class))
	if colour != "" {
		out += fmt.Sprintf(` stroke="%s"`, colour)
	}
	return out
}

func text(b *strings.Builder, x, y float64, class, anchor, content string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f"`, x, y)
	if class != "" {
		fmt.Fprintf(b, ` class="%s"`, class)
	}
	if anchor != "" {
		fmt.Fprintf(b, ` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(b, ">%s</text>\n", content)
}

// niceStep is a round number that divides a count into five parts at the most.
func niceStep(count int) float64 {
	for step := 1; ; step *= 10 {
		for _, factor := range []int{1, 2, 5} {
			if count <= 5*factor*step {
				return float64(factor * step)
			}
		}
	}
}

// thousands writes a count of up to six digits as people do.
func thousands(count int) string {
	if count < 1000 {
		return strconv.Itoa(count)
	}
	return fmt.Sprintf("%d,%03d", count/1000, count%1000)
}
