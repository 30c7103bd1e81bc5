package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

const (
	patience     = 30 * time.Second // for retries of a transient failure
	attemptLimit = 10 * time.Second // for one attempt, to leave a dead connection
	firstBackoff = 5 * time.Millisecond
	maxBackoff   = time.Second
)

// queryer is a transaction or a pool.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// database is a pool and its dialect.
type database struct {
	*syntax
	db      *sql.DB
	dialect Dialect
}

// transact runs work in a transaction, and retries both until they succeed or
// fail for good. It also retries a COMMIT with an unknown result, so work must
// be idempotent.
func (d *database) transact(ctx context.Context, work func(context.Context, queryer) error) error {
	return d.repeat(ctx, func(ctx context.Context) error { return d.transactOnce(ctx, work) })
}

// repeat retries work after transient errors.
func (d *database) repeat(ctx context.Context, work func(context.Context) error) error {
	end, backoff := time.Now().Add(patience), firstBackoff
	var before error // of the attempt before
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		err := work(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			if before != nil && errors.Is(err, ctx.Err()) {
				err = before // the reason for the repeats says more
			}
			return ended(ctx, err)
		}
		wait := backoff/2 + rand.N(backoff) //nolint:gosec // spreads retries
		if !d.passes(err) || time.Now().Add(wait).After(end) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ended(ctx, err)
		}
		backoff, before = min(2*backoff, maxBackoff), err
	}
}

// ended returns the error of work after its context has ended.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

func (d *database) transactOnce(ctx context.Context, work func(context.Context, queryer) error) error {
	if d.dialect == SQLite {
		return d.immediate(ctx, work)
	}
	// Serializable and repeatable read can be the default. Both hide the rows
	// of others that an INSERT has met.
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := work(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// immediate runs work in a SQLite transaction that locks at its start. A
// transaction that begins with a read would fail instead of waiting for its
// turn to write.
func (d *database) immediate(ctx context.Context, work func(context.Context, queryer) error) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // the context may have ended after it began
		return err
	}
	if err = work(ctx, conn); err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil && !strings.Contains(failed.Error(), "no transaction") {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the pool replaces the connection
	}
	return err
}

// SQLite's primary result codes for a database locked by another connection.
const (
	sqliteBusy   = 5
	sqliteLocked = 6
)

var (
	mysqlError = regexp.MustCompile(`^Error (\d+)(?: \(\w+\))?: `)
	// Deadlocks, lock time-outs, cluster conflicts, too many connections, and
	// connections ended by the server.
	mysqlPassing = []string{
		"1020", "1040", "1047", "1053", "1152", "1158", "1159", "1160", "1161", "1180", "1203", "1205", "1213", "1317", "1927", "3101", "4031",
	}
	// Connection errors, serialization failures, deadlocks, too many
	// connections.
	postgresPassing = []string{"08", "40", "53300", "55P03", "57P01", "57P02", "57P03"}
)

// passes reports whether an error is transient. An error without a code of the
// server comes from the connection, and is transient.
func (d *database) passes(err error) bool {
	if strings.Contains(err.Error(), "sql: database is closed") || isOurs(err) || errors.Is(err, bulk.ErrStateInUse) || errors.Is(err, bulk.ErrStateMismatch) {
		return false
	}
	switch d.dialect {
	case SQLite:
		if coded := interface{ Code() int }(nil); errors.As(err, &coded) {
			return coded.Code()&0xff == sqliteBusy || coded.Code()&0xff == sqliteLocked
		}
		return strings.Contains(err.Error(), "is locked") || errors.Is(err, context.DeadlineExceeded)
	case MySQL:
		for ; err != nil; err = errors.Unwrap(err) {
			if code := mysqlError.FindStringSubmatch(err.Error()); code != nil {
				return slices.Contains(mysqlPassing, code[1])
			}
		}
		return true
	default:
		if coded := interface{ SQLState() string }(nil); errors.As(err, &coded) {
			return slices.ContainsFunc(postgresPassing, func(class string) bool { return strings.HasPrefix(coded.SQLState(), class) })
		}
		return true
	}
}
