package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	_ "modernc.org/sqlite"             // SQLite, in pure Go

	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// inFlight is the time during which an order counts as in flight: a request,
// its record, and slack. After that time, an unfinished order is in doubt.
var inFlight = 5 * time.Minute

// openStore opens a database and makes missing tables. All replicas can do so
// at once.
func openStore(ctx context.Context, database string) (*sql.DB, *sqlstore.Store, error) {
	driver, dialect, dsn := "pgx", sqlstore.PostgreSQL, database
	scheme, _, isURL := strings.Cut(database, "://")
	switch {
	case isURL && scheme != "postgres" && scheme != "postgresql":
		return nil, nil, fmt.Errorf("-database: unknown scheme %q; pass postgres://… or the path of a SQLite file", scheme)
	case !isURL:
		driver, dialect = "sqlite", sqlstore.SQLite
		dsn = "file:" + filepath.ToSlash(database) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("-database: %w", err)
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	slog.Info("opening the database", "dialect", dialect)
	var store *sqlstore.Store
	if err = sqlstore.Migrate(ctx, db, dialect); err == nil {
		store, err = sqlstore.Open(ctx, db, dialect, sqlstore.WithInFlight(inFlight))
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("-database: %w", err), db.Close())
	}
	return db, store, nil
}

// ready reports whether the database can be reached.
func ready(db *sql.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := db.PingContext(ctx); err != nil {
			slog.Warn("not ready", "error", err)
			http.Error(w, "the database is out of reach", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	}
}
