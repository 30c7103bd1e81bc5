package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary stand in for the program, so that a test can send it a signal.
func TestMain(m *testing.M) {
	if os.Getenv("DEMETERRR_FAKE_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

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

func TestRunServesLimitsLogsAndStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, greet := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-rate-limits", "2/24h", "-window", "sliding", "-seed", "seed.json"}, greet, &stderr)
		greet.CloseWithError(errors.Join(err, io.EOF))
		done <- err
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
	if err := <-done; err != nil {
		t.Error(err)
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

func TestSignalsStopTheProgram(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("signals cannot be sent to a process on Windows")
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		program := exec.CommandContext(t.Context(), os.Args[0], "-addr", "localhost:0")
		program.Env = append(os.Environ(), "DEMETERRR_FAKE_MAIN=1")
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

// TestExitCodes runs the program to its end: 2 for wrong flags, 1 for what fails later.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		code int
	}{
		{"-h", 0},
		{"-window round", 2},
		{"-seed none.json", 1},
	} {
		program := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(test.args)...)
		program.Env = append(os.Environ(), "DEMETERRR_FAKE_MAIN=1")
		out, _ := program.CombinedOutput()
		if code := program.ProcessState.ExitCode(); code != test.code || len(out) == 0 {
			t.Errorf("%s: exit code %d, want %d\n%s", test.args, code, test.code, out)
		}
	}
}

func TestWrongFlagsAreExplained(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-nothing":                        "flag provided but not defined: -nothing",
		"extra":                           `unexpected argument "extra"`,
		"-window round":                   "want fixed or sliding",
		"-rate-limits 100":                `want requests/window, such as 100/1m, not "100"`,
		"-rate-limits 100/1m,0/1h":        `not "0/1h"`,
		"-rate-limits 100/-1m":            `not "100/-1m"`,
		"-rate-limits x/1m":               `not "x/1m"`,
		"-rate-limits ,":                  `not ""`,
		"-window sliding":                 "-window needs -rate-limits",
		"-seed=":                          "want a file",
		"-addr 8080":                      "missing port in address",
		"-addr :8080":                     "-addr :8080 is not a loopback address",
		"-addr 0.0.0.0:8080":              "add -public",
		"-addr example.com:80":            "not a loopback address",
		"-addr 192.0.2.1:80 -window kind": "want fixed or sliding",
	} {
		var stderr bytes.Buffer
		err := run(t.Context(), strings.Fields(args), io.Discard, &stderr)
		if !errors.Is(err, errUsage) || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: %v, %s", args, err, stderr.String())
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

func TestFlagsAreUnderstood(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]settings{
		"": {addr: "127.0.0.1:8080"},
		"-addr [::1]:9 -window sliding -rate-limits 100/1m,1000/1h -seed x": {
			addr: "[::1]:9", kind: demeterrrtest.SlidingWindow, seed: "x",
			limits: []demeterrrtest.Limit{{Requests: 100, Window: time.Minute}, {Requests: 1000, Window: time.Hour}},
		},
		"-addr :80 -public": {addr: ":80", public: true},
		"-rate-limits 1/1m -rate-limits 2/1h": {
			addr:   "127.0.0.1:8080",
			limits: []demeterrrtest.Limit{{Requests: 1, Window: time.Minute}, {Requests: 2, Window: time.Hour}},
		},
	} {
		got, err := parse(strings.Fields(args), io.Discard)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if diff := cmp.Diff(want, *got, cmp.AllowUnexported(settings{})); diff != "" {
			t.Errorf("%s: %s", args, diff)
		}
	}
}

func TestFailuresToStartAreReported(t *testing.T) {
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
	}{
		{[]string{"-seed", "none.json"}, "-seed: open none.json"},
		{[]string{"-seed", bad}, `unknown field "people"`},
		{[]string{"-addr", taken.Addr().String()}, "listen tcp"},
	} {
		if err := run(ended, test.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.args, err)
		}
	}
	stdout, greet := io.Pipe()
	_ = stdout.Close()
	if err := run(t.Context(), []string{"-addr", "127.0.0.1:0"}, greet, io.Discard); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("nobody reads the greeting: %v", err)
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
