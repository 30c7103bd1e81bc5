package bulk_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// The operations stop after 5 writes in a row with lost replies. The remaining
// contacts certainly got nothing.
func TestWhatWasNotTriedIsNotInDoubt(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			var lost atomic.Int64
			c := through(t, func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodGet {
					return replying(200, `{"data":[],"meta":{"page":1,"perPage":100,"total":0,"totalPages":0}}`), nil
				}
				lost.Add(1)
				time.Sleep(time.Second)
				return nil, io.ErrUnexpectedEOF
			}, demeterrr.WithRetryPolicy(demeterrr.DefaultRetryPolicy()))
			report, err := bulk.Execute(t.Context(), c, "s", bulk.Slice(recipients(0, 2000)), &bulk.ExecuteOptions{Concurrency: concurrency})
			executeAdds(t, report)
			if sent := 100 * int(lost.Load()); len(report.Unknown) != sent || len(report.NotTried) == 0 || len(report.Failed) > 0 || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
				t.Errorf("%d were sent to: %s (%v)", sent, totals(report), err)
			}
			sync, err := bulk.Sync(t.Context(), c, bulk.Slice(customerList(0, 1000)), &bulk.SyncOptions{Concurrency: concurrency})
			if len(sync.Failed)+len(sync.NotTried) != 1000 || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
				t.Error(summary(sync), err)
			}
			for _, f := range sync.Failed {
				wantIs(t, f.Err, demeterrr.ErrUnknownOutcome)
			}
			if tried := len(sync.Failed); tried < 5 || tried > 5+concurrency {
				t.Errorf("%d were tried", tried)
			}
		})
	}
}

// One call waits for its retry when the lost replies of others end the
// operation.
func TestAWaitThatAnothersDoubtEndsIsNotInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var arrived atomic.Int64
		client := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if arrived.Add(1) == 1 {
				time.Sleep(time.Second) // the others are in flight, past the gate
				w.Header().Set("Retry-After", "60")
				answer(429, limited60JSON)(w, r)
				return
			}
			time.Sleep(10 * time.Second)
			answer(500, "")(w, r)
		}, demeterrr.WithRetryPolicy(demeterrr.DefaultRetryPolicy()))
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"), "s1")
		report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 5000)), &bulk.ExecuteOptions{Concurrency: 6, Journal: j})
		executeAdds(t, report)
		if !errors.Is(err, demeterrr.ErrUnknownOutcome) || len(report.Unknown) != 500 || len(j.InDoubt()) != 500 {
			t.Error(totals(report), len(j.InDoubt()), err)
		}
		for _, f := range report.Failed {
			wantIs(t, f.Err, demeterrr.ErrRateLimited)
			wantIsNot(t, f.Err, demeterrr.ErrUnknownOutcome, context.Canceled)
		}
		if len(report.Failed) != 100 || len(report.NotTried) == 0 {
			t.Error(totals(report))
		}
	})
}

// The create's reply is lost and its retry meets a 409. Then the operation ends
// before the contact is looked up.
func TestADoubtOfItsOwnStaysWithAContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mine, others atomic.Int64
		client := serving(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch {
			case r.Method == http.MethodGet:
				answer(200, `{"data":[],"meta":{"page":1,"perPage":100,"total":0,"totalPages":0}}`)(w, r)
			case !strings.Contains(string(body), "customer0@"):
				others.Add(1)
				time.Sleep(5 * time.Second)
				answer(401, `{"error":{"code":"INVALID_API_KEY","message":"Invalid API key"}}`)(w, r)
			case mine.Add(1) == 1:
				answer(502, "")(w, r)
			default:
				time.Sleep(10 * time.Second)
				answer(409, `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`)(w, r)
			}
		}, demeterrr.WithRetryPolicy(demeterrr.DefaultRetryPolicy()))
		report, err := bulk.Sync(t.Context(), client, bulk.Slice(customerList(0, 3)), &bulk.SyncOptions{Concurrency: 2})
		wantIs(t, err, demeterrr.ErrInvalidAPIKey)
		if len(report.Failed) != 2 || mine.Load() != 2 {
			t.Fatal(summary(report), mine.Load(), others.Load())
		}
		wantIs(t, report.Failed[0].Err, demeterrr.ErrUnknownOutcome)
		wantIsNot(t, report.Failed[1].Err, demeterrr.ErrUnknownOutcome)
		wantIsNot(t, report.Failed[0].Err, context.Canceled)
		same(t, "not tried", report.NotTried, []int{2})
	})
}

func TestAnEmailThatCannotBeIsRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	client := serving(t, neverSent(t))
	for email, says := range map[string]string{
		strings.Repeat("john.doe", 1<<17) + "@example.com": "longer than 320 bytes",
		"john.doe@exam\u00adple.com":                       "invisible character U+00AD",
	} {
		synced, err := bulk.Sync(t.Context(), client, bulk.Slice([]demeterrr.ContactParams{{Email: email, FirstName: "John"}}), nil)
		if err != nil || len(synced.Failed) != 1 {
			t.Fatal(err, summary(synced))
		}
		executed, err := bulk.Execute(t.Context(), client, "s", bulk.Slice([]demeterrr.ExecuteContact{{Email: email}}), nil)
		if err != nil || len(executed.Failed) != 1 {
			t.Fatal(err, totals(executed))
		}
		for _, err := range []error{synced.Failed[0].Err, executed.Failed[0].Err} {
			wantIs(t, err, demeterrr.ErrValidation)
			if text := err.Error(); !strings.Contains(text, says) || strings.Contains(text, "john.doe") {
				t.Errorf("got %s, want %q and no email", text, says)
			}
		}
	}
}
