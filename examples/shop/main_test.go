package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// asProgram makes the test binary the service. Its value is inFlight.
const asProgram = "SHOP_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram)+os.Getenv(asSender) != "" {
		go func() { // the pipe closes at any end of the tests
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
	}
	if text := os.Getenv(asProgram); text != "" {
		inFlight, _ = time.ParseDuration(text)
		main()
		return
	}
	if text := os.Getenv(asSender); text != "" {
		runSender(text)
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // logs are tested in processes
	os.Exit(m.Run())
}

// shop is a process of the service.
type shop struct {
	*exec.Cmd
	log lockedBuffer
}

// lockedBuffer is the log of a process, safe to read during writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// url returns the latest address in the log; empty if there is none.
func (l *lockedBuffer) url() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	mark := []byte("INFO listening address=")
	log := l.b.Bytes()
	i := bytes.LastIndex(log, mark)
	if i < 0 {
		return ""
	}
	address, _, _ := bytes.Cut(log[i+len(mark):], []byte("\n"))
	return "http://" + string(address)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startShop starts a process that calls a fake.
func startShop(t *testing.T, srv *demeterrrtest.Server, args ...string) *shop {
	t.Helper()
	s := new(shop)
	s.Cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	s.Env = append(os.Environ(), asProgram+"=5m", "SHOP_WEBHOOK_SECRET="+secret, "DEMETERRR_API_KEY="+srv.APIKey(), "DEMETERRR_BASE_URL="+srv.URL())
	s.Stdout, s.Stderr = &s.log, &s.log
	if err := startChild(s.Cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// end kills the process, and returns when its log is complete.
func (s *shop) end() {
	_ = s.Process.Kill()
	_ = s.Wait()
}

// startChild starts a process of the test binary that ends with the tests.
func startChild(cmd *exec.Cmd) error {
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	return cmd.Start()
}

// await waits until the process answers.
func (s *shop) await(t *testing.T) {
	t.Helper()
	for range 1000 {
		if status, _ := s.get(t, "/readyz"); status == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the shop did not start:\n%s", &s.log)
}

// get returns status 0 if there is no answer.
func (s *shop) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	return s.call(t, http.MethodGet, path, "")
}

func (s *shop) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	return call(t, method, s.log.url()+path, body)
}

// call makes a request with the shop's signature. Status 0 means no answer.
func call(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Shop-Signature", sign(secret, body))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

// A stopping process answers the webhook in flight. Its successor knows the
// order.
func TestItStopsGracefullyAndRemembers(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
	file := filepath.Join(t.TempDir(), "shop.db")
	first := startShop(t, srv, "-sequence", sequence, "-database", file)
	first.await(t)
	srv.Inject(demeterrrtest.Fault{Route: execute, Delay: time.Second})
	answered := make(chan int)
	go func() {
		status, _ := first.call(t, http.MethodPost, "/webhooks/order-delivered", janesOrder)
		answered <- status
	}()
	for len(srv.Sendings()) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Skip(err) // Windows
	}
	if status := <-answered; status != http.StatusNoContent {
		t.Errorf("the webhook in flight is answered with %d\n%s", status, &first.log)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &first.log)
	}

	second := startShop(t, srv, "-sequence", sequence, "-database", file, "-limit", "10/1s")
	second.await(t)
	if status, _ := second.call(t, http.MethodPost, "/webhooks/order-delivered", janesOrder); status != http.StatusNoContent || len(srv.Sendings()) != 1 {
		t.Errorf("answered %d, %d sendings\n%s", status, len(srv.Sendings()), &second.log)
	}
	if status, text := second.get(t, "/metrics"); status != http.StatusOK || !strings.Contains(text, `demeterrr_attempts_total{demeterrr_operation="Sequences.Get"`) {
		t.Errorf("/metrics answers %d\n%s", status, text)
	}
	if status, _ := second.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	if status, _ := second.get(t, "/webhooks/order-delivered"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET answers %d", status)
	}
	second.end()
	for _, log := range []string{first.log.String(), second.log.String()} {
		if strings.Contains(log, "jane") || strings.Contains(log, secret) || strings.Contains(log, srv.APIKey()) {
			t.Errorf("an email, a secret or a key is logged:\n%s", log)
		}
	}
}

// A process stopped during its start ends without an error.
func TestItStopsWhileItStarts(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}", Status: 503, Times: demeterrrtest.Always})
	s := startShop(t, srv, "-sequence", "880e8400-e29b-41d4-a716-446655440000", "-database", filepath.Join(t.TempDir(), "shop.db"))
	for len(srv.Requests()) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Skip(err) // Windows
	}
	if err := s.Wait(); err != nil || strings.Contains(s.log.String(), "listening") {
		t.Errorf("%v\n%s", err, &s.log)
	}
}

func TestTheFakeNeedsNothing(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer() // for the other settings
	defer srv.Close()
	s := startShop(t, srv, "-fake")
	s.await(t)
	status, _ := s.call(t, http.MethodPost, "/webhooks/order-delivered", janesOrder)
	s.end()
	if status != http.StatusNoContent || !strings.Contains(s.log.String(), "status=queued earlier=false") {
		t.Errorf("answered %d\n%s", status, &s.log)
	}
	if len(srv.Requests()) > 0 {
		t.Error("-fake called the API of the environment")
	}
}

func TestItRefusesToStart(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	t.Cleanup(srv.Close)
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
	file := filepath.Join(t.TempDir(), "shop.db")
	for name, test := range map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"no secret":            {[]string{"SHOP_WEBHOOK_SECRET="}, []string{"-sequence", sequence}, 1, "shop: the environment variable SHOP_WEBHOOK_SECRET has fewer than 16 bytes; set it"},
		"no sequence":          {nil, nil, 1, "shop: no sequence; pass -sequence"},
		"wrong sequence":       {nil, []string{"-sequence", "880e8400-e29b-41d4-a716-446655440000"}, 1, "shop: the account has no sequence 880e8400-e29b-41d4-a716-446655440000; pass"},
		"wrong key":            {[]string{"DEMETERRR_API_KEY=dem_0123456789012345678901234567890123456789012"}, []string{"-sequence", sequence}, 1, "401 INVALID_API_KEY"},
		"no key":               {[]string{"DEMETERRR_API_KEY="}, []string{"-sequence", sequence}, 1, "DEMETERRR_API_KEY is not set"},
		"unreachable database": {nil, []string{"-sequence", sequence, "-database", "postgres://u:pw@127.0.0.1:1/shop"}, 1, "connection refused"},
		"unknown database":     {nil, []string{"-sequence", sequence, "-database", "mysql://db/shop"}, 1, `shop: -database: unknown scheme "mysql"; pass postgres://`},
		"no folder":            {nil, []string{"-sequence", sequence, "-database", file + "/shop.db"}, 1, "shop: -database: "},
		"no URL of Redis":      {nil, []string{"-sequence", sequence, "-redis", "localhost"}, 1, "pass a URL such as redis://localhost:6379"},
		"wrong limit":          {nil, []string{"-limit", "100"}, 2, "want requests and a window, such as 100/1m"},
		"limit of nothing":     {nil, []string{"-limit", "0/1m"}, 2, "want requests and a window, such as 100/1m"},
		"limit with more":      {nil, []string{"-limit", "1/1m x"}, 2, "want requests and a window, such as 100/1m"},
		"an argument":          {nil, []string{"shop.db"}, 1, `shop: unexpected argument "shop.db"; see -help`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-listen", "127.0.0.1:0", "-database", file}, test.args...)...)
			cmd.Env = append(append(os.Environ(), asProgram+"=5m", "SHOP_WEBHOOK_SECRET="+secret,
				"DEMETERRR_API_KEY="+srv.APIKey(), "DEMETERRR_BASE_URL="+srv.URL()), test.env...)
			var out lockedBuffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := startChild(cmd)
			if err == nil {
				err = cmd.Wait()
			}
			exit, _ := errors.AsType[*exec.ExitError](err)
			if exit == nil || exit.ExitCode() != test.code || !strings.Contains(out.String(), test.says) || strings.Contains(out.String(), "pw@") {
				t.Errorf("it ended with %v and printed, want %d and %q:\n%s", err, test.code, test.says, &out)
			}
		})
	}
}
