package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check key, address, clock, scopes and quota",
		Long: "Check key, address, clock, scopes and quota. Each line shows the result and the next step.\n" +
			"The check takes 4 requests and changes nothing. It tests the write scopes on an id that does not exist.",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.check,
	}
}

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, missing, unknown or failed
	Detail string `json:"detail,omitempty"`
	Advice string `json:"advice,omitempty"`
}

func (a *app) check(c *cobra.Command, _ []string) error {
	t := &table{headers: []string{"check", "result", "detail", "what to do"}}
	failed := false
	for _, f := range a.findings(c.Context()) {
		failed = failed || f.Result == "failed"
		t.add(f, f.Check, f.Result, f.Detail, f.Advice)
	}
	if a.output == "table" {
		for _, row := range t.rows {
			fmt.Fprintf(a.out, "%-24s %s\n", row[0], visible(strings.Join(slices.DeleteFunc(row[1:], func(s string) bool { return s == "" }), "; ")))
		}
	} else if err := a.print(t); err != nil {
		return err
	}
	if failed {
		return &coded{code: exitPartly}
	}
	return nil
}

func (a *app) findings(ctx context.Context) []finding {
	client, err := a.client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 1, MaxRetryAfter: time.Second}))
	if err != nil {
		advice := "set DEMETERRR_API_KEY to a key from the dashboard"
		if os.Getenv("DEMETERRR_API_KEY") != "" {
			advice = "correct DEMETERRR_API_KEY or DEMETERRR_BASE_URL"
		}
		return []finding{{"key", "failed", bare(err), advice}}
	}
	var response demeterrr.Response
	page, err := client.Contacts.List(ctx, &demeterrr.ContactListParams{Limit: 1}, demeterrr.WithResponse(&response))
	if refusal := refusedKey(err); refusal != nil {
		return []finding{{"address", "ok", client.BaseURL(), ""}, clockFinding(response.Header, time.Now()), *refusal}
	}
	if err != nil && !errors.Is(err, demeterrr.ErrInsufficientPermissions) {
		return []finding{{"address", "failed", bare(err), addressAdvice(err)}}
	}
	all := []finding{
		{"address", "ok", client.BaseURL(), ""},
		clockFinding(response.Header, time.Now()),
		{"key", "ok", "", ""},
		scopeFinding("contacts:read", err),
	}
	if page != nil {
		all[len(all)-1].Detail = count(page.Total, "contact")
	}
	all = append(all, otherScopes(ctx, client)...)
	return append(all, quotaFinding(client.RateLimit()))
}

// nobody is an unused id.
const nobody = "00000000-0000-0000-0000-000000000000"

// otherScopes tests the scopes with harmless requests.
func otherScopes(ctx context.Context, client *demeterrr.Client) []finding {
	write := client.Do(ctx, &demeterrr.Request{Method: http.MethodPatch, Path: "/contacts/" + nobody, Body: map[string]any{}}, nil)
	_, read := client.Sequences.List(ctx, &demeterrr.SequenceListParams{Limit: 1})
	execute := client.Do(ctx, &demeterrr.Request{
		Method: http.MethodPost, Path: "/sequences/" + nobody + "/execute", Body: map[string]any{"contacts": []any{}},
	}, nil, demeterrr.WithAtMostOnce())
	return []finding{scopeFinding("contacts:write", write), scopeFinding("sequences:read", read), scopeFinding("sequences:execute", execute)}
}

// scopeFinding classifies the reply to a test of a scope. Success, 400 and 404
// prove that the key has the scope.
func scopeFinding(scope string, err error) finding {
	switch {
	case err == nil, errors.Is(err, demeterrr.ErrNotFound), errors.Is(err, demeterrr.ErrBadRequest):
		return finding{"scope " + scope, "ok", "", ""}
	case errors.Is(err, demeterrr.ErrInsufficientPermissions):
		return finding{"scope " + scope, "missing", "", "add it to the key in the dashboard if you need it"}
	default:
		return finding{"scope " + scope, "unknown", bare(err), "run the check again later"}
	}
}

// refusedKey returns the finding for a rejected key, or nil for other errors.
func refusedKey(err error) *finding {
	if !errors.Is(err, demeterrr.ErrUnauthorized) {
		return nil
	}
	return &finding{"key", "failed", bare(err), "make a new key in the dashboard, and set DEMETERRR_API_KEY to it"}
}

func addressAdvice(err error) string {
	switch {
	case errors.Is(err, demeterrr.ErrRateLimited):
		return "the quota is exhausted: run the check again later"
	case errors.Is(err, demeterrr.ErrServer):
		return "the service has a problem: run the check again later"
	}
	return "check DEMETERRR_BASE_URL and the network"
}

// clockFinding compares the local clock with the Date header of the server.
func clockFinding(header http.Header, now time.Time) finding {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return finding{"clock", "unknown", "the reply has no Date header", ""}
	}
	skew := now.Sub(date).Truncate(time.Second)
	if skew.Abs() < 10*time.Second {
		return finding{"clock", "ok", "", ""}
	}
	behind := "ahead"
	if skew < 0 {
		behind = "behind"
	}
	return finding{"clock", "failed", fmt.Sprintf("this machine is %s %s", skew.Abs(), behind), "set the clock, for example with NTP: waits for the quota depend on it"}
}

func quotaFinding(limit demeterrr.RateLimit) finding {
	switch {
	case limit == demeterrr.RateLimit{}:
		return finding{"quota", "unknown", "the API did not report a quota", ""}
	case limit.Remaining > limit.Limit/10:
		return finding{"quota", "ok", quotaText(limit), ""}
	}
	return finding{"quota", "ok", quotaText(limit), "the quota is nearly used up: start big jobs later"}
}

func quotaText(limit demeterrr.RateLimit) string {
	text := fmt.Sprintf("%s of %s requests left", grouped(limit.Remaining), grouped(limit.Limit))
	if !limit.Reset.IsZero() {
		text += " until " + limit.Reset.Local().Format("15:04")
	}
	return text
}
