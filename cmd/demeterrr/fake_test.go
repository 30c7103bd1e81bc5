package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// greeting reads the two lines that the program begins with.
func greeting(t *testing.T, stdout io.Reader) (baseURL, key string) {
	t.Helper()
	lines := bufio.NewScanner(stdout)
	for _, into := range []*string{&baseURL, &key} {
		if !lines.Scan() {
			t.Fatal("no greeting")
		}
		_, *into, _ = strings.Cut(lines.Text(), ": ")
		*into = strings.TrimSpace(*into)
	}
	return baseURL, key
}

func get(t *testing.T, url, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

func TestARequestThatHangsDoesNotKeepTheFakeFromStopping(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	port, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, server, port) }()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", port.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the fake ended with %v", err)
		}
	case <-time.After(4 * time.Second):
		t.Error("the fake still runs")
	}
}

func TestTheFakeServesLimitsLogsAndStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, greet := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		code := run(ctx, strings.Fields("fake --addr 127.0.0.1:0 --rate-limits 2/24h --window sliding --seed testdata/seed.json"), stdio{nil, greet, &stderr})
		_ = greet.Close()
		done <- code
	}()
	baseURL, key := greeting(t, stdout)
	if len(key) != 47 || !strings.HasPrefix(baseURL, "http://127.0.0.1:") || !strings.HasSuffix(baseURL, "/api/v1") {
		t.Fatalf("base URL %q, key of %d characters", baseURL, len(key))
	}
	if status, body := get(t, baseURL+"/contacts?email=john.doe@example.com", key); status != 200 || !strings.Contains(body, `"membershipTier":"Gold"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := get(t, baseURL+"/sequences/"+key, key); status != 404 {
		t.Errorf("%d", status)
	}
	if status, body := get(t, baseURL+"/contacts", key); status != 429 || !strings.Contains(body, `"window":"1 day"`) {
		t.Errorf("%d %s", status, body)
	}
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("exit code %d", code)
	}
	var logged []string
	for line := range strings.Lines(stderr.String()) {
		_, request, _ := strings.Cut(strings.TrimSpace(line), " ")
		logged = append(logged, request)
	}
	want := []string{"200 GET /contacts?email=john.doe%40example.com", "404 GET /sequences/[key]", "429 GET /contacts"}
	if diff := cmp.Diff(want, logged); diff != "" {
		t.Error(diff)
	}
	// Another process may have been given the port by now, but not with a quota that is used up.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, baseURL+"/contacts", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			t.Error("the server still answers")
		}
	}
}

// TestTheFakeServesAPage starts it as it is, and for others.
func TestTheFakeServesAPage(t *testing.T) {
	t.Parallel()
	for flags, private := range map[string]bool{"": false, " --public": true} {
		ctx, cancel := context.WithCancel(t.Context())
		stdout, greet := io.Pipe()
		done := make(chan int, 1)
		go func() {
			done <- run(ctx, strings.Fields("fake --addr 127.0.0.1:0 --rate-limits 100/1m --seed testdata/seed.json"+flags), stdio{nil, greet, io.Discard})
		}()
		printed := map[string]string{}
		lines := bufio.NewScanner(stdout)
		for len(printed) < 3 && lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			printed[name] = strings.TrimSpace(value)
		}
		page := printed["page"]
		if strings.Contains(page, "?token=") != private || !strings.HasPrefix(page, strings.TrimSuffix(printed["base URL"], "api/v1")) {
			t.Errorf("%q: %v", flags, printed)
		}
		lines.Scan() // an empty line
		lines.Scan()
		if want := "export DEMETERRR_BASE_URL=" + printed["base URL"] + " DEMETERRR_API_KEY=" + printed["API key"]; lines.Text() != want {
			t.Errorf("%q: printed %q, want %q", flags, lines.Text(), want)
		}
		state := strings.TrimSuffix(printed["base URL"], "api/v1") + "_fake/state"
		status, body := get(t, state, printed["API key"])
		if want := map[bool]int{false: 200, true: 401}[private]; status != want {
			t.Errorf("%q: %d %s", flags, status, body)
		}
		if !private && !strings.Contains(body, `"contacts":2,"sequences":2,`) {
			t.Errorf("%s", body)
		}
		if status, _ := get(t, printed["base URL"]+"/contacts", printed["API key"]); status != 200 {
			t.Errorf("%q: the API answers %d", flags, status)
		}
		if status := browse(t, page); status != 200 {
			t.Errorf("%q: the page answers %d", flags, status)
		}
		if !private { // an open page does not hold up the end
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(state, "state")+"events", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			defer resp.Body.Close()
		}
		cancel()
		if code := <-done; code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
}

// browse opens a page as a browser does, which keeps cookies and follows redirects.
func browse(t *testing.T, url string) (status int) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := (&http.Client{Jar: jar}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestSignalsStopTheFake(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("signals cannot be sent to a process on Windows")
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		program := exec.CommandContext(t.Context(), os.Args[0], "fake", "--addr", "localhost:0")
		program.Env = append(os.Environ(), "DEMETERRR_AS_PROGRAM=1")
		stdout, err := program.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		baseURL, key := greeting(t, stdout)
		if status, _ := get(t, baseURL+"/contacts", key); status != 200 {
			t.Errorf("%d", status)
		}
		if err := program.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := program.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}

func TestFailuresOfTheFakeAreReported(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"people":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel() // a program that starts all the same stops at once
	for _, test := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"fake", "--seed", bad}, `unknown field "people"`, exitUsage},
		{[]string{"fake", "--addr", taken.Addr().String()}, "listen tcp", exitInterrupted},
	} {
		var errs bytes.Buffer
		if code := run(ended, test.args, stdio{nil, io.Discard, &errs}); code != test.code || !strings.Contains(errs.String(), test.want) {
			t.Errorf("%q: exit code %d, %s", test.args, code, &errs)
		}
	}
	stdout, greet := io.Pipe()
	_ = stdout.Close()
	if code := run(t.Context(), []string{"fake", "--addr", "127.0.0.1:0"}, stdio{nil, greet, io.Discard}); code != exitStopped {
		t.Errorf("nobody reads the greeting: exit code %d", code)
	}
	if err := serve(t.Context(), &http.Server{ReadHeaderTimeout: time.Second}, closedPort(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a port that fails: %v", err)
	}
}

func closedPort(t *testing.T) net.Listener {
	t.Helper()
	port, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Close()
	return port
}
