package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// tables lists the tables beside demeterrr_schema.
var tables = []string{"demeterrr_campaigns", "demeterrr_journal", "demeterrr_sync_states", "demeterrr_sync_entries"}

// check returns an error if the database cannot keep journals and sync states.
func (s *Store) check(ctx context.Context) error {
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	settings, err := s.settings(ctx)
	if err != nil {
		return err
	}
	if !s.unchecked {
		if err := s.checkSettings(settings); err != nil {
			return err
		}
	}
	if err := s.probe(ctx); err != nil {
		if readOnly(settings) {
			return fmt.Errorf("it is read-only; connect to the primary, with a user that may write: %w", err)
		}
		return fmt.Errorf("it refuses a test of SELECT, INSERT, UPDATE and DELETE; give the user these rights on the demeterrr tables: %w", err)
	}
	return nil
}

// checkServer rejects another kind of database, and an old version.
func (d *database) checkServer(ctx context.Context) error {
	version, err := one[string](ctx, d.db, d.version)
	if err != nil {
		_, coded := errors.AsType[interface {
			error
			SQLState() string
		}](err)
		if coded && d.dialect == PostgreSQL && d.passes(err) {
			return err // the server is starting, for example
		}
		if coded || strings.Contains(err.Error(), "no such function") || mysqlError.MatchString(err.Error()) {
			return fmt.Errorf("it is not %s, or refuses the connection; pass the dialect of the database: %w", d.name, err)
		}
		return err
	}
	oldest, text := [2]int{13}, version
	switch d.dialect {
	case PostgreSQL:
		text = strings.TrimPrefix(version, "PostgreSQL ")
		if text == version { // also for a server that only speaks its protocol
			return d.otherServer(version)
		}
	case MySQL:
		oldest = [2]int{8}
		if strings.Contains(version, "MariaDB") {
			oldest = [2]int{10, 6}
			text = strings.TrimPrefix(version, "5.5.5-") // some servers put this before their own version
		}
	default:
		oldest = [2]int{3, 24}
	}
	var have [2]int
	if n, _ := fmt.Sscanf(text, "%d.%d", &have[0], &have[1]); n == 0 {
		return d.otherServer(version)
	}
	if have[0] < oldest[0] || have[0] == oldest[0] && have[1] < oldest[1] {
		return invalid("the database is %s %s; use %d.%d or later", d.name, text, oldest[0], oldest[1])
	}
	return nil
}

func (d *database) otherServer(version string) error {
	return invalid("it is not %s, but %q; pass the dialect of the database", d.name, version)
}

// checkSchema rejects missing tables and tables of another version.
func (s *Store) checkSchema(ctx context.Context) error {
	version, err := s.schemaVersion(ctx, s.db)
	switch {
	case err != nil:
		return err
	case version == 0:
		return invalid("the tables are missing; call sqlstore.Migrate, or apply the files of sqlstore.Schema")
	case version < schemaVersion:
		return invalid("the tables have version %d, and this program needs version %d; call sqlstore.Migrate", version, schemaVersion)
	case version > schemaVersion:
		return laterSchema(version)
	}
	for _, table := range tables {
		n, err := one[int](ctx, s.db, s.sql(s.tableList), table)
		if err != nil {
			return err
		}
		if n == 0 {
			return invalid("the table %s is missing, although demeterrr_schema names version %d; restore it, or drop all tables and call sqlstore.Migrate", table, version)
		}
	}
	return nil
}

// settings returns the settings for durability and read-only mode, by name,
// with values in upper case.
func (s *Store) settings(ctx context.Context) (map[string]string, error) {
	settings := map[string]string{}
	read := func(q queryer, query string, args ...any) error {
		return each(ctx, q, query, args, func(rows *sql.Rows) error {
			var name, value string
			err := rows.Scan(&name, &value)
			settings[name] = strings.ToUpper(value)
			return err
		})
	}
	switch s.dialect {
	case PostgreSQL:
		return settings, read(s.db, `SELECT name, setting FROM pg_settings WHERE name IN ('synchronous_commit', 'fsync', 'transaction_read_only')`)
	case MySQL:
		return settings, errors.Join(
			read(s.db, `SHOW VARIABLES WHERE Variable_name IN
				('innodb_flush_log_at_trx_commit', 'read_only', 'innodb_read_only', 'transaction_read_only', 'tx_read_only')`),
			read(s.db, `SELECT CONCAT('engine of ', table_name), engine FROM information_schema.tables
				WHERE table_schema = DATABASE() AND table_name IN ('`+strings.Join(tables, "', '")+`')`))
	default:
		return settings, s.pragmas(ctx, settings)
	}
}

// pragmas reads the settings of one connection of SQLite.
func (s *Store) pragmas(ctx context.Context, settings map[string]string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, name := range []string{"synchronous", "busy_timeout", "journal_mode", "query_only"} {
		value, err := one[string](ctx, conn, "PRAGMA "+name)
		if err != nil {
			return err
		}
		settings[name] = strings.ToUpper(value)
	}
	return each(ctx, conn, "PRAGMA database_list", nil, func(rows *sql.Rows) error {
		var (
			n    int
			name string
			file sql.NullString
		)
		err := rows.Scan(&n, &name, &file)
		if name == "main" {
			settings["file"] = file.String
		}
		return err
	})
}

// checkSettings rejects a database that may lose what it commits.
func (s *Store) checkSettings(settings map[string]string) error {
	lost := func(fix string) error {
		return invalid("the database may lose what it has committed, and people would be sent to again; %s, or pass WithoutSettingsCheck", fix)
	}
	switch s.dialect {
	case PostgreSQL:
		if settings["synchronous_commit"] == "OFF" {
			return lost("set synchronous_commit to on")
		}
		if settings["fsync"] == "OFF" {
			return lost("set fsync to on")
		}
	case MySQL:
		if settings["innodb_flush_log_at_trx_commit"] != "1" {
			return lost("set innodb_flush_log_at_trx_commit to 1")
		}
		for _, table := range tables {
			if engine := settings["engine of "+table]; engine != "INNODB" {
				return lost("convert the table " + table + " to ENGINE = InnoDB")
			}
		}
	default:
		if level, err := strconv.Atoi(settings["synchronous"]); err != nil || level < 2 {
			return lost("set PRAGMA synchronous = FULL for every connection, in the DSN for example")
		}
		if mode := settings["journal_mode"]; mode == "OFF" || mode == "MEMORY" && settings["file"] != "" {
			return lost("set PRAGMA journal_mode = WAL")
		}
		if settings["file"] == "" {
			return lost("open a file rather than a database in memory")
		}
		if settings["busy_timeout"] == "0" {
			return invalid("the database has no busy time-out, so processes fail rather than wait for each other; set PRAGMA busy_timeout = 5000 for every connection, in the DSN for example, or pass WithoutSettingsCheck")
		}
	}
	return nil
}

// readOnly reports whether the settings explain a failed write.
func readOnly(settings map[string]string) bool {
	for _, name := range []string{"transaction_read_only", "tx_read_only", "read_only", "innodb_read_only", "query_only"} {
		if value := settings[name]; value == "ON" || value == "1" {
			return true
		}
	}
	return false
}

// errRollBack rolls back a transaction that has succeeded.
var errRollBack = invalid("rolled back")

// probe runs every statement of a campaign and of a sync state once, in a
// transaction that it rolls back.
func (s *Store) probe(ctx context.Context) error {
	const sequenceID = "probe"
	c := s.Campaign("demeterrr probe " + rand.Text())
	keys := []hashed{s.hash("a@example.com"), s.hash("b@example.com"), s.hash("c@example.com")}
	sortKeys(keys)
	err := s.transact(ctx, func(ctx context.Context, q queryer) error {
		if _, err := c.claim(ctx, q, sequenceID, rand.Text(), keys); err != nil {
			return err
		}
		token := rand.Text()
		taken, err := c.claim(ctx, q, sequenceID, token, keys)
		if err == nil && len(taken) != len(keys) {
			err = invalid("two claims got the same email: the database ignores primary keys")
		}
		if err != nil {
			return err
		}
		for _, state := range []bulk.JournalState{bulk.JournalDone, bulk.JournalUnknown, bulk.JournalNew} {
			if err := c.finishState(ctx, q, token, state, finished{keys: keys, entries: make([]bulk.JournalEntry, len(keys))}); err != nil {
				return err
			}
		}
		if err := s.probeState(ctx, q); err != nil {
			return err
		}
		return errRollBack
	})
	if errors.Is(err, errRollBack) {
		return nil
	}
	return err
}

func (s *Store) probeState(ctx context.Context, q queryer) error {
	state, run := s.SyncState("demeterrr probe "+rand.Text()), &stateRun{token: rand.Text(), address: "probe"}
	if err := state.lease(ctx, q, run); err != nil {
		return err
	}
	email := "a@example.com"
	for _, e := range []bulk.SyncEntry{{Email: email, Dirty: true}, {Email: email}} { // the second removes it
		entries, err := state.checked([]bulk.SyncEntry{e})
		if err == nil {
			err = state.save(ctx, q, run, entries)
		}
		if err == nil {
			_, err = state.read(ctx, q, []hashed{s.hash(email)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
