package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// markerEnd is the suffix of a marker, a small file in place of a journal. It
// notes that the campaign has its journal in a database. A later run without
// the database then stops before it messages everybody again.
const markerEnd = ".database"

// markerText explains a marker to people. The hash of the database follows.
const markerText = "The journal of this campaign is in a database. Its address has the hash "

// marker returns the file of the campaign's marker.
func (f *campaignFlags) marker(sequence string) (string, error) {
	file, err := f.path(sequence, "")
	name := plainName(namedBy(filepath.Base(file)))
	return filepath.Join(filepath.Dir(file), fileName(name)+markerEnd), err
}

// checkMarker fails if the campaign ran with another database, or with any
// database if this run has none.
func (f *campaignFlags) checkMarker(sequence, database string) error {
	file, err := f.marker(sequence)
	if err != nil {
		return nil //nolint:nilerr // no folder of journals
	}
	before, err := os.ReadFile(file) //nolint:gosec // in the folder of journals
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage(err)
	case database == "":
		return usagef("the campaign has its journal in a database; name that one with --database, or remove %s to start over", file)
	case string(before) != markerOf(database):
		return usagef("the campaign has its journal in another database; use that one, or remove %s if the journal has moved here", file)
	}
	return nil
}

// mark writes the marker of a campaign in a database. Without a writable folder
// there is none: a later run could keep no file there either.
func (f *campaignFlags) mark(sequence, database string) error {
	file, err := f.marker(sequence)
	if database == "" || err != nil || makeFolder(file) != nil {
		return nil //nolint:nilerr // no folder of journals
	}
	text := markerOf(database)
	if before, err := os.ReadFile(file); err == nil && string(before) == text { //nolint:gosec // in the folder of journals
		return nil
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in the folder of journals
	if err != nil {
		return usage(err)
	}
	_, err = out.WriteString(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return usage(err)
	}
	return nil
}

// markerOf returns the content of a marker.
func markerOf(database string) string { return markerText + hash(databasePlace(database)) + ".\n" }

// databasePlace returns the host and the name of a database, or its file. Users,
// passwords and settings may change.
func databasePlace(database string) string {
	switch driver, _, source, _ := dataSource(database); driver {
	case "mysql":
		if c, err := mysql.ParseDSN(source); err == nil {
			return fmt.Sprintf("mysql %s %s", c.Addr, c.DBName)
		}
	case "pgx":
		if c, err := pgx.ParseConfig(source); err == nil {
			return fmt.Sprintf("postgres %s %d %s", c.Host, c.Port, c.Database)
		}
	case "sqlite":
		file := sqliteFile(database)
		if absolute, err := filepath.Abs(file); err == nil {
			file = absolute
		}
		return "sqlite " + file
	}
	return "" // no run opens such a database
}
