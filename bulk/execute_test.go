package bulk_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const routeExecute = "POST /sequences/{id}/execute"

func TestExecuteSendsBatchesOf100AndEachEmailOnce(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	srv.AddContact(demeterrr.Contact{Email: "customer5@example.com", Unsubscribed: true})
	input := slices.Concat(recipients(0, 250), recipients(100, 150), []demeterrr.ExecuteContact{
		{Email: "CUSTOMER1@example.com"}, {FirstName: "Nobody"}, {Email: "bad\xff@example.com"}, {Email: "not..valid@example.com"},
	})
	var last bulk.ExecuteProgress
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(input), &bulk.ExecuteOptions{
		OnProgress: func(p bulk.ExecuteProgress) { last = p },
	})
	if err != nil {
		t.Fatal(err)
	}
	executeAdds(t, report)
	if diff := cmp.Diff("read 304, duplicates 51, already sent 0, sent 249, skipped 2, failed 2, unknown 0, requests 3", totals(report)); diff != "" {
		t.Error(diff)
	}
	want := bulk.ExecuteProgress{Read: 304, Duplicates: 51, Sent: 249, Skipped: 2, Failed: 2, Requests: 3}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	for _, f := range report.Failed {
		if !errors.Is(f.Err, demeterrr.ErrValidation) || f.Index < 301 {
			t.Errorf("%+v", f)
		}
	}
	if sent := len(srv.Sendings()); sent != 249 || len(srv.SentTwice()) > 0 {
		t.Errorf("%d sendings, twice: %v", sent, srv.SentTwice())
	}
}

func TestExecutePassesLocationAndEmployee(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	options := &bulk.ExecuteOptions{LocationID: "660e8400-e29b-41d4-a716-446655440000", EmployeeID: "770e8400-e29b-41d4-a716-446655440000"}
	if _, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 1)), options); err != nil {
		t.Fatal(err)
	}
	if s := srv.Sendings()[0]; s.LocationID != options.LocationID || s.EmployeeID != options.EmployeeID {
		t.Errorf("%+v", s)
	}
}

func TestAContactThatTheReplyDoesNotNameIsSkipped(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	srv.Inject(demeterrrtest.Fault{Route: routeExecute, Body: `{"data":{"sequenceId":"s","results":[
		{"email":"CUSTOMER1@example.com","contactId":null,"status":"queued"},
		{"email":"customer2@example.com","contactId":"c2","status":"deferred"},
		{"email":"customer3@example.com","contactId":"c4","status":"deferred"},
		{"email":"customer3@example.com","contactId":"c4","status":"queued"},
		{"email":"stranger@example.com","contactId":"c3","status":"queued"}]}}`})
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 4)), nil)
	if err != nil || report.Sent != 2 {
		t.Fatal(err, totals(report))
	}
	want := []demeterrr.ExecutionResult{{Email: "customer0@example.com"}, {Email: "customer2@example.com", ContactID: "c2", Status: "deferred"}}
	if diff := cmp.Diff(want, report.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestABatchFailsAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault demeterrrtest.Fault
		want  string
	}{
		{"refused", demeterrrtest.Fault{Status: 400}, "read 300, duplicates 0, already sent 0, sent 200, skipped 0, failed 100, unknown 0, requests 3"},
		{"500", demeterrrtest.Fault{Status: 500}, "read 300, duplicates 0, already sent 0, sent 200, skipped 0, failed 0, unknown 100, requests 3"},
		{"reply lost", demeterrrtest.Fault{Drop: demeterrrtest.DropAfter}, "read 300, duplicates 0, already sent 0, sent 200, skipped 0, failed 0, unknown 100, requests 3"},
		{"reply cut short", demeterrrtest.Fault{Drop: demeterrrtest.Truncate}, "read 300, duplicates 0, already sent 0, sent 200, skipped 0, failed 0, unknown 100, requests 3"},
		{"429 once", demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute}, "read 300, duplicates 0, already sent 0, sent 300, skipped 0, failed 0, unknown 0, requests 4"},
		{"no connection, for good", demeterrrtest.Fault{Drop: demeterrrtest.NoConnection, Times: 4}, "read 300, duplicates 0, already sent 0, sent 200, skipped 0, failed 100, unknown 0, requests 6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t)
				tt.fault.Route, tt.fault.Skip = routeExecute, 1
				srv.Inject(tt.fault)
				j := openJournal(t, filepath.Join(dir, "journal"), id)
				options := &bulk.ExecuteOptions{Journal: j}
				report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 300)), options)
				if err != nil {
					t.Fatal(err)
				}
				executeAdds(t, report)
				if diff := cmp.Diff(tt.want, totals(report)); diff != "" {
					t.Error(diff)
				}
				doubted := len(report.Unknown)
				if len(j.InDoubt()) != doubted {
					t.Errorf("%d in doubt, want %d", len(j.InDoubt()), doubted)
				}
				// The next run sends the rest and leaves the contacts in doubt
				// alone.
				again, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 300)), options)
				executeAdds(t, again)
				if err != nil || again.Sent != len(report.Failed) || len(again.Unknown) != doubted || again.AlreadySent != report.Sent || len(srv.SentTwice()) > 0 {
					t.Error(err, totals(again), srv.SentTwice())
				}
				for _, f := range again.Unknown {
					if !errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
						t.Fatal(f.Err)
					}
				}
			})
		})
	}
}

func TestExecuteStopsWhereGoingOnIsOfNoUse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		fault         demeterrrtest.Fault
		want          error
		read, batches int
	}{
		{"key revoked", demeterrrtest.Fault{Status: 401}, demeterrr.ErrInvalidAPIKey, 300, 2},
		{"no scope", demeterrrtest.Fault{Status: 403}, demeterrr.ErrInsufficientPermissions, 300, 2},
		{"no such sequence", demeterrrtest.Fault{Status: 404}, demeterrr.ErrNotFound, 300, 2},
		{"not active", demeterrrtest.Fault{Code: demeterrr.CodeSequenceInactive}, demeterrr.ErrSequenceInactive, 300, 2},
		{"a wait of two hours", demeterrrtest.Fault{Status: 429, RetryAfter: 2 * time.Hour}, demeterrr.ErrRateLimited, 300, 2},
		{"the service is away", demeterrrtest.Fault{Status: 502}, demeterrr.ErrUnknownOutcome, 700, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t)
				tt.fault.Route, tt.fault.Skip, tt.fault.Times = routeExecute, 1, demeterrrtest.Always
				srv.Inject(tt.fault)
				report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 5000)), nil)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				executeAdds(t, report)
				if report.Sent != 100 || report.Requests != tt.batches || report.Read > tt.read {
					t.Error(totals(report))
				}
				for _, f := range report.Failed {
					if !attempted(f.Err) {
						t.Fatalf("contact %d failed without an attempt: %v", f.Index, f.Err)
					}
				}
				if want := report.Read - report.Sent - len(report.Failed) - len(report.Unknown); len(report.NotTried) != want {
					t.Error(totals(report))
				}
			})
		})
	}
}

// TestABatchInFlightMayFinish ends the context while a batch is in flight.
func TestABatchInFlightMayFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t, demeterrrtest.WithLatency(2*time.Second, 2*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		report, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 1000)), nil)
		executeAdds(t, report)
		if !errors.Is(err, context.DeadlineExceeded) || report.Sent != 200 || len(report.Unknown) != 0 || len(srv.Sendings()) != 200 {
			t.Error(err, totals(report))
		}
	})
}

// held is a limiter that lets a number of requests pass. It blocks the others
// until the context ends.
type held struct{ left int }

func (h *held) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if h.left--; h.left >= 0 {
		return func(demeterrr.LimitOutcome) {}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestABatchThatALimiterHoldsBackIsNotInDoubt ends the run while the second
// batch waits at a limiter.
func TestABatchThatALimiterHoldsBackIsNotInDoubt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		j := openJournal(t, path, id)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		client := srv.Client(demeterrr.WithLimiter(&held{left: 1}))
		go func() {
			time.Sleep(time.Minute)
			if known := must(j.Lookup(ctx, id, keys(100, 200))); len(known) > 0 {
				t.Errorf("%d are in the journal while nothing is on its way", len(known))
			}
		}()
		report, err := bulk.Execute(ctx, client, id, bulk.Slice(recipients(0, 1000)), &bulk.ExecuteOptions{Journal: j})
		executeAdds(t, report)
		if !errors.Is(err, context.DeadlineExceeded) || report.Sent != 100 || len(report.Unknown) != 0 || len(j.InDoubt()) != 0 {
			t.Error(err, totals(report))
		}
	})
}

func TestExecuteStopsWhenItsInputFails(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	torn := errors.New("line 151 is torn")
	report, err := bulk.Execute(t.Context(), srv.Client(), id, thenFail(recipients(0, 150), torn), nil)
	executeAdds(t, report)
	// The first batch may be in flight by then. The second never is.
	if !errors.Is(err, torn) || report.Sent != len(srv.Sendings()) || report.Sent > 100 || report.Sent+len(report.NotTried) != 150 {
		t.Error(err, totals(report))
	}
}

func TestExecuteRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	client := srv.Client()
	for name, call := range map[string]func() (*bulk.ExecuteReport, error){
		"negative concurrency": func() (*bulk.ExecuteReport, error) {
			return bulk.Execute(t.Context(), client, id, bulk.Slice(recipients(0, 1)), &bulk.ExecuteOptions{Concurrency: -1})
		},
		"no client": func() (*bulk.ExecuteReport, error) {
			return bulk.Execute(t.Context(), nil, id, bulk.Slice(recipients(0, 1)), nil)
		},
		"no input": func() (*bulk.ExecuteReport, error) {
			return bulk.Execute(t.Context(), client, id, nil, nil)
		},
		"no id": func() (*bulk.ExecuteReport, error) {
			return bulk.Execute(t.Context(), client, "", bulk.Slice(recipients(0, 1)), nil)
		},
		"torn text": func() (*bulk.ExecuteReport, error) {
			return bulk.Execute(t.Context(), client, id, bulk.Slice(recipients(0, 1)), &bulk.ExecuteOptions{LocationID: "\xff"})
		},
	} {
		if report, err := call(); !errors.Is(err, demeterrr.ErrValidation) || report == nil || len(srv.Requests()) > 0 {
			t.Errorf("%s: %v %v", name, report, err)
		}
	}
}

func TestACallThatAStoppedOperationCutsShortWasNotCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var arrived atomic.Int64
		client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			wait, retryAfter := time.Second, "30" // three wait
			if arrived.Add(1) > 3 {
				wait, retryAfter = 2*time.Second, "7200" // and one gets a wait that is too long
			}
			time.Sleep(wait)
			w.Header().Set("Retry-After", retryAfter)
			answer(429, `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later."}}`)(w, nil)
		}, demeterrr.WithRetryPolicy(demeterrr.DefaultRetryPolicy()))
		report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 1000)), &bulk.ExecuteOptions{Concurrency: 4})
		executeAdds(t, report)
		if !errors.Is(err, demeterrr.ErrRateLimited) || report.Requests != 4 || len(report.Failed) != 400 || len(report.NotTried) == 0 {
			t.Error(err, totals(report))
		}
		for _, f := range report.Failed {
			if errors.Is(f.Err, context.Canceled) || !errors.Is(f.Err, demeterrr.ErrRateLimited) {
				t.Fatalf("contact %d: %v", f.Index, f.Err)
			}
		}
	})
}
