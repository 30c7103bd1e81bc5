package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// plan is what a bulk command is about to do.
type plan struct {
	what     string // for people
	note     string // one more, if something is missing
	first    []any  // contacts as they would be sent
	counts   tallies
	requests int
	takes    time.Duration
}

const firstRows = 3 // that are shown

// showPlan shows the plan: people read it, programs get a line of JSON.
func (a *app) showPlan(c *customers, p *plan) {
	if a.output == "json" {
		object := p.counts.object()
		object["type"], object["file"], object["mapping"], object["firstRows"] = "plan", c.path, c.mapping(), p.first
		object["requests"], object["seconds"] = p.requests, int(p.takes.Seconds())
		a.line(object)
		return
	}
	out := a.out
	if a.output == "csv" {
		out = a.errs
	}
	a.showMapping(out, c)
	if len(p.first) > 0 {
		fmt.Fprintln(out, "First rows as they would be sent:")
		for _, contact := range p.first {
			text, _ := json.Marshal(contact) // it came from a file of texts
			fmt.Fprintln(out, "  "+visible(string(text)))
		}
	}
	if p.note != "" {
		fmt.Fprintln(out, p.note)
	}
	fmt.Fprintln(out, p.what)
	fmt.Fprintln(out, wrap(out, "  "+p.counts.String()))
	fmt.Fprintf(out, "  %s, %s\n", count(p.requests, "request"), done(p.takes, time.Now()))
}

// column is what becomes of a column.
type column struct {
	Number   int    `json:"number"`
	Header   string `json:"header"`
	Field    string `json:"field,omitempty"`
	Consent  bool   `json:"consent,omitempty"`
	OptedOut int    `json:"optedOut,omitempty"`
	Ignored  bool   `json:"ignored,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

func (c *customers) mapping() []column {
	m := c.Mapping()
	all := make([]column, len(m.Columns))
	for i, col := range m.Columns {
		all[i] = column{col.Number, col.Header, col.Field, col.Consent, col.OptedOut, col.Ignored, col.Hint}
	}
	return all
}

// meaning says in words what becomes of a column.
func (c *column) meaning() string {
	var all []string
	if c.Field != "" {
		all = append(all, c.Field)
	}
	if c.Consent {
		all = append(all, "consent")
	}
	if c.OptedOut > 0 {
		all = append(all, grouped(c.OptedOut)+" opted out")
	}
	switch {
	case c.Ignored:
		all = append(all, "ignored")
	case len(all) == 0:
		all = append(all, "not used")
	}
	if c.Hint != "" {
		all = append(all, c.Hint)
	}
	return strings.Join(all, ", ")
}

func (a *app) showMapping(out io.Writer, c *customers) {
	m := c.Mapping()
	form := m.Encoding
	if m.Sheet != "" {
		form = "sheet " + m.Sheet
	} else if m.Separator != "," {
		form += fmt.Sprintf(", separated by %q", m.Separator)
	}
	fmt.Fprintf(out, "%s: %s, %s\n", c.path, count(m.Rows, "row"), visible(form))
	for _, col := range c.mapping() {
		header := col.Header
		if header == "" {
			header = fmt.Sprintf("#%d", col.Number)
		}
		fmt.Fprintf(out, "  %s: %s\n", visible(header), visible(col.meaning()))
	}
}

// estimate returns how long requests take at the current quota.
func estimate(requests, perMinute, perHour int, quota demeterrr.RateLimit, now time.Time) time.Duration {
	if requests <= 0 {
		return 0
	}
	free, next := perHour, time.Hour
	if quota.Limit > perMinute { // it is the hour's
		if free = min(free, quota.Remaining); !quota.Reset.IsZero() {
			next = max(0, quota.Reset.Sub(now))
		}
	}
	var wait time.Duration
	if requests > free {
		rest := requests - free - 1
		wait = next + time.Duration(rest/perHour)*time.Hour
		requests = rest%perHour + 1
	}
	return wait + time.Duration((requests-1)/perMinute)*time.Minute
}

// done says when something is over that takes so long.
func done(takes time.Duration, now time.Time) string {
	at := now.Add(takes).Local()
	switch {
	case takes < time.Minute:
		return "done at once"
	case takes < 12*time.Hour:
		return fmt.Sprintf("done about %s, in %s", at.Format("15:04"), duration(takes))
	default:
		return fmt.Sprintf("done about %s, in %s", at.Format("Mon 2 Jan 15:04"), duration(takes))
	}
}

func duration(d time.Duration) string {
	if d < 2*time.Hour {
		return count(int(d.Round(time.Minute).Minutes()), "minute")
	}
	return count(int(d.Round(time.Hour).Hours()), "hour")
}

// canAsk reports whether somebody can answer: standard input must be a terminal,
// and not the customer file.
func (a *app) canAsk(path string) bool {
	return path != "-" && a.in != nil && isTerminal(a.in) && isTerminal(a.errs)
}

// checkAsk returns an error before anything is read if nobody will be there to
// answer.
func (a *app) checkAsk(path string, flags *bulkFlags) error {
	if flags.yes || flags.dryRun || a.canAsk(path) {
		return nil
	}
	return usagef("nobody can answer here; add --yes to go on without a question, or --dry-run to look first")
}

// errDeclined is the answer no.
var errDeclined = &coded{exitStopped, errors.New("nothing was sent")}

// errAskEnded is the answer of Ctrl-C.
var errAskEnded = &coded{exitInterrupted, errors.New("nothing was sent")}

// ask asks for a yes.
func (a *app) ask(ctx context.Context, flags *bulkFlags, question string) error {
	if flags.yes {
		return nil
	}
	fmt.Fprintf(a.errs, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.errs)
		return errAskEnded
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
		return errDeclined
	}
}
