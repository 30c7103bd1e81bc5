package sqlstore_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// input returns n contacts of a source. Every share-th one has the last name.
func input(n, share int, lastName string) []demeterrr.ContactParams {
	var contacts []demeterrr.ContactParams
	for i, email := range customers(n) {
		c := demeterrr.ContactParams{Email: email, FirstName: "Kim", LastName: "Doe"}
		if i%share == 0 {
			c.LastName = lastName
		}
		contacts = append(contacts, c)
	}
	return contacts
}

// agree fails the test unless the account has the contacts.
func agree(t testing.TB, srv *demeterrrtest.Server, contacts []demeterrr.ContactParams) {
	t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for _, c := range contacts {
		want[c.Email] = c.LastName
	}
	for _, c := range srv.Contacts() {
		got[c.Email] = c.LastName
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the account (-want +got):\n%s", diff)
	}
}

// TestSyncForThePriceOfWhatChanged counts the requests of 10,000 contacts, or
// with -short of 2,000.
func TestSyncForThePriceOfWhatChanged(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			store := d.store(t)
			srv := demeterrrtest.NewServer()
			defer srv.Close()
			n := 10_000
			if testing.Short() {
				n = 2000
			}
			for _, c := range input(n, n, "Doe") {
				srv.AddContact(demeterrr.Contact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName})
			}
			type cost struct{ Requests, Updated, Unchanged, Fake int }
			run := func(contacts []demeterrr.ContactParams, options bulk.SyncOptions) cost {
				t.Helper()
				before := len(srv.Requests())
				options.State = store.SyncState("crm")
				report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(contacts), &options)
				if err != nil || len(report.Failed) > 0 {
					t.Fatal(err, report.Failed)
				}
				return cost{report.Requests, report.Updated, report.Unchanged, len(srv.Requests()) - before}
			}
			changed := input(n, 20, "Roe")
			for _, tt := range []struct {
				name     string
				contacts []demeterrr.ContactParams
				options  bulk.SyncOptions
				want     cost
			}{
				{"the first run reads", input(n, n, "Doe"), bulk.SyncOptions{}, cost{n / 100, 0, n, n / 100}},
				{"a dry run", changed, bulk.SyncOptions{DryRun: true}, cost{0, n / 20, n - n/20, 0}},
				{"5 % changed", changed, bulk.SyncOptions{}, cost{n / 20, n / 20, n - n/20, n / 20}},
				{"nothing changed", changed, bulk.SyncOptions{}, cost{0, 0, n, 0}},
				{"Verify", changed, bulk.SyncOptions{Verify: true}, cost{n / 100, 0, n, n / 100}},
			} {
				start := time.Now()
				if diff := cmp.Diff(tt.want, run(tt.contacts, tt.options)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tt.name, diff)
				}
				t.Log(tt.name, time.Since(start).Round(time.Millisecond))
			}
			agree(t, srv, changed)
		})
	}
}

// TestOfTwoSyncsOneRuns and the other one makes no request.
func TestOfTwoSyncsOneRuns(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			srv := demeterrrtest.NewServer()
			defer srv.Close()
			contacts := input(3, 1, "Doe")
			var inner error
			report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(contacts), &bulk.SyncOptions{
				State: d.openStore(t, db).SyncState("crm"),
				Confirm: func(*bulk.SyncPlan) error {
					before := len(srv.Requests())
					var report *bulk.SyncReport
					start := time.Now()
					report, inner = bulk.Sync(t.Context(), srv.Client(), bulk.Slice(contacts), &bulk.SyncOptions{State: d.openStore(t, db).SyncState("crm")})
					if len(srv.Requests()) != before || report.Requests != 0 {
						t.Errorf("the other run made %d requests", report.Requests)
					}
					if waited := time.Since(start); waited > 10*time.Second {
						t.Errorf("the other run learned it after %v", waited)
					}
					return nil
				},
			})
			if err != nil || report.Created != 3 {
				t.Error(err, report)
			}
			wantStateError := `the sync state failed: sync state "crm": the sync state is in use by another run: `
			wantError(t, inner, wantStateError)
			if !strings.Contains(fmt.Sprint(inner), "and longer while it runs") {
				t.Error(inner)
			}
		})
	}
}

// killedSync is the Sync of a process that gets killed. It prints a line for
// each written contact.
type killedSync struct {
	URL, Key string
	Contacts int
	Lease    time.Duration
}

func (k *killedSync) client() (*demeterrr.Client, error) {
	return demeterrr.New(k.Key, demeterrr.WithBaseURL(k.URL))
}

func (k *killedSync) run(store *sqlstore.Store) error {
	c, err := k.client()
	if err != nil {
		return err
	}
	_, err = bulk.Sync(ctx, c, bulk.Slice(input(k.Contacts, 1, "Roe")), &bulk.SyncOptions{
		State:    store.SyncState("crm"),
		OnResult: func(r bulk.SyncResult) { fmt.Println("written", r.Email, r.Err) },
	})
	return err
}

// start runs the process, and kills it once a number of contacts is written.
func (k *killedSync) start(t *testing.T, d *testDB, kill int) {
	t.Helper()
	settings, err := json.Marshal(job{Dialect: d.dialect, Driver: d.driver, DSN: d.dsn, Sync: k})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+string(settings))
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for range kill {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "written ") || !strings.HasSuffix(lines.Text(), "<nil>") {
			t.Fatalf("the process printed %q", lines.Text())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// TestAKilledRunFreesItsState kills a process in the middle of its writes. Its
// lease expires. The next run sends the unsent contacts and the ones in flight.
func TestAKilledRunFreesItsState(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			store := d.openStore(t, d.migrated(t))
			srv := demeterrrtest.NewServer()
			defer srv.Close()
			const n, kill, inFlight = 300, 40, 4
			for _, c := range input(n, n, "Doe") {
				srv.AddContact(demeterrr.Contact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName})
			}
			k := &killedSync{srv.URL(), srv.AddKey("contacts:read", "contacts:write"), n, 4 * time.Second}
			c, err := k.client()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bulk.Sync(t.Context(), c, bulk.Slice(input(n, 1, "Doe")), &bulk.SyncOptions{State: store.SyncState("crm")}); err != nil {
				t.Fatal(err)
			}
			k.start(t, d, kill)
			killed := time.Now()
			inUse(t, store.SyncState("crm"))
			var report *bulk.SyncReport
			for time.Since(killed) < 30*time.Second {
				began := time.Now()
				report, err = bulk.Sync(t.Context(), c, bulk.Slice(input(n, 1, "Roe")), &bulk.SyncOptions{State: store.SyncState("crm")})
				if err == nil || !strings.Contains(err.Error(), "in use by another run") {
					break
				}
				if after := began.Sub(killed); after > k.Lease+time.Second {
					t.Fatalf("a run is refused %v after the kill, with a lease of %v", after, k.Lease)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if err != nil || len(report.Failed) > 0 {
				t.Fatal(err, report.Failed)
			}
			writes := 0
			for _, r := range srv.Requests() {
				if r.Method == http.MethodPatch {
					writes++
				}
			}
			t.Logf("killed after %d writes or more, then %d requests", kill, report.Requests)
			if writes < n || writes > n+inFlight || report.Requests > n-kill+inFlight {
				t.Errorf("%d writes of %d contacts, %d of them after the kill", writes, n, report.Requests)
			}
			agree(t, srv, input(n, 1, "Roe"))
		})
	}
}
