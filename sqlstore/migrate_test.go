package sqlstore_test

import (
	"crypto/sha256"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

func TestMigrateByManyAtOnce(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			var group sync.WaitGroup
			for range 8 {
				db := d.open(t, d.dsn)
				group.Go(func() {
					for range 2 {
						if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			claim(t, d.store(t).Campaign("survey"), "token", []string{"a@example.com"})
		})
	}
}

// TestSchemaIsWhatMigrateRuns applies the files as a migration tool does,
// twice.
func TestSchemaIsWhatMigrateRuns(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.open(t, d.dsn)
			for range 2 {
				files, err := fs.Glob(sqlstore.Schema(), string(d.dialect)+"/*.up.sql")
				if err != nil || len(files) == 0 {
					t.Fatal(files, err)
				}
				for _, file := range files {
					text, err := fs.ReadFile(sqlstore.Schema(), file)
					if err != nil {
						t.Fatal(err)
					}
					for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
						if _, err := db.ExecContext(t.Context(), strings.TrimSuffix(statement, ";")); err != nil {
							t.Fatal(file, err)
						}
					}
				}
			}
			claim(t, d.openStore(t, db).Campaign("survey"), "token", []string{"a@example.com"})
		})
	}
}

// TestMigrateFromTheFirstVersion keeps the rows of the tables.
func TestMigrateFromTheFirstVersion(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.open(t, d.dsn)
			text, err := fs.ReadFile(sqlstore.Schema(), string(d.dialect)+"/0001_journal.up.sql")
			if err != nil {
				t.Fatal(err)
			}
			for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
				execute(t, db, strings.TrimSuffix(statement, ";"))
			}
			key := sha256.Sum256([]byte("a@example.com"))
			execute(t, db, "INSERT INTO demeterrr_campaigns (campaign, sequence_id, secret_check, created_at) VALUES ('survey', '"+surveyID+"', '', '2026-11-27 10:00:00')")
			if _, err := db.ExecContext(t.Context(), strings.ReplaceAll("INSERT INTO demeterrr_journal (campaign, email_key, email, state, token, owner, changed_at) VALUES ('survey', ?, 'a@example.com', 'unknown', 'token', '', '2026-11-27 10:00:00')",
				"?", map[bool]string{true: "$1", false: "?"}[d.dialect == sqlstore.PostgreSQL]), key[:]); err != nil {
				t.Fatal(err)
			}
			_, err = sqlstore.Open(t.Context(), db, d.dialect)
			wantError(t, err, "the tables have version 1, and this program needs version 2; call sqlstore.Migrate")
			s := d.store(t)
			knows(t, s.Campaign("survey"), []string{"a@example.com"}, bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalUnknown})
			acquire(t, s.SyncState("crm"))()
		})
	}
}

// TestEachDialectHasTheSameFiles keeps one version for all.
func TestEachDialectHasTheSameFiles(t *testing.T) {
	t.Parallel()
	names := map[string][]string{}
	for _, dialect := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
		entries, err := fs.ReadDir(sqlstore.Schema(), string(dialect))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names[string(dialect)] = append(names[string(dialect)], e.Name())
		}
		if diff := cmp.Diff(names["postgresql"], names[string(dialect)]); diff != "" {
			t.Errorf("%s (-postgresql +%s):\n%s", dialect, dialect, diff)
		}
	}
}
