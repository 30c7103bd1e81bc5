package main

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// The chart has two panels above each other, with one axis of time.
const (
	width, height, left, right = 880, 580, 66, 24

	topPanel, topHeight       = 158, 160 // the upper edge and the height
	bottomPanel, bottomHeight = 360, 160
	legendTop, legendLine     = 72, 20

	hours      = 4.5
	pixelsHour = (width - left - right) / hours

	command = "go run ./internal/quotasim -svg docs/quota.svg"
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

// drawChart draws the rows of one setting: the requests that were accepted, against
// the most that the limits allow, and the 429s, over time.
func drawChart(rows []row) string {
	var b strings.Builder
	s := rows[0].setting
	fmt.Fprintf(&b, "<!-- Made by: %s -->\n", command)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Requests over time against the limits, for five ways to keep to the quota">`+"\n", width, height)
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	text(&b, left, 28, "title", "", fmt.Sprintf("%d requests on a quota of 100 a minute and 1,000 an hour", s.requests))
	text(&b, left, 48, "note", "", fmt.Sprintf("%s windows, latency %v, %d goroutines; simulated with the fake API; the middle one of three runs", rows[0].kindName(), s.latency[0], s.workers))

	highest := 0
	for i := range rows {
		highest = max(highest, len(rows[i].refused))
	}
	accepted := panel{topPanel, topHeight, float64(s.requests), 1000}
	refused := panel{bottomPanel, bottomHeight, float64(highest), niceStep(highest)}
	accepted.axes(&b, "requests accepted")
	refused.axes(&b, "429s met")
	for hour := 0; float64(hour) <= hours; hour++ {
		text(&b, left+float64(hour)*pixelsHour, bottomPanel+bottomHeight+18, "note", "middle", fmt.Sprintf("%d h", hour))
	}
	text(&b, left+(width-left-right)/2, bottomPanel+bottomHeight+38, "note", "middle", "time since the start")

	for i := range rows {
		r := &rows[i]
		accepted.line(&b, "", colours[i], r.accepted, r.finish)
		refused.line(&b, "", colours[i], r.refused, r.finish)
		legend(&b, i, "", colours[i], fmt.Sprintf("%s: %v, %d × 429", r.name, r.finish.Round(time.Second), len(r.refused)))
	}
	accepted.line(&b, "limit", "", schedule(s), minimum(s))
	legend(&b, len(rows), "limit", "", fmt.Sprintf("the most that the limits allow: %v", minimum(s).Round(time.Second)))
	b.WriteString("</svg>\n")
	return b.String()
}

// panel is a plot: where it is, up to which count it reaches, and how far its lines are apart.
type panel struct {
	top, height   float64
	highest, step float64
}

func (p panel) y(count float64) float64 { return p.top + p.height*(1-count/p.highest) }

func (p panel) axes(b *strings.Builder, title string) {
	text(b, left, p.top-10, "note", "", title)
	for count := 0.0; count <= p.highest; count += p.step {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, p.y(count), width-right)
		text(b, left-8, p.y(count)+4, "note", "end", fmt.Sprintf("%.0f", count))
	}
}

// line draws how many of the times have passed, at every pixel where that changes, until the finish.
func (p panel) line(b *strings.Builder, class, colour string, times []time.Duration, finish time.Duration) {
	fmt.Fprintf(b, `<path%s d="M%d %.1f`, attributes("line "+class, colour), left, p.y(0))
	before, last := 0, int(finish.Hours()*pixelsHour)
	for x := range last + 1 {
		until := time.Duration(float64(x) / pixelsHour * float64(time.Hour))
		count := sort.Search(len(times), func(i int) bool { return times[i] > until })
		if count != before {
			fmt.Fprintf(b, "H%dV%.1f", left+x, p.y(float64(count)))
			before = count
		}
	}
	fmt.Fprintf(b, "H%d\"/>\n", left+last)
}

func legend(b *strings.Builder, i int, class, colour, content string) {
	x, y := float64(left+i%2*410), float64(legendTop+i/2*legendLine)
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
