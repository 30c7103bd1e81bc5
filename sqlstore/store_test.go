package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// wantError fails the test unless an error has one prefix and says what to do.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", want)
	} else if !strings.HasPrefix(err.Error(), "demeterrr: ") || strings.Count(err.Error(), "demeterrr: ") != 1 || !strings.Contains(err.Error(), want) {
		t.Errorf("%q, want it to begin with demeterrr: and to have %q", err, want)
	}
}

func TestOpenChecksItsInput(t *testing.T) {
	t.Parallel()
	d := sqliteFile(t)
	db := d.migrated(t)
	for want, open := range map[string]func() (*sqlstore.Store, error){
		"the *sql.DB is nil":                       func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), nil, sqlstore.SQLite) },
		`unknown dialect "oracle"; use PostgreSQL`: func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), db, "oracle") },
		"option 1 is nil":                          func() (*sqlstore.Store, error) { return sqlstore.Open(t.Context(), db, d.dialect, nil) },
		"WithInFlight: 0s is not positive": func() (*sqlstore.Store, error) {
			return sqlstore.Open(t.Context(), db, d.dialect, sqlstore.WithInFlight(0))
		},
		"WithSecret: the secret has 0 bytes; pass 16": func() (*sqlstore.Store, error) {
			return sqlstore.Open(t.Context(), db, d.dialect, sqlstore.WithSecret(nil))
		},
	} {
		s, err := open()
		wantError(t, err, want)
		if s != nil || !errors.Is(err, demeterrr.ErrValidation) {
			t.Errorf("%v, %v", s, err)
		}
	}
	wantError(t, sqlstore.Migrate(t.Context(), nil, sqlstore.SQLite), "the *sql.DB is nil")
	wantError(t, sqlstore.Migrate(t.Context(), db, "Postgres"), `unknown dialect "Postgres"`)
}

func TestOpenRefusesAnotherDatabase(t *testing.T) {
	t.Parallel()
	all := map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "PostgreSQL", sqlstore.MySQL: "MySQL", sqlstore.SQLite: "SQLite"}
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			for dialect, name := range all {
				if dialect == d.dialect {
					continue
				}
				_, err := sqlstore.Open(t.Context(), db, dialect)
				wantError(t, err, "it is not "+name)
				wantError(t, sqlstore.Migrate(t.Context(), db, dialect), "not "+name)
			}
		})
	}
}

// refusing is a server that answers every connection with an error.
type refusing struct{ err error }

func (r refusing) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (refusing) Driver() driver.Driver                          { return nil }

// A PostgreSQL that is still starting is PostgreSQL.
func TestOpenTellsAServerThatIsStarting(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"57P03": "cannot be used: starting", "53300": "cannot be used: starting", "28P01": "it is not PostgreSQL, or refuses the connection"} {
		db := sql.OpenDB(refusing{&pgconn.PgError{Severity: "FATAL", Code: code, Message: "starting"}})
		_, err := sqlstore.Open(t.Context(), db, sqlstore.PostgreSQL)
		wantError(t, err, strings.Replace(want, "starting", "FATAL: starting", 1))
	}
}

func TestOpenRefusesTablesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.open(t, d.dsn)
			open := func() error {
				_, err := sqlstore.Open(t.Context(), db, d.dialect)
				return err
			}
			wantError(t, open(), "the tables are missing; call sqlstore.Migrate")
			d.migrated(t)
			if err := open(); err != nil {
				t.Fatal(err)
			}
			exec := func(query string) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			exec("INSERT INTO demeterrr_schema (version) VALUES (1000)")
			wantError(t, open(), "the tables have version 1000, and this program knows version")
			wantError(t, sqlstore.Migrate(t.Context(), db, d.dialect), "update module sqlstore")
			exec("DELETE FROM demeterrr_schema")
			wantError(t, open(), "the tables are missing")
			if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil { // the tables are there already
				t.Fatal(err)
			}
			for _, table := range []string{"demeterrr_campaigns", "demeterrr_journal", "demeterrr_sync_states", "demeterrr_sync_entries"} {
				exec("ALTER TABLE " + table + " RENAME TO hidden")
				wantError(t, open(), "the table "+table+" is missing, although demeterrr_schema names version")
				exec("ALTER TABLE hidden RENAME TO " + table)
			}
		})
	}
}

// TestOpenRefusesADatabaseThatForgets tries each setting alone.
func TestOpenRefusesADatabaseThatForgets(t *testing.T) {
	t.Parallel()
	type setting struct{ name, value, want string }
	settings := map[sqlstore.Dialect][]setting{
		sqlstore.PostgreSQL: {{"synchronous_commit", "off", "set synchronous_commit to on, or pass WithoutSettingsCheck"}},
		sqlstore.SQLite: {
			{"synchronous", "NORMAL", "set PRAGMA synchronous = FULL"},
			{"synchronous", "OFF", "set PRAGMA synchronous = FULL"},
			{"busy_timeout", "0", "set PRAGMA busy_timeout = 5000"},
			{"journal_mode", "OFF", "set PRAGMA journal_mode = WAL"},
			{"journal_mode", "MEMORY", "set PRAGMA journal_mode = WAL"},
		},
	}
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			d.migrated(t)
			for _, s := range settings[d.dialect] {
				if s.name == "journal_mode" {
					d = sqliteFile(t)
				}
				db := d.open(t, d.with(t, [2]string{s.name, s.value}))
				if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil {
					t.Fatal(err)
				}
				_, err := sqlstore.Open(t.Context(), db, d.dialect)
				wantError(t, err, s.want)
				c := d.openStore(t, db, sqlstore.WithoutSettingsCheck()).Campaign("told " + s.name + s.value)
				claim(t, c, "token", []string{"a@example.com"})
			}
		})
	}
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		d := &testDB{dialect: sqlstore.SQLite, driver: "sqlite", dsn: ":memory:"}
		db := d.open(t, d.dsn+"?_pragma=busy_timeout(5000)")
		db.SetMaxOpenConns(1)
		if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil {
			t.Fatal(err)
		}
		_, err := sqlstore.Open(t.Context(), db, d.dialect)
		wantError(t, err, "open a file rather than a database in memory")
		claim(t, d.openStore(t, db, sqlstore.WithoutSettingsCheck()).Campaign("survey"), "token", []string{"a@example.com"})
	})
}

// TestOpenRefusesMariaDBThatForgets changes the server for a moment, so it
// stands alone.
func TestOpenRefusesMariaDBThatForgets(t *testing.T) { //nolint:paralleltest // it changes settings of the server
	d := wanted(t, mariaServer).database(t)
	db := d.migrated(t)
	exec := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	for _, value := range []string{"0", "2"} {
		exec("SET GLOBAL innodb_flush_log_at_trx_commit = " + value)
		_, err := sqlstore.Open(t.Context(), db, d.dialect)
		exec("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
		wantError(t, err, "set innodb_flush_log_at_trx_commit to 1, or pass WithoutSettingsCheck")
	}
	for _, table := range []string{"demeterrr_journal", "demeterrr_sync_entries"} {
		exec("ALTER TABLE " + table + " ENGINE = MyISAM")
		_, err := sqlstore.Open(t.Context(), db, d.dialect)
		wantError(t, err, "convert the table "+table+" to ENGINE = InnoDB")
		exec("ALTER TABLE " + table + " ENGINE = InnoDB")
	}
}

func TestOpenRefusesAReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			d.migrated(t)
			setting := map[sqlstore.Dialect][2]string{
				sqlstore.PostgreSQL: {"default_transaction_read_only", "on"},
				sqlstore.MySQL:      {"tx_read_only", "1"},
				sqlstore.SQLite:     {"query_only", "1"},
			}[d.dialect]
			db := d.open(t, d.with(t, setting))
			for _, opts := range [][]sqlstore.Option{nil, {sqlstore.WithoutSettingsCheck()}} {
				_, err := sqlstore.Open(t.Context(), db, d.dialect, opts...)
				wantError(t, err, "it is read-only; connect to the primary")
			}
		})
	}
}

func TestOpenRefusesAUserWithoutRights(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			if d.dialect == sqlstore.SQLite {
				t.Skip("SQLite has no users")
			}
			db := d.migrated(t)
			dsn := strings.Replace(strings.Replace(d.dsn, "root@", "reader"+d.name+"@", 1), "postgres@", "reader"+d.name+"@", 1)
			grant := func(rights ...string) {
				t.Helper()
				for _, right := range rights {
					if _, err := db.ExecContext(t.Context(), right+" reader"+d.name); err != nil {
						t.Fatal(err)
					}
				}
			}
			grant("CREATE USER", "GRANT SELECT, INSERT, UPDATE ON demeterrr_campaigns TO", "GRANT SELECT, INSERT, UPDATE ON demeterrr_journal TO", "GRANT SELECT ON demeterrr_schema TO",
				"GRANT SELECT, INSERT, UPDATE ON demeterrr_sync_states TO", "GRANT SELECT, INSERT, UPDATE ON demeterrr_sync_entries TO")
			reader := d.open(t, dsn)
			_, err := sqlstore.Open(t.Context(), reader, d.dialect)
			wantError(t, err, "give the user these rights")
			grant("GRANT DELETE ON demeterrr_journal TO")
			_, err = sqlstore.Open(t.Context(), reader, d.dialect)
			wantError(t, err, "give the user these rights")
			grant("GRANT DELETE ON demeterrr_sync_entries TO")
			claim(t, d.openStore(t, reader).Campaign("survey"), "token", []string{"a@example.com"})
		})
	}
}

func TestOpenLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			d.openStore(t, db)
			for _, table := range []string{"demeterrr_campaigns", "demeterrr_journal", "demeterrr_sync_states", "demeterrr_sync_entries"} {
				n := -1
				if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); n != 0 || err != nil {
					t.Errorf("%s has %d rows (%v)", table, n, err)
				}
			}
		})
	}
}

func TestOpenFailsAtOnceWithoutADatabase(t *testing.T) {
	t.Parallel()
	d := &testDB{dialect: sqlstore.PostgreSQL, driver: "pgx", dsn: "postgres://postgres@127.0.0.1:1/x?sslmode=disable"}
	start := time.Now()
	_, err := sqlstore.Open(t.Context(), d.open(t, d.dsn), d.dialect)
	wantError(t, err, "refused")
	if time.Since(start) > 5*time.Second {
		t.Errorf("after %v", time.Since(start))
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlstore.Open(canceled, d.open(t, d.dsn), d.dialect); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestASecretThatIsNotTheCampaigns tries each pair of secrets: every claim must
// fail.
func TestASecretThatIsNotTheCampaigns(t *testing.T) {
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
			same := func(a, b string) bool {
				return a == b || strings.HasPrefix(a, "no") && strings.HasPrefix(b, "no")
			}
			for owner, s := range stores {
				claim(t, s.Campaign(owner), "token", []string{"a@example.com"})
			}
			for owner := range stores {
				for name, s := range stores {
					c := s.Campaign(owner)
					_, lookup := c.Lookup(t.Context(), surveyID, []string{"a@example.com"})
					taken, claimed := c.Claim(t.Context(), surveyID, "token2", []string{"a@example.com"})
					finished := c.Finish(t.Context(), surveyID, "token", []bulk.JournalEntry{{Email: "nobody@example.com"}})
					var listed error
					for _, err := range c.Entries(t.Context()) {
						listed = err
					}
					if same(owner, name) {
						if err := errors.Join(lookup, claimed, finished, listed); err != nil || len(taken) != 1 {
							t.Errorf("%s and %s: %v, %v", owner, name, taken, err)
						}
						continue
					}
					want := "belongs to another secret than the store's"
					switch {
					case strings.HasPrefix(owner, "no"):
						want = "has no secret, and the store has one"
					case strings.HasPrefix(name, "no"):
						want = "belongs to a secret, and the store has none"
					}
					for _, err := range []error{lookup, claimed, finished, listed, c.Forget(t.Context(), "a@example.com")} {
						wantError(t, err, want)
					}
				}
			}
		})
	}
}

func TestWithoutEmailsNothingReadableIsKept(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			for _, opt := range []sqlstore.Option{sqlstore.WithoutEmails(), sqlstore.WithSecret([]byte("0123456789abcdef"))} {
				s := d.openStore(t, db, opt, sqlstore.WithInFlight(time.Nanosecond))
				c := s.Campaign("survey" + time.Now().Format(time.RFC3339Nano))
				claim(t, c, "token", []string{"jane@example.com"})
				var readable int
				if err := db.QueryRowContext(t.Context(), "SELECT COUNT(email) FROM demeterrr_journal").Scan(&readable); err != nil || readable != 0 {
					t.Errorf("%d emails are readable (%v)", readable, err)
				}
				time.Sleep(2 * time.Millisecond)
				for e, err := range c.InDoubt(t.Context()) {
					if diff := cmp.Diff(bulk.JournalEntry{State: bulk.JournalBegun}, e, ignored); diff != "" || err != nil {
						t.Errorf("%v (-want +got):\n%s", err, diff)
					}
				}
				knows(t, c, []string{"jane@example.com"}, bulk.JournalEntry{Email: "jane@example.com", State: bulk.JournalBegun})
				if err := c.Forget(t.Context(), "Jane@example.com"); err != nil {
					t.Error(err)
				}
				knows(t, c, []string{"jane@example.com"})
			}
		})
	}
}
