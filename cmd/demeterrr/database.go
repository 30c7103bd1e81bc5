package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	_ "github.com/go-sql-driver/mysql" // mysql
	_ "github.com/jackc/pgx/v5/stdlib" // pgx
	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // sqlite

	"github.com/demeterrr/demeterrr-go/sqlstore"
)

func registerDatabase(c *cobra.Command, database *string) {
	c.Flags().StringVar(database, "database", os.Getenv("DEMETERRR_DATABASE"),
		"`address` of a database for journals and states: postgres://user@host/name, mysql://user@tcp(host)/name or sqlite:FILE "+
			"(default: $DEMETERRR_DATABASE, which hides a password from the process list)")
	c.Flags().Lookup("database").DefValue = "" // keeps a password out of the help text
}

// dataSource returns the driver, the dialect and the data source name.
func dataSource(database string) (driver string, dialect sqlstore.Dialect, source string, err error) {
	scheme, rest, _ := strings.Cut(database, ":")
	switch scheme {
	case "postgres", "postgresql":
		return "pgx", sqlstore.PostgreSQL, database, nil
	case "mysql", "mariadb":
		return "mysql", sqlstore.MySQL, strings.TrimPrefix(rest, "//"), nil
	case "sqlite":
		file := sqliteFile(database)
		if file == "" {
			break
		}
		pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
		return "sqlite", sqlstore.SQLite, "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + pragmas.Encode(), nil
	}
	return "", "", "", errors.New("--database: unknown address; use postgres://user@host/name, mysql://user@tcp(host)/name or sqlite:FILE")
}

// sqliteFile returns the file of a SQLite address, or "".
func sqliteFile(database string) string {
	file, ok := strings.CutPrefix(database, "sqlite:")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(file, "//")
}

// databaseFiles returns the files of a SQLite database.
func databaseFiles(database string) []string {
	file := sqliteFile(database)
	if file == "" {
		return nil
	}
	return []string{file, file + "-wal", file + "-shm"}
}

// errNoTables is the error of a dry run before the first real run.
var errNoTables = usage(errors.New("--database: the tables are missing; the first real run creates them"))

// openStore opens the database, and creates missing tables. A dry run creates
// nothing.
func openStore(ctx context.Context, database string, dryRun bool) (*sqlstore.Store, *sql.DB, error) {
	driver, dialect, source, err := dataSource(database)
	if err != nil {
		return nil, nil, usage(err)
	}
	if file := sqliteFile(database); file != "" && dryRun {
		if _, err := os.Stat(file); err != nil { // sql.Open would create the file
			return nil, nil, cmp.Or(checkFolder(file), errNoTables)
		}
	}
	if file := sqliteFile(database); file != "" { // SQLite would make it readable by others
		if made, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil { //nolint:gosec // the user names it
			_ = made.Close()
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, nil, usage(errors.New("--database: invalid address")) // err may contain the password
	}
	store, err := sqlstore.Open(ctx, db, dialect)
	if err != nil && strings.Contains(err.Error(), "call sqlstore.Migrate") {
		if dryRun && strings.Contains(err.Error(), "tables are missing") {
			closeDatabase(db)
			return nil, nil, errNoTables
		}
		if err = sqlstore.Migrate(ctx, db, dialect); err == nil {
			store, err = sqlstore.Open(ctx, db, dialect)
		}
	}
	if err != nil {
		closeDatabase(db)
		return nil, nil, usagef("--database: %s", bare(err))
	}
	return store, db, nil
}

func closeDatabase(db *sql.DB) { _ = db.Close() }

// checkFolder fails if the folder of a file is missing.
func checkFolder(file string) error {
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return usagef("--database: %w", err)
	}
	return nil
}

// storedName returns the name of a campaign or a source in the database. Names
// of the real account stay unchanged. Other addresses become a prefix.
func storedName(name string) string {
	if account() == "app.demeterrr.com" {
		return name
	}
	return account() + "/" + name
}

// addressed matches stored names with the prefix of another address.
var addressed = regexp.MustCompile(`^[a-z0-9._-]+-[0-9a-f]{12}/`)

// accountName reverses storedName. ours is false for a name of another
// account.
func accountName(stored string) (name string, ours bool) {
	if account() == "app.demeterrr.com" {
		return stored, !addressed.MatchString(stored)
	}
	return strings.CutPrefix(stored, account()+"/")
}
