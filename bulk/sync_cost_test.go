package bulk_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// upsertLoop is the loop that Sync replaces: create, and on a 409 find and
// patch.
func upsertLoop(ctx context.Context, client *demeterrr.Client, contacts []demeterrr.ContactParams) error {
	for _, c := range contacts {
		_, err := client.Contacts.Create(ctx, &c)
		if errors.Is(err, demeterrr.ErrContactExists) {
			var have *demeterrr.Contact
			if have, err = client.Contacts.FindByEmail(ctx, c.Email); err == nil {
				_, err = client.Contacts.Update(ctx, have.ID, &demeterrr.ContactUpdate{
					FirstName: demeterrr.Set(c.FirstName), LastName: demeterrr.Set(c.LastName), Tags: demeterrr.Set(c.Tags),
				})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestWhatSyncCostsBesideALoop counts the requests at the fake. It also
// measures their time at 100 a minute and 1,000 an hour.
func TestWhatSyncCostsBesideALoop(t *testing.T) {
	t.Parallel()
	type cost struct {
		Requests int
		Time     string
	}
	for _, tt := range []struct {
		name              string
		account           int
		from, to          int
		every             int // every n-th contact has changed
		sync, state, loop cost
	}{
		{"10,000 in an account of 10,000", 10_000, 0, 10_000, 20, cost{600, "5m0s"}, cost{500, "4m0s"}, cost{30_000, "29h9m0s"}},
		{"100,000 in an account of 100,000, 100 changed", 100_000, 0, 100_000, 1000, cost{1100, "1h0m0s"}, cost{100, "0s"}, cost{}},
		{"50 in an account of 10,000", 10_000, 5000, 5050, 20, cost{51 + 3, "0s"}, cost{3, "0s"}, cost{150, "1m0s"}},
		{"1,480 in an empty account", 0, 0, 1480, 20, cost{1481, "1h4m0s"}, cost{1481, "1h4m0s"}, cost{1480, "1h4m0s"}},
		{"1,000, of whom 500 are new, in an account of 10,000", 10_000, 9_500, 10_500, 20, cost{100 + 525, "6m0s"}, cost{100 + 525, "6m0s"}, cost{2000, "1h9m0s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				measure := func(work func(*demeterrr.Client, []demeterrr.ContactParams) error, state bulk.SyncState) cost {
					srv := account(t, tt.account)
					input := customerList(tt.from, tt.to)
					if state != nil { // yesterday's run
						synced(t, srv, input[:min(tt.to, tt.account)-min(tt.from, tt.account)], &bulk.SyncOptions{State: state})
					}
					for i := 0; i < len(input); i += tt.every {
						input[i].LastName = "Changed"
					}
					before := len(srv.Requests())
					start := time.Now()
					if err := work(srv.Client(demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.DefaultLimits()...))), input); err != nil {
						t.Fatal(err)
					}
					has(t, srv, input)
					return cost{len(srv.Requests()) - before, time.Since(start).String()}
				}
				run := func(state bulk.SyncState) cost {
					return measure(func(client *demeterrr.Client, input []demeterrr.ContactParams) error {
						report, err := bulk.Sync(t.Context(), client, bulk.Slice(input), &bulk.SyncOptions{State: state})
						if len(report.Failed) > 0 {
							t.Error(report.Failed)
						}
						return err
					}, state)
				}
				sync, state, loop := run(nil), run(newMemoryState(t)), cost{}
				if tt.loop != loop {
					loop = measure(func(client *demeterrr.Client, input []demeterrr.ContactParams) error {
						return upsertLoop(t.Context(), client, input)
					}, nil)
				}
				t.Logf("Sync %5d requests in %8s; with a state %5d in %8s; the loop %5d in %8s", sync.Requests, sync.Time, state.Requests, state.Time, loop.Requests, loop.Time)
				if diff := cmp.Diff([]cost{tt.sync, tt.state, tt.loop}, []cost{sync, state, loop}); diff != "" {
					t.Errorf("Sync, with a state, and the loop (-want +got):\n%s", diff)
				}
			})
		})
	}
}
