package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// databases create a database of each kind and return its flag, or skip the
// test.
var databases = map[string]func(t *testing.T) string{
	"SQLite": func(t *testing.T) string {
		t.Helper()
		return "--database=sqlite:" + filepath.Join(t.TempDir(), "a.db")
	},
	"PostgreSQL": func(t *testing.T) string { t.Helper(); return "--database=" + newDatabase(t, postgres) },
	"MariaDB":    func(t *testing.T) string { t.Helper(); return "--database=" + newDatabase(t, maria) },
}

// databaseServer is a server on a loopback port. Its first use starts it.
type databaseServer struct {
	driver, first string
	source        func(database string) string // data source name for the driver
	flag          func(database string) string // value of --database
}

var (
	postgres = sync.OnceValues(startPostgres)
	maria    = sync.OnceValues(startMaria)
)

// errMissing names a missing server.
type errMissing string

func (e errMissing) Error() string { return string(e) }

var stops []func() // one per started server

func stopServers() {
	for _, stop := range stops {
		stop()
	}
}

var databasesMade int

// newDatabase creates an empty database on a server. Without the server, it
// skips the test. In CI the test fails, except on Windows.
func newDatabase(t *testing.T, start func() (*databaseServer, error)) string {
	t.Helper()
	s, err := start()
	if missing := errMissing(""); errors.As(err, &missing) {
		if os.Getenv("CI") == "true" && runtime.GOOS != "windows" {
			t.Fatalf("CI must install it: %v", missing)
		}
		t.Skipf("%v: nothing is tested here", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	databasesMade++
	name := fmt.Sprintf("test%d", databasesMade)
	db, err := sql.Open(s.driver, s.source(s.first))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.flag(name)
}

// guard runs a server until the tests end. A shell stops the server when the
// pipe closes, even after a crash. Servers refuse to run as root.
func guard(user, dir string, command ...string) error {
	script := `"$@" >server.log 2>&1 & cat >/dev/null; kill -QUIT $!; wait`
	cmd := as(user, dir, append([]string{"sh", "-c", script, "sh"}, command...)...)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	stops = append(stops, func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	return nil
}

// as returns a command that runs as user if the tests run as root.
func as(user, dir string, command ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		command = append([]string{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups"}, command...)
	}
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Dir = dir
	return cmd
}

// folder creates a folder owned by a user.
func folder(user string) (string, error) {
	dir, err := os.MkdirTemp("", "demeterrr")
	if err == nil && os.Getuid() == 0 {
		err = exec.CommandContext(context.Background(), "chown", user, dir).Run()
	}
	return dir, err
}

// ready waits until the server answers.
func (s *databaseServer) ready(dir string) (*databaseServer, error) {
	db, err := sql.Open(s.driver, s.source(s.first))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for range 1500 {
		if err = db.PingContext(context.Background()); err == nil {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "server.log"))
	return nil, fmt.Errorf("the server did not start: %w\n%s", err, log)
}

func freePort() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func startPostgres() (*databaseServer, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 || runtime.GOOS == "windows" { // Wine shows the files of Linux
		return nil, errMissing("postgres is not installed (apt-get install postgresql)")
	}
	bin := found[len(found)-1]
	dir, err := folder("postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if out, err := as("postgres", dir, filepath.Join(filepath.Dir(bin), "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := guard("postgres", dir, bin, "-D", data, "-p", port, "-k", dir, "-h", "127.0.0.1"); err != nil {
		return nil, err
	}
	address := func(database string) string {
		return "postgres://postgres@127.0.0.1:" + port + "/" + database + "?sslmode=disable"
	}
	return (&databaseServer{"pgx", "postgres", address, address}).ready(dir)
}

func startMaria() (*databaseServer, error) {
	const bin = "/usr/sbin/mariadbd" // often missing from PATH
	if _, err := os.Stat(bin); err != nil || runtime.GOOS == "windows" {
		return nil, errMissing("mariadbd is not installed (apt-get install mariadb-server)")
	}
	dir, err := folder("mysql")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if out, err := as("mysql", dir, "mariadb-install-db", "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := guard("mysql", dir, bin, "--no-defaults", "--datadir="+data, "--port="+port, "--socket="+filepath.Join(dir, "socket"),
		"--pid-file="+filepath.Join(dir, "pid"), "--bind-address=127.0.0.1"); err != nil {
		return nil, err
	}
	source := func(database string) string { return "root@tcp(127.0.0.1:" + port + ")/" + database }
	flag := func(database string) string { return "mysql://" + source(database) }
	return (&databaseServer{"mysql", "mysql", source, flag}).ready(dir)
}

// withDatabases repeats each entry with the word DATABASE for every kind of
// database.
func withDatabases(flags map[string]string) map[string]string {
	all := map[string]string{}
	for name, line := range flags {
		if !strings.Contains(line, "DATABASE") {
			all[name] = line
			continue
		}
		for kind := range databases {
			all[kind] = strings.Replace(line, "DATABASE", "DATABASE "+kind, 1)
		}
	}
	return all
}

// withDatabase replaces the word DATABASE by the flag of a new database.
func withDatabase(t *testing.T, line string) string {
	t.Helper()
	before, kind, ok := strings.Cut(line, "DATABASE ")
	if !ok {
		return line
	}
	return before + databases[kind](t)
}
