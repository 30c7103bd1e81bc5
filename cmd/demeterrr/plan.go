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

// plan is the plan of a bulk command.
type plan struct {
	what     string // for people
	note     string // a warning; may be empty
	first    []any  // request bodies of the first contacts
	counts   tallies
	requests int
	takes    time.Duration
}

const firstRows = 3 // rows shown in a plan

// showPlan prints the plan as text, or as one line of JSON.
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
		fmt.Fprintln(out, "First rows to send:")
		for _, contact := range p.first {
			text, _ := json.Marshal(contact) // texts only: cannot fail
			fmt.Fprintln(out, "  "+visible(string(text)))
		}
	}
	if p.note != "" {
		fmt.Fprintln(out, p.note)
	}
	fmt.Fprintln(out, p.what)
	fmt.Fprintln(out, wrap(out, "  "+p.counts.String()))
	fmt.Fprintf(out, "  %s, %s\n", count(p.requests, "more request"), done(p.takes, time.Now()))
}

// column is the meaning of a column, in JSON.
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

// meaning describes the use of a column.
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

// estimate returns the duration of the requests at the current quota.
func estimate(requests, perMinute, perHour int, quota demeterrr.RateLimit, now time.Time) time.Duration {
	if requests <= 0 {
		return 0
	}
	free, next := perHour, time.Hour
	if quota.Limit > perMinute { // the quota of the hour
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

// done describes the end of a job of the given duration.
func done(takes time.Duration, now time.Time) string {
	at := now.Add(takes).Local()
	switch {
	case takes < time.Minute:
		return "done in under a minute"
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

// canAsk reports whether the user can answer a question. Standard input must be
// a terminal, and the customer file another file.
func (a *app) canAsk(path string) bool {
	return path != "-" && a.in != nil && isTerminal(a.in) && isTerminal(a.errs)
}

// checkAsk fails early if the command will ask and the user cannot answer.
func (a *app) checkAsk(path string, flags *bulkFlags) error {
	if flags.yes || flags.dryRun || a.canAsk(path) {
		return nil
	}
	return usagef("the command asks before it sends, but there is no terminal; add --yes to proceed, or --dry-run to see the plan")
}

// errDeclined is the result of the answer no.
var errDeclined = &coded{exitStopped, errors.New("nothing was sent")}

// errAskEnded is the result of Ctrl-C at the question.
var errAskEnded = &coded{exitInterrupted, errors.New("nothing was sent")}

// ask prints a question and waits for yes or no.
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
