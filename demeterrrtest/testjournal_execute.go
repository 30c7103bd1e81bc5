package demeterrrtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// campaign is a sequence of a fake server, with its recipients.
type campaign struct {
	*journalTest
	server *Server
	people []demeterrr.ExecuteContact
}

// newCampaign returns a campaign for n people.
func (t *journalTest) newCampaign(name string, n int) *campaign {
	c := &campaign{journalTest: t, server: NewServer()}
	c.server.AddSequence(demeterrr.Sequence{ID: t.sequenceID, Name: "Survey"})
	for _, email := range t.emails(name, n) {
		c.people = append(c.people, demeterrr.ExecuteContact{Email: email})
	}
	return c
}

// execute sends to the people through a journal.
func (c *campaign) execute(j bulk.Journal, people []demeterrr.ExecuteContact) (*bulk.ExecuteReport, error) {
	client := c.server.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MaxWait: time.Nanosecond}))
	return bulk.Execute(c.Context(), client, c.sequenceID, bulk.Slice(people), &bulk.ExecuteOptions{Journal: j})
}

// settled runs the campaign again. It fails the subtest unless everybody was
// sent to exactly once, with a known outcome. With doubt, the outcome may be
// unknown.
func (c *campaign) settled(where string, p *process, doubt bool) {
	c.Helper()
	report, err := c.execute(p.journal, c.people)
	if err != nil {
		c.Fatalf("%s: the next run fails: %v", where, err)
	}
	if twice := c.server.SentTwice(); len(twice) > 0 {
		c.Fatalf("%s: the next run sends to %d of %d people a second time; %s", where, len(twice), len(c.people), ruleTaken)
	}
	doubted, sent := map[string]bool{}, map[string]bool{}
	for _, failure := range slices.Concat(report.Unknown, report.InFlight) {
		doubted[bulk.EmailKey(failure.Contact.Email)] = true
	}
	for _, s := range c.server.Sendings() {
		sent[bulk.EmailKey(s.Email)] = true
	}
	for _, to := range c.people {
		switch {
		case !sent[to.Email]:
			c.Fatalf("%s: even the next run sends nothing to %q (%s); %s", where, to.Email, totals(report), ruleGiveBack)
		case doubted[to.Email] && !doubt:
			c.Fatalf("%s: the next run reports %q as unknown or in flight, although its outcome was recorded; %s", where, to.Email, ruleDurable)
		}
	}
	report, err = c.execute(p.journal, c.people)
	if settled := report.AlreadySent + len(report.Unknown) + len(report.InFlight); err != nil || settled != len(c.people) {
		c.Fatalf("%s: a third run over %d people ends with %s and the error %v; %s", where, len(c.people), totals(report), err, ruleStays)
	}
}

// totals formats the numbers of a report.
func totals(r *bulk.ExecuteReport) string {
	return fmt.Sprintf("%d sent, %d already sent, %d failed, %d unknown, %d in flight", r.Sent, r.AlreadySent, len(r.Failed), len(r.Unknown), len(r.InFlight))
}

func testExecute(t *journalTest) {
	p := t.open()
	c := t.newCampaign("execute", 150)
	report, err := c.execute(p.journal, c.people[:100])
	if err != nil || report.Sent != 100 {
		t.Fatalf("bulk.Execute to 100 people ended with %s and the error %v", totals(report), err)
	}
	p = t.reopen(p)
	again := slices.Clone(c.people[50:])
	for i := range again {
		again[i].Email = strings.ToUpper(again[i].Email) // the same people
	}
	report, err = c.execute(p.journal, again)
	if err != nil || report.Sent != 50 || report.AlreadySent != 50 {
		t.Fatalf("bulk.Execute to 50 of them and 50 others, after reopening, ended with %s and the error %v; want 50 sent and 50 already sent; %s", totals(report), err, ruleDurable)
	}
	c.settled("after two runs", p, false)
}

func testProcessesExecute(t *journalTest) {
	a, b := t.open(), t.open()
	c := t.newCampaign("execute-at-once", 400)
	lists := [][]demeterrr.ExecuteContact{c.people[:300], slices.Clone(c.people[100:])}
	slices.Reverse(lists[1])
	for _, err := range together(2, func(i int) error {
		_, err := c.execute([]*process{a, b}[i].journal, lists[i])
		return err
	}) {
		t.Fatalf("bulk.Execute in two processes with overlapping lists: %v", err)
	}
	c.settled("after two processes with overlapping lists", a, false)
}

// The steps of a failingJournal.
const (
	stepLookup = "Lookup"
	stepClaim  = "Claim"
	stepFinish = "Finish"
)

var errInjected = errors.New("demeterrrtest: this call of the journal fails on purpose")

// failingJournal fails one call of a step, before or after the real call.
type failingJournal struct {
	bulk.Journal
	step   string
	after  bool
	failed atomic.Bool
}

// at performs a step. On its first call of the failing step it returns an
// error.
func (j *failingJournal) at(step string, do func() error) error {
	if step != j.step || j.failed.Swap(true) {
		return do()
	}
	if j.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errInjected
}

func (j *failingJournal) Lookup(ctx context.Context, sequenceID string, emails []string) (known []bulk.JournalEntry, err error) {
	err = j.at(stepLookup, func() error {
		known, err = j.Journal.Lookup(ctx, sequenceID, emails)
		return err
	})
	return known, err
}

func (j *failingJournal) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	err = j.at(stepClaim, func() error {
		taken, err = j.Journal.Claim(ctx, sequenceID, token, emails)
		return err
	})
	return taken, err
}

func (j *failingJournal) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	return j.at(stepFinish, func() error { return j.Journal.Finish(ctx, sequenceID, token, entries) })
}

func testExecuteWhereTheJournalFails(t *journalTest) {
	p := t.open()
	for _, step := range []string{stepLookup, stepClaim, stepFinish} {
		for _, after := range []bool{false, true} {
			where := "after a run in which " + step + " failed before it did anything"
			if after {
				where = "after a run in which the answer of " + step + " was lost"
			}
			c := t.newCampaign(fmt.Sprintf("%s-%t-", bulk.EmailKey(step), after), 5)
			j := &failingJournal{Journal: p.journal, step: step, after: after}
			report, err := c.execute(j, c.people)
			if !j.failed.Load() {
				t.Fatalf("bulk.Execute ended before it called %s, with %s and the error %v", step, totals(report), err)
			}
			p = t.reopen(p)
			c.settled(where, p, step == stepFinish && !after)
		}
	}
}

func testExecuteWhereTheAPIFails(t *journalTest) {
	p := t.open()
	const route = "POST /sequences/{id}/execute"
	for _, fault := range []struct {
		where string
		fault Fault
		doubt bool
	}{
		{"after a run that met a 429", Fault{Route: route, Status: http.StatusTooManyRequests, Times: 2}, false},
		{"after a run without a connection", Fault{Route: route, Drop: NoConnection, Times: Always}, false},
		{"after a run that lost a reply", Fault{Route: route, Drop: DropAfter}, true},
	} {
		c := t.newCampaign(fmt.Sprintf("api-%t-%d-", fault.doubt, fault.fault.Status), 5)
		c.server.Inject(fault.fault)
		report, err := c.execute(p.journal, c.people)
		c.server.ClearFaults()
		if fault.doubt && len(report.Unknown) != len(c.people) {
			t.Fatalf("%s: bulk.Execute ended with %s and the error %v; want 5 unknown", fault.where, totals(report), err)
		}
		p = t.reopen(p)
		c.settled(fault.where, p, fault.doubt)
		if known := p.lookup(t.contactEmails(c.people)...); fault.doubt {
			known.want(t, "Lookup after a lost reply and two more runs", bulk.JournalUnknown, ruleStays, t.contactEmails(c.people)...)
		}
	}
}

func (t *journalTest) contactEmails(people []demeterrr.ExecuteContact) []string {
	var emails []string
	for _, to := range people {
		emails = append(emails, to.Email)
	}
	return slices.Clip(emails)
}
