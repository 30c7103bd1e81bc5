package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// A claim covers one attempt: while a call waits for the next one, it holds no
// claim.
func TestAClaimIsGivenBackBeforeAWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault demeterrrtest.Fault
		wait  time.Duration
	}{
		"after a 429":               {demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute}, time.Minute},
		"after a 429 for an hour":   {demeterrrtest.Fault{Status: 429, RetryAfter: time.Hour}, time.Hour},
		"after a failed connection": {demeterrrtest.Fault{Drop: demeterrrtest.NoConnection}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t)
				srv.Inject(tt.fault)
				j := newScriptedJournal()
				go func() {
					time.Sleep(tt.wait / 2)
					if n := j.count(); len(n) > 0 {
						t.Errorf("the journal has %v while the call waits", n)
					}
				}()
				report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 3)), &bulk.ExecuteOptions{Journal: j})
				if err != nil || report.Sent != 3 {
					t.Error(err, totals(report))
				}
				same(t, "steps", j.script(), []step{
					{Method: "Lookup", Emails: 3},
					{Method: "Claim", Token: 1, Emails: 3},
					{Method: "Finish", Token: 1, Emails: 3},
					{Method: "Claim", Token: 2, Emails: 3},
					{Method: "Finish", Token: 2, Emails: 3, State: bulk.JournalDone},
				})
				if len(j.steps) > 3 && (j.steps[2].At != 0 || j.steps[3].At < tt.wait) {
					t.Errorf("given back after %v, claimed anew after %v", j.steps[2].At, j.steps[3].At)
				}
				same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalDone: 3})
			})
		})
	}
}

// Other processes take contacts between the lookup and the claim.
func TestContactsThatAreTakenAreLeftOut(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newScriptedJournal()
	other := j.memoryJournal
	j.before = func(ctx context.Context, s step) error {
		if s.Method != "Claim" || s.Token != 1 {
			return nil
		}
		_, errOther := other.Claim(ctx, id, "other", keys(10, 14))
		return errors.Join(errOther, other.Finish(ctx, id, "other", []bulk.JournalEntry{
			{Email: keys(10, 11)[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: "c10"},
			{Email: keys(11, 12)[0], State: bulk.JournalDone, Status: "skipped", ContactID: "c11"},
			{Email: keys(12, 13)[0], State: bulk.JournalUnknown},
		}))
	}
	// A call can wait at a limiter, so it holds no claim there.
	limiter := acquiring(func() {
		if e := stateOf(t, other, id, keys(50, 51)[0]); e.State != bulk.JournalNew {
			t.Errorf("claimed at the limiter: %+v", e)
		}
	})
	report, err := bulk.Execute(t.Context(), srv.Client(demeterrr.WithLimiter(limiter)), id, bulk.Slice(recipients(0, 100)), &bulk.ExecuteOptions{Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	executeAdds(t, report)
	same(t, "report", totals(report), "read 100, duplicates 0, already sent 1, sent 96, skipped 1, failed 0, unknown 1, requests 1, in flight 1")
	same(t, "skipped", report.Skipped, []demeterrr.ExecutionResult{{Email: keys(11, 12)[0], ContactID: "c11", Status: "skipped"}})
	if f := report.InFlight[0]; f.Index != 13 || !errors.Is(f.Err, bulk.ErrInFlight) || errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
		t.Errorf("%+v", f)
	}
	if f := report.Unknown[0]; f.Index != 12 || !errors.Is(f.Err, demeterrr.ErrUnknownOutcome) || errors.Is(f.Err, bulk.ErrInFlight) {
		t.Errorf("%+v", f)
	}
	same(t, "messaged", messaged(srv), slices.Concat(keys(0, 10), keys(14, 100)))
	same(t, "steps", j.script(), []step{
		{Method: "Lookup", Emails: 100},
		{Method: "Claim", Token: 1, Emails: 100},
		{Method: "Finish", Token: 1, Emails: 100},
		{Method: "Claim", Token: 2, Emails: 96},
		{Method: "Finish", Token: 2, Emails: 96, State: bulk.JournalDone},
	})
	same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalDone: 98, bulk.JournalUnknown: 1, bulk.JournalBegun: 1})
}

// acquiring is a limiter that calls a function for each attempt.
type acquiring func()

func (a acquiring) Acquire(context.Context) (demeterrr.Release, error) {
	a()
	return func(demeterrr.LimitOutcome) {}, nil
}

func TestABatchThatIsTakenAsAWholeTakesNoRequest(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newScriptedJournal()
	j.before = func(ctx context.Context, s step) (err error) {
		if s.Method == "Claim" {
			_, err = j.memoryJournal.Claim(ctx, id, "other", keys(0, 100))
		}
		return err
	}
	places := &places{}
	report, err := bulk.Execute(t.Context(), srv.Client(demeterrr.WithLimiter(places)), id, bulk.Slice(recipients(0, 100)), &bulk.ExecuteOptions{Journal: j})
	if err != nil || len(report.InFlight) != 100 || report.Requests != 0 || len(srv.Requests()) > 0 || places.taken != 0 {
		t.Error(err, totals(report), places.taken)
	}
	same(t, "steps", j.script(), []step{{Method: "Lookup", Emails: 100}, {Method: "Claim", Token: 1, Emails: 100}, {Method: "Finish", Token: 1, Emails: 100}})
}

// miscountingJournal returns wrong entries from Claim in addition to the right
// ones.
type miscountingJournal struct {
	*memoryJournal
	more func(taken []bulk.JournalEntry, emails []string) []bulk.JournalEntry
}

func (j miscountingJournal) Claim(ctx context.Context, id, token string, emails []string) ([]bulk.JournalEntry, error) {
	taken, err := j.memoryJournal.Claim(ctx, id, token, emails)
	return j.more(taken, emails), err
}

// A journal may return an email twice, or one that it has just claimed for the
// caller. The claim is then given back. Otherwise it would stay in doubt
// forever, with nothing sent.
func TestAJournalThatMiscountsKeepsNoClaim(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		more func(taken []bulk.JournalEntry, emails []string) []bulk.JournalEntry
		want string
	}{
		"twice": {func(taken []bulk.JournalEntry, _ []string) []bulk.JournalEntry {
			return append(taken, taken...)
		}, "read 2, duplicates 0, already sent 0, sent 1, skipped 0, failed 0, unknown 0, requests 1, in flight 1"},
		"ours": {func(taken []bulk.JournalEntry, emails []string) []bulk.JournalEntry {
			return append(taken, bulk.JournalEntry{Email: emails[1], State: bulk.JournalBegun, Live: true})
		}, "read 2, duplicates 0, already sent 0, sent 0, skipped 0, failed 0, unknown 0, requests 0, in flight 2"},
	} {
		srv, id := survey(t)
		j := newMemoryJournal()
		first := true
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{
			Journal: miscountingJournal{j, func(taken []bulk.JournalEntry, emails []string) []bulk.JournalEntry {
				if !first {
					return taken
				}
				first = false
				return tt.more([]bulk.JournalEntry{{Email: emails[0], State: bulk.JournalBegun, Live: true}}, emails)
			}},
		})
		if got := totals(report); err != nil || got != tt.want || j.count()[bulk.JournalBegun] > 0 {
			t.Errorf("%s: %v, %s, %v", name, err, got, j.count())
		}
	}
}

// TestProcessesWithOverlappingListsSplitTheWork runs four processes at once on
// one journal.
func TestProcessesWithOverlappingListsSplitTheWork(t *testing.T) {
	t.Parallel()
	const people = 10_000
	for name, start := range map[string][]int{"the same list": {0, 0, 0, 0}, "shifted lists": {0, 133, 4_950, 7_777}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t, demeterrrtest.WithLatency(100*time.Millisecond, 900*time.Millisecond))
				srv.Inject(demeterrrtest.Fault{Skip: 40, Status: 429, RetryAfter: 3 * time.Second})
				srv.Inject(demeterrrtest.Fault{Skip: 60, Drop: demeterrrtest.DropAfter})
				j := newMemoryJournal()
				reports := make([]*bulk.ExecuteReport, len(start))
				var processes sync.WaitGroup
				for i, from := range start {
					list := slices.Concat(recipients(from, people), recipients(0, from))
					processes.Go(func() {
						var err error
						reports[i], err = bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(list), &bulk.ExecuteOptions{Journal: j, Concurrency: 2})
						if err != nil {
							t.Error(i, err)
						}
					})
				}
				processes.Wait()
				sent, unknown := 0, map[string]bool{}
				for i, r := range reports {
					executeAdds(t, r)
					t.Log(totals(r))
					if r.Sent < people/20 {
						t.Errorf("process %d sent to %d only", i, r.Sent)
					}
					sent += r.Sent
					for _, f := range r.Unknown {
						unknown[f.Contact.Email] = true
					}
				}
				if twice := srv.SentTwice(); len(twice) > 0 || sent+len(unknown) != people || len(unknown) != j.count()[bulk.JournalUnknown] || j.count()[bulk.JournalBegun] > 0 {
					t.Errorf("%d twice, %d sent, %d unknown, journal %v", len(twice), sent, len(unknown), j.count())
				}
			})
		})
	}
}

// slowClaims returns a journal with first claims of 61 seconds each.
func slowClaims(n int) *scriptedJournal {
	j := newScriptedJournal()
	j.after = func(_ context.Context, s step) error {
		if s.Method == "Claim" && s.Token <= n {
			time.Sleep(61 * time.Second)
		}
		return nil
	}
	return j
}

func TestAClaimThatIsOlderThanAMinuteIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		j := slowClaims(1)
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		if err != nil || report.Sent != 2 {
			t.Error(err, totals(report))
		}
		same(t, "steps", j.script()[1:], []step{
			{Method: "Claim", Token: 1, Emails: 2},
			{Method: "Finish", Token: 1, Emails: 2},
			{Method: "Claim", Token: 2, Emails: 2},
			{Method: "Finish", Token: 2, Emails: 2, State: bulk.JournalDone},
		})

		report, err = bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(2, 4)), &bulk.ExecuteOptions{Journal: slowClaims(2)})
		if err == nil || !strings.Contains(err.Error(), "more than a minute") || len(report.NotTried) != 2 || len(srv.Sendings()) != 2 {
			t.Error(err, totals(report))
		}
	})
}

func TestAClaimOfAMinuteIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		j := newScriptedJournal()
		j.after = func(_ context.Context, s step) error {
			if s.Method == "Claim" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		if err != nil || report.Sent != 2 || len(j.tokens) != 1 {
			t.Error(err, totals(report), len(j.tokens))
		}
	})
}

// A journal that cannot take an old claim back gets no other one.
func TestAnOldClaimThatStaysStopsTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		j := slowClaims(1)
		j.before = func(_ context.Context, s step) error {
			if s.Method == "Finish" {
				return errDiskFull
			}
			return nil
		}
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		if !errors.Is(err, errDiskFull) || len(srv.Requests()) > 0 || len(j.tokens) != 1 {
			t.Error(err, totals(report), len(j.tokens))
		}
	})
}

// An old claim is made anew, and the context ends meanwhile.
func TestABatchIsNotSentWhenItsContextEndsInTheSecondClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		ctx, cancel := context.WithCancel(t.Context())
		j := slowClaims(1)
		slow := j.after
		j.after = func(ctx context.Context, s step) error {
			if s.Method == "Claim" && s.Token == 2 {
				cancel()
			}
			return slow(ctx, s)
		}
		report, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "minute") || len(report.NotTried) != 2 || len(srv.Requests()) > 0 || len(j.count()) > 0 {
			t.Error(err, totals(report), j.count())
		}
	})
}

func TestTheFirstFailureOfAJournalIsTold(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j, errLater := newScriptedJournal(), errors.New("and nothing can be given back")
	j.before = func(_ context.Context, s step) error {
		return map[string]error{"Claim": errDiskFull, "Finish": errLater}[s.Method]
	}
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	if !errors.Is(err, errDiskFull) || errors.Is(err, errLater) || len(srv.Requests()) > 0 {
		t.Error(err, totals(report))
	}
}

// A reply may name the contacts in any order. Of an email that it names twice, the sending counts.
func TestResultsFindTheirContacts(t *testing.T) {
	t.Parallel()
	c := serving(t, answer(200, `{"data":{"sequenceId":"s1","sequenceName":"Survey","contactsProcessed":2,"sendingsCreated":1,"results":[`+
		`{"email":"b@example.com","contactId":"id-b","status":"queued"},{"email":"a@example.com","contactId":"id-a","status":"unsubscribed"},`+
		`{"email":"b@example.com","contactId":"id-b","status":"unsubscribed"}]}}`))
	people := bulk.Slice([]demeterrr.ExecuteContact{{Email: "a@example.com"}, {Email: "b@example.com"}})
	var got []string
	options := &bulk.ExecuteOptions{OnResult: func(r bulk.ExecuteResult) {
		got = append(got, fmt.Sprint(r.Index, r.Contact.Email, r.Outcome, r.ContactID))
	}}
	want := []string{fmt.Sprint(0, "a@example.com", bulk.ExecuteSkipped, "id-a"), fmt.Sprint(1, "b@example.com", bulk.ExecuteSent, "id-b")}
	report, err := bulk.Execute(t.Context(), c, "s1", people, options)
	if err != nil || report.Sent != 1 || len(report.Skipped) != 1 {
		t.Error(err, totals(report))
	}
	same(t, "results", got, want)

	got = nil
	c = serving(t, answer(200, `{"data":{"sequenceId":"s1","sequenceName":"Survey","contactsProcessed":2,"sendingsCreated":1,"results":[`+
		`{"email":"b@example.com","contactId":"id-b","status":"queued"},{"email":"a@example.com","contactId":"id-a","status":"unsubscribed"}]}}`))
	report, err = bulk.Execute(t.Context(), c, "s1", people, options)
	if err != nil || report.Sent != 1 || len(report.Skipped) != 1 {
		t.Error(err, totals(report))
	}
	same(t, "results", got, want)
}

func TestALostReplyIsUnknownAtOnce(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	srv.Inject(demeterrrtest.Fault{Drop: demeterrrtest.DropAfter})
	j := newScriptedJournal()
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	if err != nil || len(report.Unknown) != 2 {
		t.Error(err, totals(report))
	}
	same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalUnknown: 2})
	same(t, "last step", j.script()[2:], []step{{Method: "Finish", Token: 1, Emails: 2, State: bulk.JournalUnknown}})
}

// A transport that panics may have sent the request.
func TestAPanicOfTheTransportLeavesItsBatchUnknown(t *testing.T) {
	t.Parallel()
	client := through(t, func(*http.Request) (*http.Response, error) { panic("a bug in a transport") })
	j := newMemoryJournal()
	defer func() {
		same(t, "recovered", recover(), any("a bug in a transport"))
		same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalUnknown: 100})
	}()
	_, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 200)), &bulk.ExecuteOptions{Journal: j})
	t.Error("Execute has returned", err)
}

// If the context ends during the claim, the batch stays unsent. The journal did
// its part, so the error names the context alone.
func TestABatchIsNotSentWhenItsContextEndsInTheClaim(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	ctx, cancel := context.WithCancel(t.Context())
	j := newScriptedJournal()
	j.after = func(_ context.Context, s step) error {
		if s.Method == "Claim" {
			cancel()
		}
		return nil
	}
	report, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	if !errors.Is(err, context.Canceled) || len(report.NotTried) != 2 || len(srv.Requests()) > 0 || len(j.count()) > 0 {
		t.Error(err, totals(report), j.count())
	}
	if err != nil && strings.Contains(err.Error(), "journal") {
		t.Errorf("%v, and the journal has not failed", err)
	}
	same(t, "steps", j.script()[1:], []step{{Method: "Claim", Token: 1, Emails: 2}, {Method: "Finish", Token: 1, Emails: 2}})
}

// A journal that fails to take back a claim ends the wait for the retry.
func TestARunDoesNotWaitForARetryWhenItsJournalHasFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Hour})
		j := newScriptedJournal()
		j.before = func(_ context.Context, s step) error {
			if s.Method == "Finish" {
				return errDiskFull
			}
			return nil
		}
		start := time.Now()
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 200)), &bulk.ExecuteOptions{Journal: j})
		executeAdds(t, report)
		if !errors.Is(err, errDiskFull) || len(report.Failed) != 100 || len(srv.Sendings()) > 0 || time.Since(start) > time.Second {
			t.Error(err, totals(report), time.Since(start))
		}
		for _, f := range report.Failed {
			wantIsNot(t, f.Err, context.Canceled, demeterrr.ErrUnknownOutcome)
			if !strings.Contains(f.Err.Error(), "the journal could not record") {
				t.Fatal(f.Err)
			}
		}
		same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalBegun: 100})
	})
}

// TestCaseIsOnePersonAndWidthTwo sends to two emails that differ in case, and
// to two that differ in the width of a letter.
func TestCaseIsOnePersonAndWidthTwo(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newMemoryJournal()
	for i, want := range []string{
		"read 4, duplicates 1, already sent 0, sent 3, skipped 0, failed 0, unknown 0, requests 1",
		"read 4, duplicates 1, already sent 3, sent 0, skipped 0, failed 0, unknown 0, requests 0",
	} {
		var input []demeterrr.ExecuteContact
		for _, email := range []string{"Jane@example.com", "jANE@example.com", "a@example.com", "ａ@example.com"} {
			if i == 1 {
				email = strings.ToUpper(email)
			}
			input = append(input, demeterrr.ExecuteContact{Email: email})
		}
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(input), &bulk.ExecuteOptions{Journal: j})
		if err != nil {
			t.Error(err)
		}
		same(t, "report", totals(report), want)
	}
}

// Lower case can make an email longer than the 320 bytes of a journal.
func TestAnEmailThatNoJournalCanHoldFails(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	contact := demeterrr.ExecuteContact{Email: strings.Repeat("Ⱥ", 150) + "@example.com"}
	if err := contact.Validate(); err != nil || len(bulk.EmailKey(contact.Email)) <= 320 {
		t.Fatal(err, len(bulk.EmailKey(contact.Email)))
	}
	input := append(recipients(0, 1), contact, demeterrr.ExecuteContact{Email: strings.Repeat("a", 10_240) + "@example.com"})
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(input), &bulk.ExecuteOptions{Journal: newMemoryJournal()})
	if err != nil || report.Sent != 1 || len(report.Failed) != 2 || len(srv.Sendings()) != 1 {
		t.Fatal(err, totals(report))
	}
	for _, f := range report.Failed {
		wantIs(t, f.Err, demeterrr.ErrValidation)
		if !strings.Contains(f.Err.Error(), "longer than 320 bytes") {
			t.Error(f.Err)
		}
	}
}

// TestARandomRunKeepsItsJournalRight tries random faults, other processes and
// ends. It compares the journal with the sendings.
func TestARandomRunKeepsItsJournalRight(t *testing.T) {
	t.Parallel()
	for seed := range rounds(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			srv, id := survey(t, demeterrrtest.WithLatency(0, time.Second))
			for range r.IntN(6) {
				srv.Inject(randomFault(r, 20))
			}
			j := newMemoryJournal()
			var processes sync.WaitGroup
			for range 1 + r.IntN(3) {
				from, options := r.IntN(500), &bulk.ExecuteOptions{Journal: j, Concurrency: r.IntN(4), SplitRefused: r.IntN(2) == 0}
				end := time.Duration(1+r.IntN(100)) * time.Second
				processes.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), end)
					defer cancel()
					report, _ := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(from, from+1000)), options)
					executeAdds(t, report)
				})
			}
			processes.Wait()
			if twice := srv.SentTwice(); len(twice) > 0 {
				t.Errorf("seed %d: %d twice", seed, len(twice))
			}
			reached := map[string]bool{}
			for _, email := range messaged(srv) {
				reached[email] = true
				if e := stateOf(t, j, id, email); e.State != bulk.JournalDone && e.State != bulk.JournalUnknown {
					t.Fatalf("seed %d: %s was messaged, and is %q", seed, email, e.State)
				}
			}
			for email, e := range j.entries {
				if e.State == bulk.JournalBegun || e.State == bulk.JournalDone && e.Status == demeterrr.ExecutionQueued && !reached[email] {
					t.Fatalf("seed %d: %s is %q, messaged: %v", seed, email, e.State, reached[email])
				}
			}
		})
	}
}

func TestEveryClaimHasATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	j := newScriptedJournal()
	client := through(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	for i := range 20 {
		_, _ = bulk.Execute(t.Context(), client, fmt.Sprint("s", i), bulk.Slice(recipients(i*100, i*100+100)), &bulk.ExecuteOptions{Journal: j})
	}
	for _, token := range j.tokens {
		if seen[token] || len(token) < 20 || len(token) > 64 {
			t.Errorf("token %q", token)
		}
		seen[token] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d tokens", len(seen))
	}
}
