package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// eachOf yields the items, as an input that does not fail.
func eachOf[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// thenFail yields the items and then an error.
func thenFail[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		var none T
		yield(none, err)
	}
}

func customer(i int) demeterrr.ContactParams {
	return demeterrr.ContactParams{
		Email: fmt.Sprintf("customer%d@example.com", i), FirstName: fmt.Sprintf("First%d", i), LastName: "Last",
		CustomFields: map[string]any{"tier": "Gold", "visits": i}, Tags: []string{"a", "b"},
	}
}

func customerList(from, to int) []demeterrr.ContactParams {
	list := make([]demeterrr.ContactParams, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, customer(i))
	}
	return list
}

// account is a fake that has the customers 0 to n-1.
func account(t testing.TB, n int, opts ...demeterrrtest.Option) *demeterrrtest.Server {
	t.Helper()
	srv := demeterrrtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	for i := range n {
		c := customer(i)
		srv.AddContact(demeterrr.Contact{
			Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: "+15551234567",
			CustomFields: map[string]any{"visits": i, "tier": "Gold", "other": true}, Tags: []string{"b", "a"},
		})
	}
	return srv
}

// counted counts the requests that reached the fake.
func counted(srv *demeterrrtest.Server) (reads, writes int) {
	for _, r := range srv.Requests() {
		if r.Method == http.MethodGet {
			reads++
		} else {
			writes++
		}
	}
	return reads, writes
}

// adds fails the test if the report of a Sync does not add up.
func adds(t testing.TB, srv *demeterrrtest.Server, r *demeterrr.SyncReport) {
	t.Helper()
	if sum := r.Duplicates + r.Created + r.Updated + r.Unchanged + len(r.Failed); r.Read != sum {
		t.Errorf("read %d, but the parts are %d: %s", r.Read, sum, summary(r))
	}
	if reads, writes := counted(srv); r.Requests != reads+writes {
		t.Errorf("the report has %d requests, the fake counted %d", r.Requests, reads+writes)
	}
}

func summary(r *demeterrr.SyncReport) string {
	return fmt.Sprintf("read %d, duplicates %d, created %d, updated %d, unchanged %d, failed %d, plan %d",
		r.Read, r.Duplicates, r.Created, r.Updated, r.Unchanged, len(r.Failed), len(r.Plan))
}

// has fails the test if the account does not hold what a contact's params say.
func has(t testing.TB, srv *demeterrrtest.Server, params []demeterrr.ContactParams) {
	t.Helper()
	byEmail := map[string]demeterrr.Contact{}
	for _, c := range srv.Contacts() {
		byEmail[strings.ToLower(c.Email)] = c
	}
	for _, p := range params {
		if c, ok := byEmail[strings.ToLower(p.Email)]; !ok || c.FirstName != p.FirstName || c.LastName != p.LastName {
			t.Errorf("the account has %q %q for %s, want %q %q", c.FirstName, c.LastName, p.Email, p.FirstName, p.LastName)
		}
	}
}

// attempted reports whether a request was sent in the call that an error is of.
func attempted(err error) bool {
	e, ok := errors.AsType[*demeterrr.Error](err)
	return ok && e.Attempts > 0
}

// wantNotTried fails the test unless err is that of a contact which was not tried:
// it tells nothing of another call's attempts.
func wantNotTried(t *testing.T, err error, reason string) {
	t.Helper()
	e, ok := errors.AsType[*demeterrr.Error](err)
	if !ok || e.Message != "not tried" || e.StatusCode != 0 || e.Attempts != 0 {
		t.Errorf("got %#v, want one that was not tried", err)
	}
	wantIsNot(t, err, demeterrr.ErrUnknownOutcome, demeterrr.ErrTimeout, demeterrr.ErrValidation)
	if text := err.Error(); !strings.Contains(text, "the operation stopped") || !strings.Contains(text, reason) || strings.Contains(text, "outcome unknown") || strings.Contains(text, "attempts") {
		t.Fatalf("got %q, want it to name %q, and nothing of attempts", text, reason)
	}
}

// The operations stop after 5 writes in a row whose replies are lost. Those who
// were not sent to are known not to have been.
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
			report, err := c.Sequences.ExecuteAll(t.Context(), "s", eachOf(recipients(0, 2000)), &demeterrr.ExecuteAllOptions{Concurrency: concurrency})
			executeAdds(t, report)
			if sent := 100 * int(lost.Load()); len(report.Unknown) != sent || len(report.Failed) == 0 || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
				t.Errorf("%d were sent to: %s (%v)", sent, totals(report), err)
			}
			for _, f := range report.Failed {
				wantNotTried(t, f.Err, "no reply")
			}
			sync, err := c.Contacts.Sync(t.Context(), eachOf(customerList(0, 1000)), &demeterrr.SyncOptions{Concurrency: concurrency})
			if len(sync.Failed) != 1000 || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
				t.Error(summary(sync), err)
			}
			tried := 0
			for _, f := range sync.Failed {
				if attempted(f.Err) {
					tried++
					wantIs(t, f.Err, demeterrr.ErrUnknownOutcome)
					continue
				}
				wantNotTried(t, f.Err, "no reply")
			}
			if tried < 5 || tried > 5+concurrency {
				t.Errorf("%d were tried", tried)
			}
		})
	}
}

// One call waits for its retry when another's lost replies end the operation.
func TestAWaitThatAnothersDoubtEndsIsNotInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var arrived atomic.Int64
		client := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if arrived.Add(1) == 1 {
				time.Sleep(time.Second) // the others are on their way, and pass the gate
				w.Header().Set("Retry-After", "60")
				answer(429, limited60JSON)(w, r)
				return
			}
			time.Sleep(10 * time.Second)
			answer(500, "")(w, r)
		}, demeterrr.WithRetryPolicy(demeterrr.DefaultRetryPolicy()))
		j := openJournal(t, filepath.Join(t.TempDir(), "journal"), "s1")
		report, err := client.Sequences.ExecuteAll(t.Context(), "s1", eachOf(recipients(0, 5000)), &demeterrr.ExecuteAllOptions{Concurrency: 6, Journal: j})
		executeAdds(t, report)
		if !errors.Is(err, demeterrr.ErrUnknownOutcome) || len(report.Unknown) != 500 || len(j.InDoubt()) != 500 {
			t.Error(totals(report), len(j.InDoubt()), err)
		}
		limited := 0
		for _, f := range report.Failed {
			if !attempted(f.Err) {
				wantNotTried(t, f.Err, "500 Internal Server Error")
				continue
			}
			limited++
			wantIs(t, f.Err, demeterrr.ErrRateLimited)
			wantIsNot(t, f.Err, demeterrr.ErrUnknownOutcome, context.Canceled)
		}
		if limited != 100 {
			t.Errorf("%d met the 429", limited)
		}
	})
}

// The create's reply is lost, its retry meets a 409, and the operation ends before
// the contact is looked up.
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
		report, err := client.Contacts.Sync(t.Context(), eachOf(customerList(0, 3)), &demeterrr.SyncOptions{Concurrency: 2})
		wantIs(t, err, demeterrr.ErrInvalidAPIKey)
		if len(report.Failed) != 3 || mine.Load() != 2 {
			t.Fatal(summary(report), mine.Load(), others.Load())
		}
		wantIs(t, report.Failed[0].Err, demeterrr.ErrUnknownOutcome)
		wantIsNot(t, report.Failed[1].Err, demeterrr.ErrUnknownOutcome)
		wantIsNot(t, report.Failed[0].Err, context.Canceled)
		wantNotTried(t, report.Failed[2].Err, "INVALID_API_KEY")
		wantIs(t, report.Failed[2].Err, demeterrr.ErrInvalidAPIKey, demeterrr.ErrUnauthorized)
	})
}

// bulkOperations run one of them with what the caller hands in, in an account of a sequence and no contacts.
var bulkOperations = map[string]func(t *testing.T, srv *demeterrrtest.Server, id string, progress func()){
	"Sync": func(t *testing.T, srv *demeterrrtest.Server, _ string, progress func()) {
		t.Helper()
		options := &demeterrr.SyncOptions{OnProgress: func(p demeterrr.SyncProgress) {
			if p.Writes > 0 { // in a worker
				progress()
			}
		}}
		_, err := srv.Client().Contacts.Sync(t.Context(), eachOf(customerList(0, 1000)), options)
		t.Error("Sync has returned", err)
	},
	"ExecuteAll": func(t *testing.T, srv *demeterrrtest.Server, id string, progress func()) {
		t.Helper()
		options := &demeterrr.ExecuteAllOptions{Concurrency: 3, OnProgress: func(demeterrr.ExecuteProgress) { progress() }}
		_, err := srv.Client().Sequences.ExecuteAll(t.Context(), id, eachOf(recipients(0, 10_000)), options)
		t.Error("ExecuteAll has returned", err)
	},
}

func TestAPanicOfTheCallersCodeArrivesAtTheCaller(t *testing.T) {
	t.Parallel()
	for name, run := range bulkOperations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, id := survey(t, demeterrrtest.WithLatency(time.Second, time.Second))
				defer func() {
					if diff := cmp.Diff("the caller's", recover()); diff != "" {
						t.Errorf("recovered (-want +got):\n%s", diff)
					}
					if _, writes := counted(srv); writes > 8 {
						t.Errorf("it went on for %d writes", writes)
					}
				}()
				run(t, srv, id, func() { panic("the caller's") })
			})
		})
	}
}

func TestAPanicOfTheInputDoesNotWaitForRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t)
		srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Status: 429, RetryAfter: 100 * time.Second, Times: demeterrrtest.Always})
		start := time.Now()
		defer func() {
			if diff := cmp.Diff("the caller's", recover()); diff != "" {
				t.Errorf("recovered (-want +got):\n%s", diff)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it arrived after %s", took)
			}
		}()
		_, err := srv.Client().Sequences.ExecuteAll(t.Context(), id, func(yield func(demeterrr.ExecuteContact, error) bool) {
			for _, r := range recipients(0, 150) {
				if !yield(r, nil) {
					return
				}
			}
			time.Sleep(time.Second)
			panic("the caller's")
		}, nil)
		t.Error("ExecuteAll has returned", err)
	})
}

func TestAGoexitInTheCallersCodeEndsTheCaller(t *testing.T) {
	t.Parallel()
	for name, run := range bulkOperations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, id := survey(t)
			over := make(chan any)
			go func() {
				defer func() { over <- recover() }()
				run(t, srv, id, runtime.Goexit)
			}()
			if p := <-over; p != nil {
				t.Error("it panicked:", p)
			}
		})
	}
}

func TestAWorkerStartsOnlyForWork(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	var most atomic.Int64
	note := func() { most.Store(max(most.Load(), int64(runtime.NumGoroutine()))) }
	_, err := srv.Client().Sequences.ExecuteAll(t.Context(), id, eachOf(recipients(0, 2)), &demeterrr.ExecuteAllOptions{
		Concurrency: 200_000, OnProgress: func(demeterrr.ExecuteProgress) { note() },
	})
	if err != nil || most.Load() > 20_000 {
		t.Errorf("%d goroutines, error %v", most.Load(), err)
	}
}
