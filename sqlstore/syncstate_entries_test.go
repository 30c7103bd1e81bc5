package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// randomEntry returns an entry of any shape. An entry with only an email
// removes it.
func randomEntry(r *rand.Rand, email string) bulk.SyncEntry {
	e := bulk.SyncEntry{Email: email, Dirty: r.IntN(3) == 0}
	switch r.IntN(6) {
	case 0:
		return bulk.SyncEntry{Email: email}
	case 1:
		e.ContactID = "odd id é " + email
	case 2:
		e.ContactID = ""
	default:
		e.ContactID = fmt.Sprintf("550e8400-e29b-41d4-a716-%012x", r.Uint32())
	}
	e.Fields = []string{"", `["phone"]`, "[\"customFields.é\\n\",\"title\"]\x00\xff?", strings.Repeat("x", 3000) + email}[r.IntN(4)]
	for i := range e.Fingerprint {
		e.Fingerprint[i] = byte(r.IntN(256)) //nolint:gosec // it fits
	}
	return e
}

// customers returns n emails.
func customers(n int) []string {
	emails := make([]string, n)
	for i := range emails {
		emails[i] = fmt.Sprintf("customer%05d@example.com", i)
	}
	return emails
}

// TestAStateKeepsWhatWasSaved saves at random in two states with names that
// differ by an accent, and looks up with another pool.
func TestAStateKeepsWhatWasSaved(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			r := rand.New(rand.NewPCG(1, 2))
			emails := append(customers(998), "rené@example.com", "rene@example.com")
			want := map[string]map[string]bulk.SyncEntry{"rené": {}, "rene": {}}
			for range 12 {
				for name, known := range want {
					s := d.openStore(t, db).SyncState(name)
					release := acquire(t, s)
					var entries []bulk.SyncEntry
					for _, i := range r.Perm(len(emails))[:1+r.IntN(len(emails))] {
						e := randomEntry(r, emails[i])
						entries = append(entries, e)
						if known[e.Email] = e; e == (bulk.SyncEntry{Email: e.Email}) {
							delete(known, e.Email)
						}
					}
					save(t, s, entries...)
					release()
				}
			}
			for name, known := range want {
				var entries []bulk.SyncEntry
				for _, e := range known {
					entries = append(entries, e)
				}
				s := d.openStore(t, d.open(t, d.dsn)).SyncState(name)
				defer acquire(t, s)()
				remembers(t, s, append(emails, "nobody@example.com"), entries...)
			}
		})
	}
}

// TestLongFieldsFitIntoStatements saves more at once than a server takes in one
// statement.
func TestLongFieldsFitIntoStatements(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			if d.dialect == sqlstore.MySQL { // the driver puts all into one packet
				db = d.open(t, d.dsn+"?interpolateParams=true")
			}
			s := d.openStore(t, db).SyncState("crm")
			defer acquire(t, s)()
			var entries []bulk.SyncEntry
			emails := customers(200)
			for _, email := range emails {
				entries = append(entries, bulk.SyncEntry{Email: email, ContactID: strings.Repeat("i", 1000), Fields: strings.Repeat("f", 1<<17)})
			}
			save(t, s, entries...)
			remembers(t, s, emails[:100], entries[:100]...)
		})
	}
}

// TestABatchTakesFewStatements counts them.
func TestABatchTakesFewStatements(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			state := s.SyncState("crm")
			defer acquire(t, state)()
			emails := customers(1000)
			var entries []bulk.SyncEntry
			for _, email := range emails {
				entries = append(entries, bulk.SyncEntry{Email: email, ContactID: "1", Fields: `["phone"]`})
			}
			saves, lookups := 4, 1 // BEGIN, the lease, the entries, COMMIT
			if d.dialect == sqlstore.SQLite {
				saves, lookups = 3+7, 2
			}
			none := func(int, string, bool) error { return nil }
			f.inject(none)
			save(t, state, entries...)
			if n := f.steps(); n != saves {
				t.Errorf("%d statements for a save, want %d", n, saves)
			}
			f.inject(none)
			remembers(t, state, emails, entries...)
			if n := f.steps(); n != lookups {
				t.Errorf("%d statements for a lookup, want %d", n, lookups)
			}
		})
	}
}

// TestSavesThroughCutConnections cuts connections in the middle of saves and of
// their COMMIT. Each contact becomes dirty, clean and dirty again. The state
// must match the last save.
func TestSavesThroughCutConnections(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			if d.server == nil {
				t.Skip("a file has no connection")
			}
			direct := d.store(t)
			cuts := startProxy(t, d.server.addr)
			db := d.open(t, d.server.dsn(cuts.addr, d.name))
			s := d.openStore(t, db).SyncState("crm")
			cuts.cutting.Store(true)
			release := acquire(t, s)
			last := make([][]bulk.SyncEntry, 4)
			var group sync.WaitGroup
			for i := range last {
				group.Go(func() {
					r := rand.New(rand.NewPCG(3, uint64(i))) //nolint:gosec // it is small
					emails := customers(1000)[i*25:][:25]
					known := map[string]bulk.SyncEntry{}
					for n := range 60 {
						var entries []bulk.SyncEntry
						for _, j := range r.Perm(len(emails))[:1+r.IntN(3)] {
							e := bulk.SyncEntry{Email: emails[j], ContactID: fmt.Sprint(n), Dirty: !known[emails[j]].Dirty}
							entries = append(entries, e)
							known[e.Email] = e
						}
						if err := s.Save(t.Context(), entries); err != nil {
							t.Error(err)
							return
						}
						found, err := s.Lookup(t.Context(), []string{entries[0].Email})
						if err != nil || len(found) != 1 || found[0] != entries[0] {
							t.Errorf("%+v (%v), want %+v", found, err, entries[0])
						}
					}
					for _, e := range known {
						last[i] = append(last[i], e)
					}
				})
			}
			group.Wait()
			release()
			s = direct.SyncState("crm")
			defer acquire(t, s)()
			for _, entries := range last {
				var emails []string
				for _, e := range entries {
					emails = append(emails, e.Email)
				}
				remembers(t, s, emails, entries...)
			}
			t.Logf("cut in a statement %d, before a COMMIT %d, after it %d", cuts.inStatement.Load(), cuts.beforeCommit.Load(), cuts.afterCommit.Load())
			if cuts.inStatement.Load() == 0 || cuts.beforeCommit.Load() == 0 || cuts.afterCommit.Load() == 0 {
				t.Error("too few connections were cut")
			}
		})
	}
}

// TestRedactRemovesPeopleFromStates checks that other people stay. Prune and
// RedactBefore leave states unchanged.
func TestRedactRemovesPeopleFromStates(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			for _, opts := range [][]sqlstore.Option{nil, {sqlstore.WithSecret([]byte("0123456789abcdef"))}} {
				store := d.openStore(t, db, opts...)
				claim(t, store.Campaign(fmt.Sprint("survey", opts)), "token", []string{"jane@example.com"})
				var entries []bulk.SyncEntry
				emails := append(customers(250), "jane@example.com", "john@example.com")
				for _, email := range emails {
					entries = append(entries, bulk.SyncEntry{Email: email, ContactID: "id of " + email, Dirty: email == "john@example.com"})
				}
				one, two := store.SyncState(fmt.Sprint("one", opts)), store.SyncState(fmt.Sprint("two", opts))
				for _, s := range []*sqlstore.SyncState{one, two} {
					defer acquire(t, s)()
					save(t, s, entries...)
				}
				if _, err := store.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if _, err := store.RedactBefore(t.Context(), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				remembers(t, one, emails, entries...)
				if n, err := store.Redact(t.Context(), append(customers(250), "Jane@Example.com", "nobody@example.com")...); n != 2*251+int64(1-len(opts)) || err != nil {
					t.Errorf("redacted %d (%v), want 251 in each state, and one with a readable email in a campaign", n, err)
				}
				for _, s := range []*sqlstore.SyncState{one, two} {
					remembers(t, s, emails, entries[len(entries)-1])
				}
				save(t, one, entries[0]) // Sync adds people still in its input
				remembers(t, one, emails, entries[0], entries[len(entries)-1])
			}
		})
	}
}

// TestNothingReadableIsInAState looks for the email in each column.
func TestNothingReadableIsInAState(t *testing.T) {
	t.Parallel()
	d := sqliteFile(t)
	db := d.migrated(t)
	s := d.openStore(t, db).SyncState("crm")
	defer acquire(t, s)()
	save(t, s, bulk.SyncEntry{Email: "jane@example.com", ContactID: "1"})
	rows, found := -1, -1
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*), SUM(instr(CAST(state || contact_id || email_key || fingerprint || fields AS TEXT), 'jane')) FROM demeterrr_sync_entries`).
		Scan(&rows, &found); rows != 1 || found != 0 || err != nil {
		t.Errorf("%d rows, of which %d have the email (%v)", rows, found, err)
	}
}
