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
	patience     = 30 * time.Second // for repeating what fails for a while
	attemptLimit = 10 * time.Second // for one attempt, so that a dead connection is left
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

// transact runs work in a transaction, and repeats both until they succeed or
// fail for good. A COMMIT whose result is unknown is repeated too, so work must
// change nothing when it is done again.
func (d *database) transact(ctx context.Context, work func(context.Context, queryer) error) error {
	return d.repeat(ctx, func(ctx context.Context) error { return d.transactOnce(ctx, work) })
}

// repeat repeats work while it fails for a reason that passes.
func (d *database) repeat(ctx context.Context, work func(context.Context) error) error {
	end, backoff := time.Now().Add(patience), firstBackoff
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		err := work(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
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
		backoff = min(2*backoff, maxBackoff)
	}
}

// ended is the error of work whose context has ended.
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
	// The default may be serializable, or repeatable read: neither sees the rows of others that an INSERT has met.
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

// immediate runs work in a transaction of SQLite that locks at its start. One
// that begins with a read could not wait for its turn to write.
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
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // a new connection takes its place
	}
	return err
}

// sqlite's primary result codes for a database that another connection has locked.
const (
	sqliteBusy   = 5
	sqliteLocked = 6
)

var (
	mysqlError = regexp.MustCompile(`^Error (\d+)(?: \(\w+\))?: `)
	// Deadlocks, time-outs of locks, conflicts of a cluster, too many connections, and connections that the server ends.
	mysqlPassing = []string{
		"1020", "1040", "1047", "1053", "1152", "1158", "1159", "1160", "1161", "1180", "1203", "1205", "1213", "1317", "1927", "3101", "4031",
	}
	// Connection errors, serialization failures and deadlocks, too many connections.
	postgresPassing = []string{"08", "40", "53300", "55P03", "57P01", "57P02", "57P03"}
)

// passes reports whether an error may not come again. An error that has no code
// of the server comes from the connection, and passes.
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
