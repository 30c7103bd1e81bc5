package redislimit_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server for one test: on a loopback port, without a disk.
type server struct {
	addr string
	args []string
	cmd  *exec.Cmd
}

// startServer starts a server that ends with the test. If redis-server is not
// installed, the test is skipped, or fails in CI.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must install redis-server: the fleet's promise is not tested without it")
		}
		t.Skip("redis-server is not installed (apt-get install redis-server): nothing is tested here")
	}
	s := &server{addr: "127.0.0.1:" + strconv.Itoa(freePort(t)), args: args}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	return s
}

// start starts the server, empty, and waits until it answers.
func (s *server) start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.CommandContext(ctx, "redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", t.TempDir(), "--daemonize", "no", "--logfile", "redis.log",
	}, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("redis-server did not start")
}

// stop kills the server, which forgets everything.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// client returns a client of the server. It closes with the test.
func (s *server) client(t testing.TB) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: s.addr})
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

// freePort returns a free loopback port, low enough for a cluster's second port
// above it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 55000 {
			return port
		}
	}
	t.Fatal("no free port below 55000")
	return 0
}

// counter is a go-redis hook that counts commands and can delay each one.
type counter struct {
	commands atomic.Int64
	before   func(n int64) // called with the number of the command
}

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next // the handshake of a connection
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		n := c.commands.Add(1)
		if c.before != nil {
			c.before(n)
		}
		return next(ctx, cmd)
	}
}
