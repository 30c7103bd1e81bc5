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
		"keep journals and states in this database, such as postgres://user@host/name, mysql://user@tcp(host)/name or sqlite:FILE "+
			"(default: $DEMETERRR_DATABASE, which keeps a password out of the list of processes)")
	c.Flags().Lookup("database").DefValue = "" // help shows no password
}

// dataSource returns the driver, the dialect and the data source of a database.
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
	return "", "", "", errors.New("--database: want postgres://user@host/name, mysql://user@tcp(host)/name or sqlite:FILE")
}

// sqliteFile returns the file of a SQLite database, or "".
func sqliteFile(database string) string {
	file, ok := strings.CutPrefix(database, "sqlite:")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(file, "//")
}

// databaseFiles are the files of a SQLite database.
func databaseFiles(database string) []string {
	file := sqliteFile(database)
	if file == "" {
		return nil
	}
	return []string{file, file + "-wal", file + "-shm"}
}

// errNoTables is the error of a dry run where a real run would make the tables.
var errNoTables = usage(errors.New("--database: the tables are missing; a run that sends makes them"))

// openStore opens the database, and makes its tables where they are missing. A
// dry run makes none.
func openStore(ctx context.Context, database string, dryRun bool) (*sqlstore.Store, *sql.DB, error) {
	driver, dialect, source, err := dataSource(database)
	if err != nil {
		return nil, nil, usage(err)
	}
	if file := sqliteFile(database); file != "" && dryRun {
		if _, err := os.Stat(file); err != nil { // to open it would make it
			return nil, nil, cmp.Or(checkFolder(file), errNoTables)
		}
	}
	if file := sqliteFile(database); file != "" { // SQLite would let others read it
		if made, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil { //nolint:gosec // the user names it
			_ = made.Close()
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, nil, usage(errors.New("--database: it cannot be understood")) // the error can have the password
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

// checkFolder returns an error if the folder of a file is missing.
func checkFolder(file string) error {
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return usagef("--database: %w", err)
	}
	return nil
}

// storedName is the name of a campaign or a source in the database: that of the
// real account as it is, that of another address with the address.
func storedName(name string) string {
	if account() == "app.demeterrr.com" {
		return name
	}
	return account() + "/" + name
}

// addressed is a stored name of another address than the real account's.
var addressed = regexp.MustCompile(`^[a-z0-9._-]+-[0-9a-f]{12}/`)

// accountName is the reverse of storedName. ours is false for the name of
// another account.
func accountName(stored string) (name string, ours bool) {
	if account() == "app.demeterrr.com" {
		return stored, !addressed.MatchString(stored)
	}
	return strings.CutPrefix(stored, account()+"/")
}
