package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The chart has its panels above each other, with one axis of time.
const (
	width, left, right = 880, 66, 24
	top, panelHeight   = 116, 110
	panelGap           = 62
)

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note { fill: #9198a1; }
.ground { fill: #0d1117; }
.grid { stroke: #3d444d; }
}
</style>
`

// panel is a plot of several series.
type panel struct {
	title string
	lines []line
}

// line is one series: its legend, its color, and its value at each reading; NaN
// where there is none.
type line struct {
	name, color string
	value       func(n *night, i int) float64
}

// The colors stay apart for the color-blind, on white and on black.
const (
	blue, orange, green = "#3b8fd0", "#d55e00", "#009e73"

	theJob, theShop = "the job: Contacts.Update", "the shop: Contacts.Upsert"
)

func panels() []panel {
	return []panel{
		{"requests a minute (demeterrr.attempts)", []line{
			{theJob, blue, perMinute("demeterrr.attempts Contacts.Update")},
			{theShop, orange, perMinute("demeterrr.attempts Contacts.Upsert")},
		}},
		{"hours waited so far (demeterrr.wait.duration)", []line{
			{"limiter", blue, total("demeterrr.wait.duration limiter", 3600)},
			{"rate_limited", orange, total("demeterrr.wait.duration rate_limited", 3600)},
			{"backoff", green, total("demeterrr.wait.duration backoff", 3600)},
		}},
		{"429s so far (demeterrr.rate_limited)", []line{
			{theJob, blue, total("demeterrr.rate_limited Contacts.Update", 1)},
			{theShop, orange, total("demeterrr.rate_limited Contacts.Upsert", 1)},
		}},
		{"failed writes with an unknown outcome so far (demeterrr.unknown_outcomes)", []line{
			{theJob, blue, total("demeterrr.unknown_outcomes Contacts.Update", 1)},
			{theShop, orange, total("demeterrr.unknown_outcomes Contacts.Upsert", 1)},
		}},
		{"quota remaining of 1,000 an hour (demeterrr.quota.remaining)", []line{
			{"as the API last reported it", green, func(n *night, i int) float64 {
				if v, ok := n.minutes[i]["demeterrr.quota.remaining"]; ok {
					return v
				}
				return math.NaN()
			}},
		}},
	}
}

// total is a counter, in units.
func total(series string, unit float64) func(*night, int) float64 {
	return func(n *night, i int) float64 { return n.minutes[i][series] / unit }
}

// perMinute is how much a counter has grown in the minute before.
func perMinute(series string) func(*night, int) float64 {
	return func(n *night, i int) float64 { return n.minutes[i][series] - n.minutes[max(i-1, 0)][series] }
}

// draw draws the panels.
func draw(n *night) string {
	var b strings.Builder
	all := panels()
	height := top + len(all)*(panelHeight+panelGap)
	fmt.Fprintf(&b, "<!-- Made by: %s -->\n", command)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="The metrics of a night: requests, waits, 429s, unknown outcomes and quota over time">`+"\n", width, height)
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	text(&b, left, 28, "title", "", "A night on a quota of 100 requests a minute and 1,000 an hour")
	text(&b, left, 48, "note", "", fmt.Sprintf("A job updates %d contacts from %s on. A shop upserts a customer every two minutes.", jobUpdates, clock(jobStarts)))
	text(&b, left, 65, "note", "", fmt.Sprintf("Others use the quota from %s on. The API answers 503 from %s to %s. Simulated with the fake API.",
		clock(othersStart), clock(outage), clock(outage+outageLasts)))
	for i, p := range all {
		p.draw(&b, n, float64(top+i*(panelHeight+panelGap)))
	}
	for hour := time.Duration(0); hour <= length; hour += time.Hour {
		text(&b, x(n, int(hour/time.Minute)), float64(height-panelGap+18), "note", "middle", clock(hour))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// clock is the time of day, so long after the night begins.
func clock(d time.Duration) string {
	return time.Date(2026, 1, 1, begins, 0, 0, 0, time.UTC).Add(d).Format("15:04")
}

func x(n *night, minute int) float64 {
	return left + float64(minute)/float64(len(n.minutes))*(width-left-right)
}

func (p panel) draw(b *strings.Builder, n *night, upper float64) {
	highest := 0.0
	for _, l := range p.lines {
		for i := range n.minutes {
			if v := l.value(n, i); v > highest {
				highest = v
			}
		}
	}
	step := niceStep(highest)
	highest = max(math.Ceil(highest/step), 1) * step
	y := func(v float64) float64 { return upper + panelHeight*(1-v/highest) }

	text(b, left, upper-26, "", "", p.title)
	for i, l := range p.lines {
		at := float64(left + i*230)
		fmt.Fprintf(b, `<path class="line" stroke="%s" d="M%.0f %.0fh18"/>`+"\n", l.color, at, upper-12)
		text(b, at+24, upper-8, "note", "", l.name)
	}
	for v := 0.0; v <= highest; v += step {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, y(v), width-right)
		text(b, left-8, y(v)+4, "note", "end", fmt.Sprintf("%g", v))
	}
	for _, l := range p.lines {
		l.draw(b, n, y)
	}
}

// draw draws a line in steps, with a gap where there is no value.
func (l line) draw(b *strings.Builder, n *night, y func(float64) float64) {
	fmt.Fprintf(b, `<path class="line" stroke="%s" d="`, l.color)
	before := math.NaN()
	for i := range n.minutes {
		switch v := l.value(n, i); {
		case math.IsNaN(v):
			if !math.IsNaN(before) {
				fmt.Fprintf(b, "H%.1f", x(n, i))
			}
			before = v
		case math.IsNaN(before):
			fmt.Fprintf(b, "M%.1f %.1f", x(n, i), y(v))
			before = v
		case v != before || i == len(n.minutes)-1:
			fmt.Fprintf(b, "H%.1fV%.1f", x(n, i), y(v))
			before = v
		}
	}
	b.WriteString("\"/>\n")
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

// niceStep is a round number that divides a value into five parts at the most.
func niceStep(highest float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if highest <= 5*factor*step {
				return factor * step
			}
		}
	}
}
