package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/svg"
)

// mixedRow is one way to share the quota in one setting, and the outcome.
type mixedRow struct {
	mixedSetting
	way
	mixedResult
}

// runMixed runs the mixed load in every way in every setting.
func runMixed(t *testing.T) []mixedRow {
	t.Helper()
	var rows []mixedRow
	for _, s := range mixedSettings() {
		for _, by := range ways() {
			rows = append(rows, mixedRow{mixedSetting: s, way: by})
		}
	}
	t.Run("mixed", func(t *testing.T) { // returns after its parallel parts
		for i := range rows {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				rows[i].mixedResult = mixed(t, rows[i].mixedSetting, rows[i].way)
			})
		}
	})
	return rows
}

// mixedTable returns the rows as a Markdown table.
func mixedTable(rows []mixedRow) string {
	var b strings.Builder
	b.WriteString("| where | limiter | web calls | failed | wait, median | wait, 99 % | job finished after | minimum | 429s |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| %v | %s | %d | %d | %s | %s | %v, %+.1f %% | %v | %d |\n", r.mixedSetting, r.name, r.webCalls, len(r.failed),
			seconds(r.wait(50)), seconds(r.wait(99)), r.finish.Round(time.Second), 100*(r.ratio()-1), r.minimum.Round(time.Second), len(r.refused))
	}
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// mixedChart shows the ways in one process.
func mixedChart(rows []mixedRow) chart {
	c := chart{
		title: fmt.Sprintf("A job syncs %s contacts beside a website, in one process", svg.Thousands(mixedContacts)),
		note:  fmt.Sprintf("a web call a minute and %d at once every %.0f minutes, each with a deadline of %g s; simulated with the fake API", burst, burstEvery.Minutes(), webDeadline.Seconds()),
		top:   "requests of the job", bottom: "web calls failed", highest: mixedContacts, hours: 3.25, legendByLine: true,
		bestName: "the most that the limits allow, less the web calls of the last one",
	}
	shades := []string{colours[0], colours[3], colours[4]}
	for i := range rows {
		r := &rows[i]
		if r.fleet {
			continue
		}
		c.lines = append(c.lines, curve{
			shades[len(c.lines)], fmt.Sprintf("%s: %d of %d web calls failed; the job took %v", r.name, len(r.failed), r.webCalls, r.finish.Round(time.Second)),
			r.accepted, r.failed, r.finish,
		})
		c.best, c.bestFinish = r.soonest, r.minimum
	}
	return c
}

// page returns docs/quota.md.
func page(job []row, rows []mixedRow) string {
	last := &job[len(job)-1]
	return fmt.Sprintf(`<!-- Made by: %s -->

# The cost of staying within the quota

All numbers come from simulations with the fake API, in virtual time. To repeat them:

`+"```sh\n%s\n```"+`

The quota is the default one: 100 requests a minute and 1,000 an hour, in sliding windows.

## A website beside a job

A job syncs %s contacts with `+"`bulk.Sync`"+`. The website makes a call a minute, and %d at once every %.0f minutes. Each web call
has a deadline of %g s. A request takes %g s.

![The job's requests over time, and the web calls that failed, for three ways to share the quota](quota-mixed.svg)

%s
- **no classes**: one limiter for all calls, first come, first served. The job uses up the hour, and web calls fail.
- **fixed shares**: a limiter for the job and another for the website. The unused part of a share is lost.
- **classes**: one limiter with a Reserve of 21 a minute and 141 an hour. The job's calls are of low priority.
  The Reserve covers the website's calls of a minute and of an hour, and one more. The README's 20 and 150 are round numbers.

A wait is the time of a successful web call beyond its request. The minimum is the earliest finish of the job within the
limits. It takes every web call at the time of its real arrival at the API. In the fleet the job runs in one process, and
the web calls go round all processes. Each process has its own connection to Redis. A command takes %d ms there.

## A job alone

%s requests: the Pacer meets %d × 429, and finishes %.2f %% after the minimum.

![Requests over time against the limits, and the 429s met, for five ways to keep to the quota](quota.svg)
`, command, command, svg.Thousands(mixedContacts), burst, burstEvery.Minutes(), webDeadline.Seconds(), mixedLatency.Seconds(), mixedTable(rows),
		roundTrip.Milliseconds(), svg.Thousands(last.requests), len(last.refused), 100*(last.ratio()-1))
}
