package sqlstore_test

import (
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestSchemaIsWhatMigrateRuns applies the files as a migration tool does, twice.
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
