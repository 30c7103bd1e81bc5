package main

import (
	"fmt"
	"math"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/svg"
)

// The chart has its panels above each other, with one time axis.
const (
	width, left, right = 880, 66, 24
	top, panelHeight   = 116, 110
	panelGap           = 62
)

// panel is a plot of several series.
type panel struct {
	title string
	lines []line
}

// line is one series: its legend, its color, and its value at each reading; NaN
// without a value.
type line struct {
	name, color string
	value       func(n *night, i int) float64
}

const (
	theJob, theShop = "the job: Contacts.Update", "the shop: Contacts.Upsert"
)

func panels() []panel {
	return []panel{
		{"requests a minute (demeterrr.attempts)", []line{
			{theJob, svg.Blue, perMinute("demeterrr.attempts Contacts.Update")},
			{theShop, svg.Orange, perMinute("demeterrr.attempts Contacts.Upsert")},
		}},
		{"hours waited so far (demeterrr.wait.duration)", []line{
			{"limiter", svg.Blue, total("demeterrr.wait.duration limiter", 3600)},
			{"rate_limited", svg.Orange, total("demeterrr.wait.duration rate_limited", 3600)},
			{"backoff", svg.Green, total("demeterrr.wait.duration backoff", 3600)},
		}},
		{"429s so far (demeterrr.rate_limited)", []line{
			{theJob, svg.Blue, total("demeterrr.rate_limited Contacts.Update", 1)},
			{theShop, svg.Orange, total("demeterrr.rate_limited Contacts.Upsert", 1)},
		}},
		{"failed writes with an unknown outcome so far (demeterrr.unknown_outcomes)", []line{
			{theJob, svg.Blue, total("demeterrr.unknown_outcomes Contacts.Update", 1)},
			{theShop, svg.Orange, total("demeterrr.unknown_outcomes Contacts.Upsert", 1)},
		}},
		{"quota remaining of 1,000 an hour (demeterrr.quota.remaining)", []line{
			{"as the API last reported it", svg.Green, func(n *night, i int) float64 {
				if v, ok := n.minutes[i]["demeterrr.quota.remaining"]; ok {
					return v
				}
				return math.NaN()
			}},
		}},
	}
}

// total returns a counter in units.
func total(series string, unit float64) func(*night, int) float64 {
	return func(n *night, i int) float64 { return n.minutes[i][series] / unit }
}

// perMinute returns the growth of a counter in the minute before.
func perMinute(series string) func(*night, int) float64 {
	return func(n *night, i int) float64 { return n.minutes[i][series] - n.minutes[max(i-1, 0)][series] }
}

// draw draws the panels.
func draw(n *night) string {
	all := panels()
	height := top + len(all)*(panelHeight+panelGap)
	b := svg.New(command, width, height, "The metrics of a night: requests, waits, 429s, unknown outcomes and quota over time")
	b.Text(left, 28, "title", "", "A night on a quota of 100 requests a minute and 1,000 an hour")
	b.Text(left, 48, "note", "", fmt.Sprintf("A job updates %d contacts from %s on. A shop upserts a customer every two minutes.", jobUpdates, clock(jobStarts)))
	b.Text(left, 65, "note", "", fmt.Sprintf("Others use the quota from %s on. The API answers 503 from %s to %s. Simulated with the fake API.",
		clock(othersStart), clock(outage), clock(outage+outageLasts)))
	for i, p := range all {
		p.draw(b, n, float64(top+i*(panelHeight+panelGap)))
	}
	for hour := time.Duration(0); hour <= length; hour += time.Hour {
		b.Text(x(n, int(hour/time.Minute)), float64(height-panelGap+18), "note", "middle", clock(hour))
	}
	return b.End()
}

// clock returns the time of day at d after the start of the night.
func clock(d time.Duration) string {
	return time.Date(2026, 1, 1, begins, 0, 0, 0, time.UTC).Add(d).Format("15:04")
}

func x(n *night, minute int) float64 {
	return left + float64(minute)/float64(len(n.minutes))*(width-left-right)
}

func (p panel) draw(b *svg.Picture, n *night, upper float64) {
	highest := 0.0
	for _, l := range p.lines {
		for i := range n.minutes {
			if v := l.value(n, i); v > highest {
				highest = v
			}
		}
	}
	step := svg.NiceStep(highest)
	highest = max(math.Ceil(highest/step), 1) * step
	y := func(v float64) float64 { return upper + panelHeight*(1-v/highest) }

	b.Text(left, upper-26, "", "", p.title)
	for i, l := range p.lines {
		at := float64(left + i*230)
		fmt.Fprintf(b, `<path class="line" stroke="%s" d="M%.0f %.0fh18"/>`+"\n", l.color, at, upper-12)
		b.Text(at+24, upper-8, "note", "", l.name)
	}
	for v := 0.0; v <= highest; v += step {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, y(v), width-right)
		b.Text(left-8, y(v)+4, "note", "end", fmt.Sprintf("%g", v))
	}
	for _, l := range p.lines {
		l.draw(b, n, y)
	}
}

// draw draws a line in steps, with a gap for each missing value.
func (l line) draw(b *svg.Picture, n *night, y func(float64) float64) {
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
