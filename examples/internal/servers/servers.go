// Package servers starts PostgreSQL and Redis for tests, on free ports of the
// loopback interface. A test can crash them and start them again.
package servers

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a server for one test. It ends with the test.
type Server struct {
	URL string

	addr, dir string
	as        *account
	signal    string // for a crash
	command   []string
	answers   func(ctx context.Context) error
	cmd       *exec.Cmd
	stdin     io.Closer
}

// Postgres starts an empty PostgreSQL. If it is not installed, the test is
// skipped, or fails in CI.
func Postgres(t testing.TB) *Server {
	t.Helper()
	bin, err := exec.LookPath("postgres")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); err != nil && len(found) > 0 {
		bin, err = found[len(found)-1], nil
	}
	if err != nil {
		missing(t, "postgres is not installed (apt-get install postgresql)")
	}
	if real, err := filepath.EvalSymlinks(bin); err == nil {
		bin = real // initdb is beside it
	}
	as, err := notRoot("postgres")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, as, "QUIT")
	s.URL = "postgres://postgres@" + s.addr + "/postgres?sslmode=disable"
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(bin), "initdb"), //nolint:gosec // it is beside postgres
		"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir = s.dir
	as.run(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	_, port, _ := net.SplitHostPort(s.addr)
	s.command = []string{bin, "-D", data, "-p", port, "-k", s.dir, "-h", "127.0.0.1", "-c", "max_connections=200"}
	s.answers = func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			err = conn.Close(ctx)
		}
		return err
	}
	s.mustStart(t)
	return s
}

// Redis starts an empty Redis without persistence. If it is not installed, the
// test is skipped, or fails in CI.
func Redis(t testing.TB) *Server {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server is not installed (apt-get install redis-server)")
	}
	s := newServer(t, nil, "KILL")
	s.URL = "redis://" + s.addr
	_, port, _ := net.SplitHostPort(s.addr)
	s.command = []string{bin, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir}
	s.answers = func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	s.mustStart(t)
	return s
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must install it: " + what)
	}
	t.Skip(what + ": nothing is tested here")
}

func newServer(t testing.TB, as *account, signal string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "servers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := as.own(dir); err != nil {
		t.Fatal(err)
	}
	addr, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &Server{addr: addr, dir: dir, as: as, signal: signal}
}

// freeAddress returns an address below the range of outgoing connections. One
// of them could take a higher port while the server is down.
func freeAddress(ctx context.Context) (addr string, err error) {
	for range 100 {
		addr = fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)) //nolint:gosec // any will do
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", err
}

func (s *Server) mustStart(t testing.TB) {
	t.Helper()
	t.Cleanup(s.Crash)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// Start starts the server and waits until it answers. After a crash it starts
// with the data on its disk. A shell stops the server when the pipe closes, at
// any end of the tests.
func (s *Server) Start() error {
	script := `"$@" >>server.log 2>&1 & cat >/dev/null; kill -` + s.signal + ` $! 2>/dev/null; wait`
	s.cmd = exec.CommandContext(context.Background(), "sh", append([]string{"-c", script, "sh"}, s.command...)...) //nolint:gosec // a server of this package
	s.cmd.Dir = s.dir
	s.as.run(s.cmd)
	stdin, err := s.cmd.StdinPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return err
	}
	s.stdin = stdin
	for range 1500 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err = s.answers(ctx)
		cancel()
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return fmt.Errorf("%s did not start: %w\n%s", s.command[0], err, log)
}

// Crash ends the server without a shutdown: PostgreSQL like pg_ctl stop -m
// immediate, Redis with SIGKILL. Its connections break.
func (s *Server) Crash() {
	if s.stdin == nil {
		return
	}
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
	s.stdin = nil
}
