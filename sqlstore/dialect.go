package sqlstore

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect names the kind of a database.
type Dialect string

const (
	// PostgreSQL is PostgreSQL 13 or later, with any driver for it.
	PostgreSQL Dialect = "postgresql"
	// MySQL is MySQL 8.0 or later, or MariaDB 10.6 or later, with
	// github.com/go-sql-driver/mysql.
	MySQL Dialect = "mysql"
	// SQLite is SQLite 3.24 or later, with any driver for it.
	SQLite Dialect = "sqlite"
)

// syntax is the SQL in which the dialects differ.
type syntax struct {
	name      string // of the database, for people
	numbered  bool   // placeholders are $1, $2, … rather than ?
	version   string // a query for the version, as text
	tableList string // a query that counts the tables with a name
	now       string // the time by the database's clock
	later     string // the time a number of microseconds from now; the number is its parameter
	maxParams int    // limit for one statement
	onKey     string // ends an INSERT, before assignments for an existing row with the key %
	inserted  string // the value that the INSERT had for column %
	micros    string // time column % in the form that dbTime reads
	keepOld   string // ends an INSERT: an existing row stays unchanged
	forShare  string // ends a SELECT: the row cannot be deleted until the transaction ends
	forUpdate string // ends a SELECT: forShare and forUpdate of others wait until the transaction ends
	layout    string // for a time as a parameter; empty: the driver's own
}

var syntaxes = map[Dialect]*syntax{
	PostgreSQL: {
		name:      "PostgreSQL",
		numbered:  true,
		version:   "SELECT version()",
		tableList: "SELECT CASE WHEN to_regclass(?) IS NULL THEN 0 ELSE 1 END",
		now:       "clock_timestamp()",
		later:     "clock_timestamp() + CAST(? AS bigint) * INTERVAL '1 microsecond'",
		maxParams: 7000,
		onKey:     "ON CONFLICT (%) DO UPDATE SET ",
		inserted:  "excluded.%",
		micros:    "%",
		keepOld:   "ON CONFLICT DO NOTHING",
		forShare:  "FOR KEY SHARE",
		forUpdate: "FOR UPDATE",
	},
	MySQL: {
		name:      "MySQL",
		version:   "SELECT version()",
		tableList: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
		now:       "UTC_TIMESTAMP(6)",
		later:     "UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND",
		maxParams: 7000,
		onKey:     "ON DUPLICATE KEY UPDATE ",
		inserted:  "VALUES(%)",
		micros:    "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', %)",
		keepOld:   "ON DUPLICATE KEY UPDATE campaign = campaign",
		forShare:  "LOCK IN SHARE MODE",
		forUpdate: "FOR UPDATE",
		layout:    "2006-01-02 15:04:05.000000",
	},
	SQLite: {
		name:      "SQLite",
		version:   "SELECT sqlite_version()",
		tableList: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
		now:       "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
		later:     "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', printf('%.3f seconds', ? / 1000000.0))",
		maxParams: 999, // the limit of its oldest version
		onKey:     "ON CONFLICT (%) DO UPDATE SET ",
		inserted:  "excluded.%",
		micros:    "CAST(round((julianday(%) - 2440587.5) * 86400000) AS INTEGER) * 1000",
		keepOld:   "ON CONFLICT DO NOTHING",
		layout:    "2006-01-02T15:04:05.000Z",
	},
}

// sql returns a query in this dialect. The query has four placeholders: ? for a
// parameter, NOW for the current time, NOW_PLUS for the time a number of
// microseconds from now, and MICROS(column) for a time that dbTime reads. The
// number of NOW_PLUS is a parameter too.
func (s *syntax) sql(query string) string {
	query = strings.ReplaceAll(query, "NOW_PLUS", s.later)
	for {
		before, rest, found := strings.Cut(query, "MICROS(")
		if !found {
			break
		}
		column, after, _ := strings.Cut(rest, ")")
		query = before + strings.ReplaceAll(s.micros, "%", column) + after
	}
	query = strings.ReplaceAll(query, "NOW", s.now)
	if !s.numbered {
		return query
	}
	out := make([]byte, 0, len(query)+len(query)/4)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		out = append(out, before...)
		if !found {
			return string(out)
		}
		out = strconv.AppendInt(append(out, '$'), int64(n), 10)
		query = after
	}
}

// upsert returns the end of an INSERT. An existing row with the same key gets
// the new values of columns.
func (s *syntax) upsert(key string, columns ...string) string {
	set := make([]string, len(columns))
	for i, column := range columns {
		set[i] = column + " = " + strings.ReplaceAll(s.inserted, "%", column)
	}
	return strings.ReplaceAll(s.onKey, "%", key) + strings.Join(set, ", ")
}

// bytes returns the parameter for a column that compares text byte by byte.
func (s *syntax) bytes(text string) any {
	if s.numbered || s.forShare == "" {
		return text
	}
	return []byte(text) // VARBINARY: a string would pass through the connection's character set
}

// time returns the parameter for a time.
func (s *syntax) time(t time.Time) any {
	if s.layout == "" {
		return t
	}
	return t.UTC().Format(s.layout)
}

// dbTime is a time from a query: a time.Time, or microseconds since 1970.
type dbTime struct{ time.Time }

// Scan makes dbTime a sql.Scanner.
func (t *dbTime) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v.UTC()
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	case []byte:
		n, err := strconv.ParseInt(string(v), 10, 64)
		t.Time = time.UnixMicro(n).UTC()
		return err
	default:
		return fmt.Errorf("the driver returned a time as %T", value)
	}
	return nil
}

// list returns the text n times, separated by commas.
func list(n int, text string) string { return strings.Repeat(text+", ", n-1) + text }
