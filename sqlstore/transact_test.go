package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// faulty is a driver with connections that fail on demand.
type faulty struct {
	driver driver.Driver
	dsn    string

	mu    sync.Mutex
	fault func(n int, step string, after bool) error // nil: none
	n     int                                        // steps since the fault was set

	failed    atomic.Int64 // steps that failed without a fault
	isolation atomic.Int64 // of the last transaction
}

func (f *faulty) Connect(context.Context) (driver.Conn, error) {
	conn, err := f.driver.Open(f.dsn)
	return &faultyConn{conn, f}, err
}

func (f *faulty) Driver() driver.Driver { return f.driver }

// inject sets the fault and starts to count.
func (f *faulty) inject(fault func(n int, step string, after bool) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.n = fault, 0
}

func (f *faulty) steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// step does a step of a connection, unless a fault comes before. A fault after
// it hides its result.
func (f *faulty) step(name string, do func() error) error {
	f.mu.Lock()
	fault, n := f.fault, f.n
	f.n++
	f.mu.Unlock()
	if fault == nil {
		err := do()
		if err != nil {
			f.failed.Add(1)
		}
		return err
	}
	if err := fault(n, name, false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return fault(n, name, true)
}

type faultyConn struct {
	driver.Conn
	f *faulty
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Result, err error) {
	err = c.f.step(query, func() error {
		r, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return r, err
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Rows, err error) {
	err = c.f.step(query, func() error {
		r, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
	if err != nil && r != nil {
		_ = r.Close()
	}
	return r, err
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	c.f.isolation.Store(int64(opts.Isolation))
	err = c.f.step("BEGIN", func() error {
		tx, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
		return err
	})
	if err != nil && tx != nil {
		_ = tx.Rollback()
	}
	return &faultyTx{tx, c}, err
}

func (c *faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type faultyTx struct {
	driver.Tx
	c *faultyConn
}

// Commit breaks the connection when it fails, so that the database decides.
func (tx *faultyTx) Commit() error {
	err := tx.c.f.step("COMMIT", tx.Tx.Commit)
	if err != nil {
		_ = tx.c.Close()
	}
	return err
}

// faultyStore returns a store with faulty connections.
func faultyStore(t *testing.T, d *testDB) (*faulty, *sqlstore.Store) {
	t.Helper()
	db := d.migrated(t)
	dsn := d.dsn
	if d.dialect == sqlstore.MySQL {
		dsn += "?interpolateParams=true" // one step a statement
	}
	f := &faulty{driver: db.Driver(), dsn: dsn}
	pool := sql.OpenDB(f)
	t.Cleanup(func() { _ = pool.Close() })
	return f, d.openStore(t, pool)
}

// sqliteError is an error of a SQLite driver.
type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprintf("sqlite (%d)", int(e)) }
func (e sqliteError) Code() int     { return int(e) }

// passing are transient errors, by dialect.
var passing = map[sqlstore.Dialect][]error{
	sqlstore.PostgreSQL: {
		&pgconn.PgError{Code: "40001", Message: "could not serialize access"}, &pgconn.PgError{Code: "40P01", Message: "deadlock detected"},
		&pgconn.PgError{Code: "57P01", Message: "terminating connection"}, &pgconn.PgError{Code: "53300", Message: "too many clients"}, io.ErrUnexpectedEOF,
	},
	sqlstore.MySQL: {
		&mysql.MySQLError{Number: 1213, SQLState: [5]byte{'4', '0', '0', '0', '1'}, Message: "Deadlock found"}, &mysql.MySQLError{Number: 1205, Message: "Lock wait timeout exceeded"},
		&mysql.MySQLError{Number: 1053, Message: "Server shutdown in progress"}, mysql.ErrInvalidConn, io.EOF,
	},
	sqlstore.SQLite: {sqliteError(5), sqliteError(5 | 2<<8), sqliteError(6), errors.New("database is locked")},
}

// lasting are permanent errors, by dialect.
var lasting = map[sqlstore.Dialect][]error{
	sqlstore.PostgreSQL: {&pgconn.PgError{Code: "42501", Message: "permission denied"}, &pgconn.PgError{Code: "25006", Message: "read-only transaction"}, &pgconn.PgError{Code: "53100", Message: "disk full"}},
	sqlstore.MySQL:      {&mysql.MySQLError{Number: 1142, Message: "command denied"}, fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: 1290, Message: "--read-only"})},
	sqlstore.SQLite:     {sqliteError(8), sqliteError(13), errors.New("disk I/O error")},
}

// TestEveryStepIsRepeated fails each step of a claim and of its outcome once,
// before and after it is done.
func TestEveryStepIsRepeated(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			emails := []string{"a@example.com", "b@example.com"}
			done := bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalDone}
			for i, fault := range passing[d.dialect] {
				for _, after := range []bool{false, true} {
					for step := 0; ; step++ {
						c := s.Campaign(fmt.Sprintf("survey%d/%v/%d", i, after, step))
						failed := false
						once := func(n int, _ string, now bool) error {
							if n == step && now == after {
								failed = true
								return fault
							}
							return nil
						}
						f.inject(once)
						claim(t, c, "token", emails)
						claimFailed := failed
						failed = false
						f.inject(once)
						finish(t, c, "token", done, bulk.JournalEntry{Email: "b@example.com"})
						finishFailed := failed
						failed = false
						f.inject(once)
						knows(t, c, emails, done)
						f.inject(nil)
						claim(t, c, "token2", emails, done)
						if !claimFailed && !finishFailed {
							if step < 4 {
								t.Fatalf("only %d steps", step)
							}
							break
						}
					}
				}
			}
		})
	}
}

// TestALastingErrorIsReturnedAtOnce checks that nothing is recorded.
func TestALastingErrorIsReturnedAtOnce(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			c := s.Campaign("survey")
			claim(t, c, "token", []string{"known@example.com"})
			for _, fault := range lasting[d.dialect] {
				f.inject(func(_ int, step string, after bool) error {
					if strings.Contains(step, "INSERT INTO demeterrr_journal") && after {
						return fault
					}
					return nil
				})
				_, err := c.Claim(t.Context(), surveyID, "token2", []string{"a@example.com"})
				if !errors.Is(err, fault) || f.steps() > 6 {
					t.Errorf("%v after %d steps, want %v", err, f.steps(), fault)
				}
				wantError(t, err, `campaign "survey": `)
				f.inject(nil)
				knows(t, c, []string{"a@example.com"})
			}
		})
	}
}

// TestRepeatingEndsWithTheContext has a database with endless transient errors.
func TestRepeatingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			c := s.Campaign("survey")
			fault := passing[d.dialect][0]
			f.inject(func(int, string, bool) error { return fault })
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := c.Claim(ctx, surveyID, "token", []string{"a@example.com"})
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fault) || f.steps() < 3 {
				t.Errorf("%v after %d steps", err, f.steps())
			}
			wantError(t, err, "deadline exceeded")
			f.inject(nil)
			claim(t, c, "token2", []string{"a@example.com"})
		})
	}
}

// TestForgetIsRepeated repeats Forget after its COMMIT, when all is forgotten.
func TestForgetIsRepeated(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			f, s := faultyStore(t, d)
			c := s.Campaign("survey")
			claim(t, c, "token", []string{"a@example.com"})
			finish(t, c, "token", bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalUnknown})
			failed := false
			f.inject(func(_ int, step string, after bool) error {
				if step == "COMMIT" && after && !failed {
					failed = true
					return passing[d.dialect][0]
				}
				return nil
			})
			if err := c.Forget(t.Context(), "a@example.com"); err != nil || !failed {
				t.Error(err, failed)
			}
			knows(t, c, []string{"a@example.com"})
		})
	}
}

// TestTheIsolationIsSet checks it under every default.
func TestTheIsolationIsSet(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			if d.dialect == sqlstore.SQLite {
				t.Skip("SQLite has one writer at a time")
			}
			f, s := faultyStore(t, d)
			claim(t, s.Campaign("survey"), "token", []string{"a@example.com"})
			if got := sql.IsolationLevel(f.isolation.Load()); got != sql.LevelReadCommitted {
				t.Errorf("the isolation is %v, want READ COMMITTED", got)
			}
		})
	}
}

// TestWritersOfSQLiteWaitForTheirTurn never meets a busy database, since each
// transaction locks before it reads.
func TestWritersOfSQLiteWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	f, s := faultyStore(t, sqliteFile(t))
	c := s.Campaign("survey")
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 25 {
				if _, err := c.Claim(t.Context(), surveyID, fmt.Sprintf("token%d", i), []string{fmt.Sprintf("customer%d-%d@example.com", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := f.failed.Load(); n > 0 {
		t.Errorf("%d statements failed", n)
	}
}

// TestARowThatComesAndGoesIsTaken has another process that claims an email
// before each INSERT and releases it before each SELECT. Both statements miss
// the row.
func TestARowThatComesAndGoesIsTaken(t *testing.T) {
	t.Parallel()
	d := wanted(t, postgresServer).database(t) // the others lock the row meanwhile
	f, s := faultyStore(t, d)
	c, other := s.Campaign("survey"), d.store(t).Campaign("survey")
	emails := []string{"a@example.com", "b@example.com"}
	claim(t, c, "first", []string{"c@example.com"}) // makes the campaign
	for _, meetings := range []int{1, 100} {
		met := 0
		f.inject(func(_ int, step string, after bool) error {
			switch {
			case after:
			case strings.HasPrefix(step, "INSERT INTO demeterrr_journal") && met < meetings:
				claim(t, other, "other", emails[:1])
			case strings.HasPrefix(step, "SELECT c.sequence_id") && met < meetings:
				finish(t, other, "other", bulk.JournalEntry{Email: emails[0]})
				met++
			}
			return nil
		})
		if meetings == 1 {
			claim(t, c, "token", emails) // the second try gets it
		} else {
			claim(t, c, "token", emails, begun("a@example.com"))
		}
		f.inject(nil)
		finish(t, c, "token", bulk.JournalEntry{Email: emails[0]}, bulk.JournalEntry{Email: emails[1]})
		knows(t, c, emails)
	}
}

// TestACampaignThatIsPrunedAsItIsMade has another process that makes the
// campaign before the INSERT, releases its claim, and prunes before the next
// SELECT.
func TestACampaignThatIsPrunedAsItIsMade(t *testing.T) {
	t.Parallel()
	d := wanted(t, postgresServer).database(t) // the others lock the row meanwhile
	f, s := faultyStore(t, d)
	others := d.store(t)
	other, pruned := others.Campaign("survey"), 0
	f.inject(func(_ int, step string, after bool) error {
		switch {
		case after || pruned == 3:
		case strings.HasPrefix(step, "INSERT INTO demeterrr_campaigns"):
			claim(t, other, "other", []string{"a@example.com"})
			finish(t, other, "other", bulk.JournalEntry{Email: "a@example.com"})
		case strings.HasPrefix(step, "SELECT 1 FROM demeterrr_campaigns"):
			if _, err := others.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			pruned++
		}
		return nil
	})
	claim(t, s.Campaign("survey"), "token", []string{"a@example.com"})
	f.inject(nil)
	if pruned != 3 {
		t.Errorf("pruned %d times", pruned)
	}
	knows(t, other, []string{"a@example.com"}, begun("a@example.com"))
}
