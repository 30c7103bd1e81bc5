package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/demeterrr/demeterrr-go/sqlstore"
)

var ctx = context.Background()

// server is a database server for the tests, on a loopback port. All tests
// share it, each with its own database. Its default isolation is serializable,
// and the collation of MariaDB takes é for e.
type server struct {
	name    string // also of its tests
	dialect sqlstore.Dialect
	driver  string
	addr    string
	dsn     func(addr, database string) string
	run     func() (stop func(), err error)
	stop    func() // as a crash does
}

// The first test that needs a server starts it.
var (
	postgresServer = sync.OnceValues(startPostgres)
	mariaServer    = sync.OnceValues(startMaria)
)

// errMissing names a missing program.
type errMissing string

func (e errMissing) Error() string { return string(e) }

// running are the servers, to be stopped.
var running struct {
	sync.Mutex
	stop []func()
}

func stopServers() {
	running.Lock()
	defer running.Unlock()
	for _, stop := range running.stop {
		stop()
	}
}

// wanted returns a server. If it is not installed, the test is skipped, or
// fails in CI.
func wanted(t testing.TB, start func() (*server, error)) *server {
	t.Helper()
	s, err := start()
	if missing := errMissing(""); errors.As(err, &missing) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must install it: %v", missing)
		}
		t.Skipf("%v: nothing is tested here", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// guard runs a server until a call of stop, or until the end of the tests, also
// after a crash: a shell stops it when the pipe closes.
func guard(dir string, as *account, signal string, command ...string) (stop func(), err error) {
	script := `"$@" >server.log 2>&1 & cat >/dev/null; kill -` + signal + ` $!; wait`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh"}, command...)...)
	cmd.Dir = dir
	as.run(cmd)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	stop = sync.OnceFunc(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	running.Lock()
	defer running.Unlock()
	running.stop = append(running.stop, func() {
		stop()
		_ = os.RemoveAll(dir)
	})
	return stop, nil
}

// start starts the server and waits until it answers.
func (s *server) start(dir, database string) (*server, error) {
	stop, err := s.run()
	if err != nil {
		return nil, err
	}
	s.stop = stop
	db, err := sql.Open(s.driver, s.dsn(s.addr, database))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for range 1500 {
		if err = db.PingContext(ctx); err == nil {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "server.log"))
	return nil, fmt.Errorf("%s did not start: %w\n%s", s.name, err, log)
}

func startPostgres() (*server, error) {
	bin, err := exec.LookPath("postgres")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); err != nil && len(found) > 0 {
		bin, err = found[len(found)-1], nil
	}
	if err != nil {
		return nil, errMissing("postgres is not installed (apt-get install postgresql)")
	}
	as, err := notRoot("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := as.tempDir()
	if err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(filepath.Dir(bin), "initdb"),
		"-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir = dir
	as.run(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{
		name: "PostgreSQL", dialect: sqlstore.PostgreSQL, driver: "pgx", addr: "127.0.0.1:" + port,
		dsn: func(addr, database string) string {
			return "postgres://postgres@" + addr + "/" + database + "?sslmode=disable"
		},
	}
	s.run = func() (stop func(), err error) {
		return guard(dir, as, "QUIT", bin, "-D", filepath.Join(dir, "data"), "-p", port, "-k", dir, "-h", "127.0.0.1",
			"-c", "default_transaction_isolation=serializable", "-c", "max_connections=200")
	}
	return s.start(dir, "postgres")
}

func startMaria() (*server, error) {
	bin, err := exec.LookPath("mariadbd")
	if err != nil {
		if _, err := os.Stat("/usr/sbin/mariadbd"); err != nil {
			return nil, errMissing("mariadbd is not installed (apt-get install mariadb-server)")
		}
		bin = "/usr/sbin/mariadbd" // not in everybody's PATH
	}
	as, err := notRoot("mysql")
	if err != nil {
		return nil, err
	}
	dir, err := as.tempDir()
	if err != nil {
		return nil, err
	}
	install := exec.CommandContext(ctx, "mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db")
	install.Dir = dir
	as.run(install)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{
		name: "MariaDB", dialect: sqlstore.MySQL, driver: "mysql", addr: "127.0.0.1:" + port,
		dsn: func(addr, database string) string { return "root@tcp(" + addr + ")/" + database },
	}
	s.run = func() (stop func(), err error) {
		return guard(dir, as, "KILL", bin, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--port="+port,
			"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"), "--bind-address=127.0.0.1",
			"--transaction-isolation=SERIALIZABLE", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci", "--max-connections=300")
	}
	return s.start(dir, "mysql")
}

func freePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// testDB is an empty database.
type testDB struct {
	dialect sqlstore.Dialect
	driver  string
	dsn     string
	server  *server // nil for SQLite
	name    string
}

// open returns a pool that closes with the test. The DSN may differ from the
// database's own.
func (d *testDB) open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var created struct {
	sync.Mutex
	n int
}

// database makes an empty database on a server.
func (s *server) database(t testing.TB) *testDB {
	t.Helper()
	created.Lock() // PostgreSQL copies one database at a time
	defer created.Unlock()
	created.n++
	name := fmt.Sprintf("test%d", created.n)
	first := map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "postgres", sqlstore.MySQL: "mysql"}[s.dialect]
	db, err := sql.Open(s.driver, s.dsn(s.addr, first))
	if err == nil {
		_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return &testDB{s.dialect, s.driver, s.dsn(s.addr, name), s, name}
}

// sqliteDSN opens a file as the README says.
func sqliteDSN(path string) string {
	return "file:" + filepath.ToSlash(path) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
}

// databases make an empty database of each kind, or skip the test.
var databases = map[string]func(t *testing.T) *testDB{
	"SQLite":     sqliteFile,
	"PostgreSQL": func(t *testing.T) *testDB { t.Helper(); return wanted(t, postgresServer).database(t) },
	"MariaDB":    func(t *testing.T) *testDB { t.Helper(); return wanted(t, mariaServer).database(t) },
}

// sqliteFile is a database in a new file.
func sqliteFile(t *testing.T) *testDB {
	t.Helper()
	return &testDB{sqlstore.SQLite, "sqlite", sqliteDSN(filepath.Join(t.TempDir(), "journal.db")), nil, "main"}
}

// with returns the DSN with a setting: a parameter of PostgreSQL, a variable of
// MySQL, a pragma of SQLite.
func (d *testDB) with(t testing.TB, settings ...[2]string) string {
	t.Helper()
	switch d.dialect {
	case sqlstore.MySQL:
		config, err := mysql.ParseDSN(d.dsn)
		if err != nil {
			t.Fatal(err)
		}
		config.Params = map[string]string{}
		for _, s := range settings {
			config.Params[s[0]] = s[1]
		}
		return config.FormatDSN()
	default:
		u, err := url.Parse(d.dsn)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		for _, s := range settings {
			if d.dialect == sqlstore.SQLite {
				pragmas := slices.DeleteFunc(query["_pragma"], func(p string) bool { return len(p) > len(s[0]) && p[:len(s[0])+1] == s[0]+"(" })
				query["_pragma"] = append(pragmas, s[0]+"("+s[1]+")")
				continue
			}
			query.Set(s[0], s[1])
		}
		u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
		return u.String()
	}
}

// migrated returns a pool for an empty database with the tables.
func (d *testDB) migrated(t testing.TB) *sql.DB {
	t.Helper()
	db := d.open(t, d.dsn)
	if err := sqlstore.Migrate(t.Context(), db, d.dialect); err != nil {
		t.Fatal(err)
	}
	return db
}

// store opens the database as a Store.
func (d *testDB) store(t testing.TB) *sqlstore.Store {
	t.Helper()
	return d.openStore(t, d.migrated(t))
}

func (d *testDB) openStore(t testing.TB, db *sql.DB, opts ...sqlstore.Option) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), db, d.dialect, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
