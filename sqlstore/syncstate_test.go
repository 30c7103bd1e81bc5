package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

const apiAddress = "https://api.example.com/v1"

// acquire takes a state and fails the test if another run has it.
func acquire(t testing.TB, s *sqlstore.SyncState) (release func()) {
	t.Helper()
	release, err := s.Acquire(t.Context(), apiAddress)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// save saves entries and fails the test on an error.
func save(t testing.TB, s *sqlstore.SyncState, entries ...bulk.SyncEntry) {
	t.Helper()
	if err := s.Save(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// inUse fails the test unless another run has the state.
func inUse(t testing.TB, s *sqlstore.SyncState) {
	t.Helper()
	release, err := s.Acquire(t.Context(), apiAddress)
	if err == nil {
		release()
	}
	wantStateInUse(t, err)
}

func wantStateInUse(t testing.TB, err error) {
	t.Helper()
	wantError(t, err, "the sync state is in use by another run: ")
	if !errors.Is(err, bulk.ErrStateInUse) {
		t.Errorf("%v does not match ErrStateInUse", err)
	}
}

// execute runs a statement of the test.
func execute(t testing.TB, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// expire ends the lease of a state as its time does.
func expire(t testing.TB, db *sql.DB) {
	t.Helper()
	execute(t, db, "UPDATE demeterrr_sync_states SET expires_at = '2020-01-01 00:00:00' WHERE state = 'crm'")
}

// TestOneRunHasTheState starts eight processes at once.
func TestOneRunHasTheState(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			d.migrated(t)
			states := make([]*sqlstore.SyncState, 8)
			for i := range states {
				states[i] = d.openStore(t, d.open(t, d.dsn)).SyncState("crm")
			}
			for range 5 {
				errs, releases := make([]error, len(states)), make([]func(), len(states))
				var group sync.WaitGroup
				for i, s := range states {
					group.Go(func() { releases[i], errs[i] = s.Acquire(t.Context(), apiAddress) })
				}
				group.Wait()
				got := 0
				for i, err := range errs {
					if err == nil {
						got++
						defer releases[i]()
						wantStateInUse(t, second(states[i].Acquire(t.Context(), apiAddress))) // the same one
						inUse(t, states[(i+1)%len(states)])
						releases[i]()
						continue
					}
					wantStateInUse(t, err)
				}
				if got != 1 {
					t.Fatalf("%d runs got the state", got)
				}
			}
			other := states[0].Name() + "2"
			defer acquire(t, states[0])()
			defer acquire(t, d.openStore(t, d.open(t, d.dsn)).SyncState(other))()
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestARunThatWasSuspended finds its state taken. It can neither save nor
// release the next run's state.
func TestARunThatWasSuspended(t *testing.T) {
	t.Parallel()
	dirty, clean := bulk.SyncEntry{Email: "a@example.com", Dirty: true}, bulk.SyncEntry{Email: "a@example.com", ContactID: "1"}
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			first, next, third := d.openStore(t, db).SyncState("crm"), d.openStore(t, db).SyncState("crm"), d.openStore(t, db).SyncState("crm")
			release := acquire(t, first)
			save(t, first, dirty)
			expire(t, db)
			save(t, first, dirty) // nobody has taken it, and this renews it
			inUse(t, next)
			expire(t, db)
			inUse(t, first) // one run of a process saves under the token of one
			releaseNext := acquire(t, next)
			remembers(t, next, []string{"a@example.com"}, dirty)
			for range 2 {
				wantStateInUse(t, first.Save(t.Context(), []bulk.SyncEntry{clean}))
				wantStateInUse(t, second(first.Lookup(t.Context(), []string{"a@example.com"})))
			}
			remembers(t, next, []string{"a@example.com"}, dirty)
			release()
			release() // harmless
			inUse(t, third)
			save(t, next, clean)
			releaseNext()
			defer acquire(t, third)()
			remembers(t, third, []string{"a@example.com"}, clean)

			// A state taken and released by another run is lost too, and so is
			// a deleted state.
			expire(t, db)
			acquire(t, first)()
			err := third.Save(t.Context(), []bulk.SyncEntry{dirty})
			wantStateInUse(t, err)
			wantError(t, err, "another run took it, because this run had not renewed its lease for 5m0s")
			release = acquire(t, first)
			execute(t, db, "DELETE FROM demeterrr_sync_states")
			wantError(t, first.Save(t.Context(), []bulk.SyncEntry{dirty}), `sync state "crm" was deleted during the run`)
			release()
		})
	}
}

// TestNobodyTakesAStateDuringASave expires the lease and starts another run in
// the middle of a save: the run waits for the end of the save.
func TestNobodyTakesAStateDuringASave(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			first, next := s.SyncState("crm"), d.store(t).SyncState("crm")
			db := d.open(t, d.dsn)
			defer acquire(t, first)()
			expire(t, db)
			began := make(chan error, 1)
			f.inject(func(_ int, step string, after bool) error {
				if after || !strings.HasPrefix(step, "INSERT INTO demeterrr_sync_entries") {
					return nil
				}
				go func() { began <- second(next.Acquire(ctx, apiAddress)) }()
				select {
				case err := <-began:
					t.Errorf("another run began during the save: %v", err)
					began <- err
				case <-time.After(200 * time.Millisecond):
				}
				return nil
			})
			save(t, first, bulk.SyncEntry{Email: "a@example.com", Dirty: true})
			wantStateInUse(t, <-began)
		})
	}
}

// TestALeaseIsRenewed holds a state for several leases, without a save.
func TestALeaseIsRenewed(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			const lease = 1500 * time.Millisecond // a slow machine renews in time
			s := d.openStore(t, db, sqlstore.WithInFlight(lease)).SyncState("crm")
			other := d.openStore(t, db).SyncState("crm")
			ctx, cancel := context.WithCancel(t.Context())
			release, err := s.Acquire(ctx, apiAddress)
			if err != nil {
				t.Fatal(err)
			}
			cancel() // a run saves outcomes after its context has ended
			for start := time.Now(); time.Since(start) < 2*lease; time.Sleep(lease / 10) {
				inUse(t, other)
			}
			address := "unknown"
			if err := db.QueryRowContext(t.Context(), "SELECT address FROM demeterrr_sync_states").Scan(&address); err != nil || address != "" {
				t.Errorf("a run that saved nothing has tied the state to %q (%v)", address, err)
			}
			save(t, s, bulk.SyncEntry{Email: "a@example.com", Dirty: true})
			release()
			acquire(t, other)()
		})
	}
}

// TestALeaseEndsByTheClockOfTheDatabase moves only that clock. SQLite has the
// clock of the machine.
func TestALeaseEndsByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			var later func(time.Duration) *sql.DB
			switch d.dialect {
			case sqlstore.PostgreSQL:
				db := d.open(t, d.with(t, [2]string{"search_path", "public,pg_catalog"}))
				later = func(by time.Duration) *sql.DB {
					execute(t, db, fmt.Sprintf(`CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz
						AS $$ SELECT pg_catalog.clock_timestamp() + interval '%d seconds' $$ LANGUAGE sql`, int(by.Seconds())))
					return db
				}
			case sqlstore.MySQL:
				later = func(by time.Duration) *sql.DB {
					return d.open(t, fmt.Sprintf("%s?timestamp=%d", d.dsn, time.Now().Add(by).Unix()))
				}
			default:
				t.Skip("it has no clock of its own")
			}
			defer acquire(t, d.store(t).SyncState("crm"))()
			inUse(t, d.openStore(t, later(-time.Hour)).SyncState("crm"))
			inUse(t, d.openStore(t, later(4*time.Minute)).SyncState("crm"))
			acquire(t, d.openStore(t, later(6*time.Minute)).SyncState("crm"))()
		})
	}
}

func TestTheFirstSaveTiesAStateToItsAddress(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			s := d.store(t).SyncState("crm")
			for _, address := range []string{"https://b.example.com", "https://c.example.com"} { // dry runs
				release, err := s.Acquire(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				release()
			}
			release := acquire(t, s)
			save(t, s, bulk.SyncEntry{Email: "a@example.com", Dirty: true})
			release()
			for _, s := range []*sqlstore.SyncState{s, d.openStore(t, d.open(t, d.dsn)).SyncState("crm")} {
				err := second(s.Acquire(t.Context(), "https://b.example.com"))
				wantError(t, err, `sync state "crm": the sync state belongs to another account: its address is `+apiAddress+", the client's is https://b.example.com")
				if !errors.Is(err, bulk.ErrStateMismatch) {
					t.Error(err)
				}
				acquire(t, s)()
			}
		})
	}
}

// TestASecretThatIsNotTheStates tries each pair of secrets.
func TestASecretThatIsNotTheStates(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			stores := map[string]*sqlstore.Store{
				"none":      d.openStore(t, db),
				"no emails": d.openStore(t, db, sqlstore.WithoutEmails()), // the same hash as without options
				"first":     d.openStore(t, db, sqlstore.WithSecret([]byte("0123456789abcdef"))),
				"second":    d.openStore(t, db, sqlstore.WithSecret([]byte("fedcba9876543210"))),
			}
			known := bulk.SyncEntry{Email: "a@example.com", ContactID: "1"}
			for owner, store := range stores {
				for _, dry := range stores {
					acquire(t, dry.SyncState(owner))() // leaves the state untied
				}
				s := store.SyncState(owner)
				release := acquire(t, s)
				save(t, s, known)
				release()
			}
			for owner := range stores {
				for name, store := range stores {
					s := store.SyncState(owner)
					release, err := s.Acquire(t.Context(), apiAddress)
					if owner != name && (!strings.HasPrefix(owner, "no") || !strings.HasPrefix(name, "no")) {
						wantError(t, err, "secret")
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					remembers(t, s, []string{"a@example.com"}, known)
					release()
				}
			}
		})
	}
}

// TestAnAcquireWithoutAReplyIsGivenBack ends the context when the lease is
// committed and the reply is not there.
func TestAnAcquireWithoutAReplyIsGivenBack(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			ctx, cancel := context.WithCancel(t.Context())
			committed := false
			f.inject(func(_ int, step string, after bool) error {
				if step == "COMMIT" && after && !committed {
					committed = true
					cancel()
					return passing[d.dialect][0]
				}
				return nil
			})
			_, err := s.SyncState("crm").Acquire(ctx, apiAddress)
			wantError(t, err, "canceled")
			if !errors.Is(err, context.Canceled) || !committed {
				t.Error(err, committed)
			}
			f.inject(nil)
			acquire(t, d.store(t).SyncState("crm"))()
		})
	}
}

// TestEveryStepOfAStateIsRepeated fails each step of a run once, before and
// after it takes effect. Exactly the contacts made dirty stay dirty.
func TestEveryStepOfAStateIsRepeated(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			emails := []string{"a@example.com", "b@example.com"}
			clean := []bulk.SyncEntry{{Email: "a@example.com", ContactID: "1"}, {Email: "b@example.com", ContactID: "2"}}
			dirty := []bulk.SyncEntry{{Email: "a@example.com", ContactID: "1", Dirty: true}, {Email: "b@example.com"}} // b is removed
			for i, fault := range passing[d.dialect] {
				for _, after := range []bool{false, true} {
					steps := 0
					for step := 0; ; step++ {
						state := s.SyncState(fmt.Sprintf("crm%d/%v/%d", i, after, step))
						failed := 0
						once := func() {
							did := false
							f.inject(func(n int, _ string, now bool) error {
								if n == step && now == after && !did {
									did = true
									failed++
									return fault
								}
								return nil
							})
						}
						once()
						release := acquire(t, state)
						once()
						save(t, state, clean...)
						once()
						remembers(t, state, emails, clean...)
						once()
						save(t, state, dirty...)
						once()
						release()
						f.inject(nil)
						release = acquire(t, state)
						remembers(t, state, emails, dirty[0])
						release()
						if steps += failed; failed == 0 {
							break
						}
					}
					if steps < 17 {
						t.Errorf("only %d steps", steps)
					}
				}
			}
		})
	}
}

// TestALastingErrorOfAStateIsReturnedAtOnce checks that nothing is saved.
func TestALastingErrorOfAStateIsReturnedAtOnce(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			state := s.SyncState("crm")
			defer acquire(t, state)()
			for _, fault := range lasting[d.dialect] {
				f.inject(func(_ int, step string, after bool) error {
					if strings.HasPrefix(step, "INSERT INTO demeterrr_sync_entries") && after {
						return fault
					}
					return nil
				})
				err := state.Save(t.Context(), []bulk.SyncEntry{{Email: "a@example.com", Dirty: true}})
				wantError(t, err, `sync state "crm": `)
				if !errors.Is(err, fault) || f.steps() > 6 {
					t.Errorf("%v after %d steps, want %v", err, f.steps(), fault)
				}
				f.inject(nil)
				remembers(t, state, []string{"a@example.com"})
			}
		})
	}
}

func TestBadInputOfAState(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			store := d.store(t)
			s := store.SyncState("crm")
			defer acquire(t, s)()
			acquireError := func(s *sqlstore.SyncState, address string) error { return second(s.Acquire(t.Context(), address)) }
			idle, entry := store.SyncState("idle"), bulk.SyncEntry{Email: "a@example.com", Dirty: true}
			saveError := func(entries ...bulk.SyncEntry) error { return s.Save(t.Context(), entries) }
			got := map[string]error{
				"the sync state is nil; use Store.SyncState":          acquireError(nil, apiAddress),
				"the store was not made by Open":                      acquireError(new(sqlstore.Store).SyncState("crm"), apiAddress),
				`sync state "": a name has 1 to 200 bytes`:            acquireError(store.SyncState(""), apiAddress),
				`sync state "crm ": a name has`:                       acquireError(store.SyncState("crm "), apiAddress),
				"the address has 0 bytes; pass the base URL":          acquireError(idle, ""),
				"the address has 2001 bytes":                          acquireError(idle, strings.Repeat("x", 2001)),
				`sync state "idle" was not acquired; pass it to Sync`: errors.Join(idle.Save(t.Context(), []bulk.SyncEntry{entry})),
				`"idle" was not acquired`:                             second(idle.Lookup(t.Context(), []string{"a@example.com"})),
				"email 2 of 2 is empty":                               saveError(entry, bulk.SyncEntry{}),
				"email 1 of 1 is longer than 320 bytes":               second(s.Lookup(t.Context(), []string{strings.Repeat("x", 321)})),
				"two emails of a save are equal; pass each once":      saveError(entry, bulk.SyncEntry{Email: "A@example.com"}),
				"the id or the names of the fields of contact 2 of 2": saveError(entry, bulk.SyncEntry{Email: "b@example.com", ContactID: strings.Repeat("x", 1001)}),
				"the fields of contact 1 of 1 are too long":           saveError(bulk.SyncEntry{Email: "b@example.com", Fields: strings.Repeat("x", 1<<17+1)}),
				"the id of contact 1 of 1 is not valid text":          saveError(bulk.SyncEntry{Email: "b@example.com", ContactID: "\x00"}),
			}
			for want, err := range got {
				wantError(t, err, want)
			}
			remembers(t, s, []string{"a@example.com", "b@example.com"})
		})
	}
}

// remembers fails the test unless the state has exactly these entries, of these
// emails.
func remembers(t testing.TB, s *sqlstore.SyncState, emails []string, want ...bulk.SyncEntry) {
	t.Helper()
	found, err := s.Lookup(t.Context(), emails)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byEmail(t, want), byEmail(t, found)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
}

func byEmail(t testing.TB, entries []bulk.SyncEntry) map[string]bulk.SyncEntry {
	t.Helper()
	all := map[string]bulk.SyncEntry{}
	for _, e := range entries {
		if _, again := all[e.Email]; again {
			t.Fatalf("%s is there twice", e.Email)
		}
		all[e.Email] = e
	}
	return all
}
