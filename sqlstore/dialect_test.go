package sqlstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// TestSettingsOfDrivers runs a campaign and a sync state under settings for
// poolers and time zones. They change how a driver sends parameters and reads
// times.
func TestSettingsOfDrivers(t *testing.T) {
	t.Parallel()
	settings := map[sqlstore.Dialect][][2]string{
		sqlstore.PostgreSQL: {
			{"default_query_exec_mode", "exec"},
			{"default_query_exec_mode", "simple_protocol"},
			{"default_query_exec_mode", "cache_describe"},
			{"timezone", "Asia/Kathmandu"},
			{"default_transaction_isolation", "repeatable read"},
		},
		sqlstore.MySQL: {
			{"interpolateParams", "true"},
			{"parseTime", "true&loc=Asia%2FKathmandu"},
			{"time_zone", "%27%2B05%3A45%27"},
			{"charset", "latin1"},
			{"sql_mode", "%27%27"},
			{"sql_mode", "%27ANSI%2CTRADITIONAL%27"},
		},
		sqlstore.SQLite: {
			{"journal_mode", "DELETE"}, {"synchronous", "EXTRA"}, {"case_sensitive_like", "1"},
		},
	}
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			for i, setting := range settings[d.dialect] {
				if d.server == nil {
					d = sqliteFile(t) // the journal mode belongs to a file
				}
				dsn := d.dsn + "?" + setting[0] + "=" + setting[1]
				if d.dialect != sqlstore.MySQL {
					dsn = d.with(t, setting)
				}
				db := d.open(t, dsn)
				if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil {
					t.Fatal(err)
				}
				s := d.openStore(t, db)
				c := s.Campaign(fmt.Sprintf("süß %d", i))
				emails, start := []string{"rené@example.com", "rene@example.com", "kim@example.com"}, time.Now().Add(-time.Second)
				claim(t, c, "token", emails)
				done := bulk.JournalEntry{Email: "rené@example.com", State: bulk.JournalDone, Status: "queued", ContactID: "550e8400-e29b-41d4-a716-446655440000"}
				unknown := bulk.JournalEntry{Email: "kim@example.com", State: bulk.JournalUnknown}
				finish(t, c, "token", done, unknown)
				claim(t, c, "token2", emails, done, unknown, begun("rene@example.com"))
				entries := collect(t, c.Entries(t.Context()))
				if diff := cmp.Diff([]bulk.JournalEntry{done, unknown, begun("rene@example.com")}, entries, ignored); diff != "" {
					t.Errorf("%v (-want +got):\n%s", setting, diff)
				}
				if i := slices.IndexFunc(entries, func(e bulk.JournalEntry) bool { return e.At.Before(start) || e.At.After(time.Now().Add(time.Second)) }); i >= 0 {
					t.Errorf("%v: at %v, want about %v", setting, entries[i].At, start)
				}
				keepsOddEntries(t, s.SyncState(c.Name()), d.openStore(t, db).SyncState(c.Name()))
				for _, offset := range []time.Duration{-time.Minute, time.Minute} {
					if n, err := s.Prune(t.Context(), time.Now().Add(offset)); err != nil || (n == 1) != (offset > 0) {
						t.Errorf("%v: pruned %d up to %v (%v)", setting, n, offset, err)
					}
				}
			}
		})
	}
}

// keepsOddEntries saves values that a driver may change, twice. next is another
// run.
func keepsOddEntries(t *testing.T, s, next *sqlstore.SyncState) {
	t.Helper()
	defer acquire(t, s)()
	inUse(t, next)
	saved := []bulk.SyncEntry{
		{Email: "rené@example.com", ContactID: "süß", Fields: "[\"é\"]\x00\xff?'\\", Fingerprint: bulk.SyncFingerprint{1, 0xff, '\'', '\\', '?'}},
		{Email: "rene@example.com", Dirty: true},
	}
	save(t, s, saved...)
	save(t, s, saved...)
	remembers(t, s, []string{"rené@example.com", "rene@example.com", "kim@example.com"}, saved...)
}
