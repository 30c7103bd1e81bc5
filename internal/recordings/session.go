package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// patience is how long a command may take to show or do something.
const patience = 30 * time.Second

// session is a person at a terminal, with an account of their own. The first
// failure is kept in err, and ends whatever follows.
type session struct {
	ctx      context.Context //nolint:containedctx // it lives as long as the scene
	program  string
	home     string
	env      []string
	recorder *recorder
	fake     *exec.Cmd
	front    *http.Server
	err      error

	mu       sync.Mutex
	requests map[string]int // that have arrived, by the end of their path

	held    string // the end of a path: its heldAt-th request waits for Ctrl-C
	heldAt  int
	pressed chan struct{} // closed after Ctrl-C

	// Of the command that runs.
	cmd  *exec.Cmd
	tty  *os.File
	read chan struct{} // closed when all its output was read
}

// newSession starts a fake account behind a server that is as slow as a network.
func newSession(ctx context.Context, program string, delay func(path string) time.Duration) (s *session, err error) {
	s = &session{ctx: ctx, program: program, requests: map[string]int{}, pressed: make(chan struct{})}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.home, err = os.MkdirTemp("", "home"); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"customers.csv": customerFile(), "seed.json": accountSeed()} {
		if err := os.WriteFile(filepath.Join(s.home, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	origin, key, err := s.startFake()
	if err != nil {
		return nil, err
	}
	port, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(origin)
	s.front = &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):]
		s.mu.Lock()
		s.requests[path]++
		hold := path == s.held && s.requests[path] == s.heldAt
		s.mu.Unlock()
		time.Sleep(delay(r.URL.Path))
		if hold {
			select {
			case <-s.pressed:
			case <-r.Context().Done():
			}
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = s.front.Serve(port) }()
	s.env = []string{
		"HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8",
		"DEMETERRR_BASE_URL=http://" + port.Addr().String() + "/api/v1", "DEMETERRR_API_KEY=" + key,
	}
	s.recorder = newRecorder(s.home, port.Addr().String())
	return s, nil
}

// listen takes the first free port from 8080 on. All have four digits, so the
// lines of a recording are equally long.
func listen(ctx context.Context) (port net.Listener, err error) {
	for number := 8080; number < 8180; number++ {
		if port, err = new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", number)); err == nil {
			return port, nil
		}
	}
	return nil, err
}

// startFake starts demeterrr fake, and returns its address and its key.
func (s *session) startFake() (origin *url.URL, key string, err error) {
	s.fake = exec.CommandContext(s.ctx, s.program, "fake", "--addr", "127.0.0.1:0", "--rate-limits", "100/1m,1000/1h", "--seed", "seed.json") //nolint:gosec // the program that was built
	s.fake.Dir = s.home
	output, err := s.fake.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := s.fake.Start(); err != nil {
		return nil, "", err
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "base URL":
			if origin, err = url.Parse(strings.TrimSpace(value)); err != nil {
				return nil, "", err
			}
			origin.Path = ""
		case "API key":
			key = strings.TrimSpace(value)
		}
		if origin != nil && key != "" {
			return origin, key, nil
		}
	}
	return nil, "", errors.New("the fake told no address and no key")
}

// close stops what the session has started.
func (s *session) close() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
	}
	if s.front != nil {
		_ = s.front.Close()
	}
	if s.fake != nil && s.fake.Process != nil {
		_ = s.fake.Process.Kill()
		_ = s.fake.Wait()
	}
	if s.home != "" {
		_ = os.RemoveAll(s.home)
	}
}

// fail keeps the first failure.
func (s *session) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *session) pause(d time.Duration) { s.recorder.pause(d) }

func (s *session) prompt() { s.recorder.add([]byte("\x1b[1;32m$\x1b[m ")) }

// run runs the program to its end.
func (s *session) run(exitCode int, args ...string) {
	s.start(args...)
	s.wait(exitCode)
}

// start types a command at the prompt, and starts the program.
func (s *session) start(args ...string) {
	if s.err != nil {
		return
	}
	line := "demeterrr"
	for _, arg := range args {
		if strings.Contains(arg, " ") {
			arg = `"` + arg + `"`
		}
		line += " " + arg
	}
	s.prompt()
	s.pause(600 * time.Millisecond)
	s.recorder.typed(line)
	s.pause(300 * time.Millisecond)
	s.recorder.add([]byte("\r\n"))
	s.recorder.begin()
	s.cmd = exec.CommandContext(s.ctx, s.program, args...) //nolint:gosec // the program that was built
	s.cmd.Dir, s.cmd.Env = s.home, s.env
	var err error
	if s.tty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		s.cmd = nil
		s.fail("%w", err)
		return
	}
	s.read = make(chan struct{})
	go func() {
		defer close(s.read)
		_, _ = io.Copy(s.recorder, s.tty) // Linux ends it with an error
	}()
}

// until waits for a condition.
func (s *session) until(what string, holds func() bool) {
	for end := time.Now().Add(patience); s.err == nil && !holds(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.read:
			if !holds() {
				s.fail("the program ended before %s:\n%s", what, s.recorder.output())
			}
		default:
		}
		if time.Now().After(end) {
			s.fail("no %s:\n%s", what, s.recorder.output())
		}
	}
}

// answer waits for a question, reads what stands above it, and types an answer.
func (s *session) answer(question, text string) {
	s.until(fmt.Sprintf("%q", question), func() bool { return strings.HasSuffix(s.recorder.output(), question) })
	if s.err != nil {
		return
	}
	s.pause(reading)
	s.keys(text)
	time.Sleep(300 * time.Millisecond) // the terminal shows the answer
	s.keys("\r")
}

// hold keeps the n-th request with this end of its path in flight until
// interrupt.
func (s *session) hold(path string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.heldAt = path, n
}

// interrupt presses Ctrl-C while the held request is in flight.
func (s *session) interrupt() {
	path, n := s.held, s.heldAt
	s.until(fmt.Sprintf("%d requests to %s", n, path), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.requests[path] >= n
	})
	time.Sleep(100 * time.Millisecond)
	s.recorder.press("Ctrl-C")
	s.keys("\x03")
	time.Sleep(beat) // for the signal to arrive
	close(s.pressed)
}

func (s *session) keys(text string) {
	if s.err != nil {
		return
	}
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.fail("%w", err)
	}
}

// wait waits for the end of the program, and checks its exit code.
func (s *session) wait(exitCode int) {
	if s.err != nil {
		return
	}
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	_ = s.cmd.Wait()
	<-s.read
	_ = s.tty.Close()
	if code := s.cmd.ProcessState.ExitCode(); code != exitCode {
		s.fail("exit code %d, want %d:\n%s", code, exitCode, s.recorder.output())
	}
	s.cmd = nil
}
