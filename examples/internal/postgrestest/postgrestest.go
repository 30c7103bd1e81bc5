// Package postgrestest gives the tests of the examples empty databases on a
// PostgreSQL of their own.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the PostgreSQL of a test program, on a free loopback port.
type server struct {
	port  int
	dir   string
	stdin io.Closer
	cmd   *exec.Cmd
}

var (
	mu        sync.Mutex
	running   *server
	startErr  error
	databases int
)

var errMissing = errors.New("postgres is not installed (apt-get install postgresql)")

// Main runs the tests of a package and stops the server. It returns the exit code.
func Main(m *testing.M) int {
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		if running != nil {
			running.stop()
		}
	}()
	return m.Run()
}

// Database makes an empty database and returns its URL. It starts the server for
// the first one. Without PostgreSQL it skips the test, and fails it in CI.
func Database(t *testing.T) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if running == nil && startErr == nil {
		running, startErr = start()
	}
	switch {
	case errors.Is(startErr, errMissing) && os.Getenv("CI") != "true":
		t.Skipf("%v: nothing is tested here", startErr)
	case startErr != nil:
		t.Fatal(startErr)
	}
	databases++
	name := "test" + strconv.Itoa(databases)
	conn, err := pgx.Connect(context.Background(), running.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(context.Background(), "CREATE DATABASE "+name)
	if err = errors.Join(err, conn.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	return running.url(name)
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

func start() (*server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &server{}
	if s.dir, err = os.MkdirTemp("", "postgrestest"); err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	initdb, err := s.command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	// However the tests end, the pipe closes, and the shell then stops the server.
	const guard = `"$@" >server.log 2>&1 & cat >/dev/null; kill -QUIT $!; wait`
	s.cmd, err = s.command("sh", "-c", guard, "sh", filepath.Join(bin, "postgres"),
		"-D", data, "-p", strconv.Itoa(s.port), "-k", s.dir, "-h", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	return s, s.await()
}

// find returns the folder of PostgreSQL's programs. On Debian it is in no PATH.
func find() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	return "", errMissing
}

// command runs a program in the server's folder. PostgreSQL refuses root, so that
// root becomes the user postgres.
func (s *server) command(args ...string) (*exec.Cmd, error) {
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if err := errors.Join(errUID, errGID, os.Chown(s.dir, uid, gid)); err != nil {
			return nil, err
		}
		args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
	}
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...) //nolint:gosec // the programs are ours
	cmd.Dir = s.dir
	return cmd, nil
}

func (s *server) await() error {
	var err error
	for range 1500 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), s.url("postgres")); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, strings.TrimSpace(string(log)))
}

func (s *server) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
	os.RemoveAll(s.dir)
}

func freePort() (int, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
