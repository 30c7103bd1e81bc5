package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed schema
var schema embed.FS

// schemaVersion is the number of the newest schema file.
const schemaVersion = 2

// Schema returns the schema as SQL files for migration tools. Each dialect has
// a folder: "postgresql", "mysql", "sqlite". A file name starts with the
// version: 0001_journal.up.sql, 0002_syncstate.up.sql. [Migrate] runs the same
// files.
//
// The files record their version in the table demeterrr_schema, and are safe to
// run again. golang-migrate and goose read them unchanged. For MySQL,
// golang-migrate needs multiStatements=true.
func Schema() fs.FS {
	sub, err := fs.Sub(schema, "schema")
	if err != nil {
		panic(err) // the folder is part of the package
	}
	return sub
}

// Migrate creates the tables, or brings them to the version of this package. It
// needs the right to create tables. It is safe to call at every start, by any
// number of processes at once. It fails if the tables have a later version.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect) error {
	d, err := newDatabase(db, dialect)
	if err != nil {
		return err
	}
	if err := d.migrate(ctx); err != nil {
		return because("the tables cannot be migrated", err)
	}
	return nil
}

func (d *database) migrate(ctx context.Context) error {
	if err := d.checkServer(ctx); err != nil {
		return err
	}
	if d.dialect == MySQL {
		return d.migrateMySQL(ctx)
	}
	return d.transact(ctx, func(ctx context.Context, q queryer) error {
		if d.dialect == PostgreSQL { // others wait until the transaction ends
			if _, err := q.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('demeterrr_schema'))"); err != nil {
				return err
			}
		}
		return d.applyFiles(ctx, q)
	})
}

// migrateMySQL holds a server lock in place of a transaction, since each CREATE
// TABLE commits.
func (d *database) migrateMySQL(ctx context.Context) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	locked, err := one[sql.NullInt64](ctx, conn, "SELECT GET_LOCK('demeterrr_schema', 60)")
	if err != nil {
		return err
	}
	if locked.Int64 != 1 {
		return errors.New("another process has been migrating for a minute; try again")
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK('demeterrr_schema')") }()
	return d.applyFiles(ctx, conn)
}

func (d *database) applyFiles(ctx context.Context, q queryer) error {
	version, err := d.schemaVersion(ctx, q)
	if err != nil {
		return err
	}
	if version > schemaVersion {
		return laterSchema(version)
	}
	files, err := fs.Glob(schema, "schema/"+string(d.dialect)+"/*.up.sql")
	if err != nil {
		return err
	}
	for _, file := range files[version:] {
		text, err := schema.ReadFile(file)
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := q.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// schemaVersion returns the version of the tables; 0 without tables.
func (d *database) schemaVersion(ctx context.Context, q queryer) (int, error) {
	exists, err := one[int](ctx, q, d.sql(d.tableList), "demeterrr_schema")
	if err != nil || exists == 0 {
		return 0, err
	}
	return one[int](ctx, q, "SELECT COALESCE(MAX(version), 0) FROM demeterrr_schema")
}

func laterSchema(version int) error {
	return invalid("the tables have version %d, and this program knows version %d; update module sqlstore in it", version, schemaVersion)
}

// one returns the single value of a query with a single row.
func one[T any](ctx context.Context, q queryer, query string, args ...any) (value T, err error) {
	err = each(ctx, q, query, args, func(rows *sql.Rows) error { return rows.Scan(&value) })
	return value, err
}

// each calls f for each row of a query.
func each(ctx context.Context, q queryer, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
