package bulk_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// TestOnResultTellsEveryOutcome produces every outcome in one run.
func TestOnResultTellsEveryOutcome(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	skipped := srv.AddContact(demeterrr.Contact{Email: "customer1@example.com", Unsubscribed: true})
	srv.Inject(demeterrrtest.Fault{Skip: 1, Drop: demeterrrtest.DropAfter})
	srv.Inject(demeterrrtest.Fault{Skip: 1, Status: 401})
	j := newScriptedJournal()
	j.entries[keys(2, 3)[0]] = bulk.JournalEntry{Email: keys(2, 3)[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: "c2"}
	j.entries[keys(3, 4)[0]] = bulk.JournalEntry{Email: keys(3, 4)[0], State: bulk.JournalDone, Status: "skipped", ContactID: "c3"}
	j.entries[keys(4, 5)[0]] = bulk.JournalEntry{Email: keys(4, 5)[0], State: bulk.JournalBegun, Live: true}
	j.entries[keys(5, 6)[0]] = bulk.JournalEntry{Email: keys(5, 6)[0], State: bulk.JournalBegun}
	input := slices.Concat(recipients(0, 6), recipients(0, 1), []demeterrr.ExecuteContact{{Email: "nobody"}}, recipients(6, 398))
	var results []bulk.ExecuteResult
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(input), &bulk.ExecuteOptions{
		Journal: j, Concurrency: 1,
		OnResult: func(r bulk.ExecuteResult) {
			if sent := r.Outcome == bulk.ExecuteSent; sent && stateOf(t, j.memoryJournal, id, r.Contact.Email).State != bulk.JournalDone {
				t.Errorf("the journal does not know %d yet", r.Index)
			}
			results = append(results, r)
		},
	})
	wantIs(t, err, demeterrr.ErrUnauthorized)
	executeAdds(t, report)
	byIndex, count := map[int]bulk.ExecuteResult{}, map[bulk.ExecuteOutcome]int{}
	for _, r := range results {
		if _, twice := byIndex[r.Index]; twice || r.Contact != input[r.Index] {
			t.Errorf("%+v", r)
		}
		byIndex[r.Index] = r
		count[r.Outcome]++
	}
	want := map[bulk.ExecuteOutcome]int{
		bulk.ExecuteSent: report.Sent, bulk.ExecuteSkipped: len(report.Skipped), bulk.ExecuteAlreadySent: report.AlreadySent,
		bulk.ExecuteDuplicate: report.Duplicates, bulk.ExecuteInFlight: len(report.InFlight), bulk.ExecuteUnknown: len(report.Unknown),
		bulk.ExecuteFailed: len(report.Failed), bulk.ExecuteNotTried: len(report.NotTried),
	}
	for outcome, n := range want {
		if count[outcome] != n {
			t.Errorf("%d are %s, want %d", count[outcome], outcome, n)
		}
	}
	same(t, "one of each", []int{report.Sent, len(report.Skipped), report.AlreadySent, report.Duplicates, len(report.InFlight), len(report.Unknown), len(report.Failed)}, []int{99, 2, 1, 1, 1, 101, 101})
	same(t, "skipped now", byIndex[1], bulk.ExecuteResult{Index: 1, Contact: input[1], Outcome: bulk.ExecuteSkipped, Status: "skipped", ContactID: skipped.ID})
	same(t, "sent before", byIndex[2], bulk.ExecuteResult{Index: 2, Contact: input[2], Outcome: bulk.ExecuteAlreadySent, Status: demeterrr.ExecutionQueued, ContactID: "c2"})
	same(t, "skipped before", byIndex[3], bulk.ExecuteResult{Index: 3, Contact: input[3], Outcome: bulk.ExecuteSkipped, Status: "skipped", ContactID: "c3"})
	if r := byIndex[0]; r.Outcome != bulk.ExecuteSent || len(r.ContactID) != 36 || r.Status != demeterrr.ExecutionQueued || r.Err != nil {
		t.Errorf("%+v", r)
	}
	for i, target := range map[int]error{4: bulk.ErrInFlight, 5: demeterrr.ErrUnknownOutcome, 7: demeterrr.ErrValidation, 150: demeterrr.ErrUnknownOutcome, 250: demeterrr.ErrUnauthorized} {
		if !errors.Is(byIndex[i].Err, target) {
			t.Errorf("contact %d: %+v", i, byIndex[i])
		}
	}
	// The order: first contacts without a request, then the batch.
	var first []int
	for _, r := range results[:8] {
		first = append(first, r.Index)
	}
	same(t, "order", first, []int{6, 7, 2, 3, 4, 5, 0, 1})
}

// NotTried lists the input positions of the remaining contacts, in order.
func TestWhatWasNotTriedIsListedByItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t, demeterrrtest.WithLatency(time.Second, 2*time.Second))
		srv.Inject(demeterrrtest.Fault{Skip: 3, Status: 401, Times: demeterrrtest.Always})
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 5000)), &bulk.ExecuteOptions{Concurrency: 3})
		executeAdds(t, report)
		wantIs(t, err, demeterrr.ErrUnauthorized)
		if len(report.NotTried) == 0 || !slices.IsSorted(report.NotTried) {
			t.Errorf("not tried: %v", report.NotTried)
		}
		for _, f := range report.Failed {
			if slices.Contains(report.NotTried, f.Index) {
				t.Fatalf("%d has failed, and was not tried", f.Index)
			}
		}
	})
}

// slowLimiter lets the first request pass at once, and the others one an hour.
type slowLimiter struct{ next time.Time }

func (l *slowLimiter) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if wait := time.Until(l.next); wait > 0 {
		demeterrr.ReportWait(ctx, l.next)
		time.Sleep(wait)
	}
	l.next = time.Now().Add(time.Hour)
	return nil, nil //nolint:nilnil // there is nothing to give back
}

// The progress has the reason and the end of a wait.
func TestProgressTellsOfWaits(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, c *demeterrr.Client, id string, told func(demeterrr.WaitReason, time.Time)) error{
		"Execute": func(t *testing.T, c *demeterrr.Client, id string, told func(demeterrr.WaitReason, time.Time)) error {
			t.Helper()
			_, err := bulk.Execute(t.Context(), c, id, bulk.Slice(recipients(0, 300)), &bulk.ExecuteOptions{
				OnProgress: func(p bulk.ExecuteProgress) { told(p.WaitingFor, p.WaitingUntil) },
			})
			return err
		},
		"Sync": func(t *testing.T, c *demeterrr.Client, _ string, told func(demeterrr.WaitReason, time.Time)) error {
			t.Helper()
			_, err := bulk.Sync(t.Context(), c, bulk.Slice(customerList(0, 3)), &bulk.SyncOptions{
				Concurrency: 1, OnProgress: func(p bulk.SyncProgress) { told(p.WaitingFor, p.WaitingUntil) },
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t)
				srv.Inject(demeterrrtest.Fault{Skip: 1, Status: 429, RetryAfter: time.Hour})
				var limiter slowLimiter
				var waits []demeterrr.WaitReason
				quiet := 0
				err := run(t, srv.Client(demeterrr.WithLimiter(&limiter)), id, func(reason demeterrr.WaitReason, until time.Time) {
					switch {
					case reason == "":
						quiet++
					case time.Until(until) < 50*time.Minute:
						t.Errorf("%s until %v, now %v", reason, until, time.Now())
					default:
						waits = append(waits, reason)
					}
				})
				if err != nil || quiet < 3 {
					t.Error(err, quiet)
				}
				slices.Sort(waits)
				same(t, "waits", slices.Compact(waits), []demeterrr.WaitReason{demeterrr.WaitReasonLimiter, demeterrr.WaitReasonRateLimited})
			})
		})
	}
}
