package bulk_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// operations run each operation with callbacks of the test, in an account with
// a sequence and no contacts.
var operations = map[string]func(t *testing.T, srv *demeterrrtest.Server, id string, progress func()){
	"Sync": func(t *testing.T, srv *demeterrrtest.Server, _ string, progress func()) {
		t.Helper()
		options := &bulk.SyncOptions{OnProgress: func(p bulk.SyncProgress) {
			if p.Writes > 0 { // in a worker
				progress()
			}
		}}
		_, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(0, 1000)), options)
		t.Error("Sync has returned", err)
	},
	"Execute": func(t *testing.T, srv *demeterrrtest.Server, id string, progress func()) {
		t.Helper()
		options := &bulk.ExecuteOptions{Concurrency: 3, OnProgress: func(bulk.ExecuteProgress) { progress() }}
		_, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 10_000)), options)
		t.Error("Execute has returned", err)
	},
}

func TestAPanicOfTheCallersCodeArrivesAtTheCaller(t *testing.T) {
	t.Parallel()
	for name, run := range operations {
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
		_, err := bulk.Execute(t.Context(), srv.Client(), id, func(yield func(demeterrr.ExecuteContact, error) bool) {
			for _, r := range recipients(0, 150) {
				if !yield(r, nil) {
					return
				}
			}
			time.Sleep(time.Second)
			panic("the caller's")
		}, nil)
		t.Error("Execute has returned", err)
	})
}

func TestAGoexitInTheCallersCodeEndsTheCaller(t *testing.T) {
	t.Parallel()
	for name, run := range operations {
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
	_, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{
		Concurrency: 200_000, OnProgress: func(bulk.ExecuteProgress) { note() },
	})
	if err != nil || most.Load() > 20_000 {
		t.Errorf("%d goroutines, error %v", most.Load(), err)
	}
}
