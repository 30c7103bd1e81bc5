package pagetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// longest is how long a page may take to show what it should.
const longest = 30 * time.Second

// program and chromium are the files that all tests run.
var program, chromium string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
			if path, err := exec.LookPath(name); err == nil && chromium == "" {
				chromium = path
			}
		}
		dir, err := os.MkdirTemp("", "pagetest")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "demeterrr")
		build := exec.Command("go", "build", "-o", program, ".") //nolint:noctx // it ends by itself
		build.Dir = filepath.Join("..", "..", "cmd", "demeterrr")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// fake is a running demeterrr fake.
type fake struct {
	cmd     *exec.Cmd
	address string // 127.0.0.1:port
	key     string
	page    string // the URL that it printed
	dir     string // for files of this test
}

// start starts the fake on a free port.
func start(t *testing.T, args ...string) *fake {
	t.Helper()
	return startAt(t, t.TempDir(), "127.0.0.1:0", args...)
}

func startAt(t *testing.T, dir, address string, args ...string) *fake {
	t.Helper()
	f := &fake{cmd: exec.Command(program, append([]string{"fake", "--addr", address}, args...)...), dir: dir} //nolint:noctx // stopped by the cleanup
	f.cmd.Dir = dir
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	f.cmd.Stderr = &stderr
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.stop(t)
		if t.Failed() {
			t.Logf("the fake's requests:\n%s", tail(stderr.String()))
		}
	})
	lines := bufio.NewScanner(stdout)
	for _, into := range []*string{&f.address, &f.key, &f.page} {
		if !lines.Scan() {
			t.Fatalf("the fake printed too little: %s", &stderr)
		}
		_, *into, _ = strings.Cut(lines.Text(), ": ")
		*into = strings.TrimSpace(*into)
	}
	f.address = strings.TrimSuffix(strings.TrimPrefix(f.address, "http://"), "/api/v1")
	return f
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

// stop stops the fake as Ctrl-C does. It may be called twice.
func (f *fake) stop(t *testing.T) {
	t.Helper()
	if f.cmd.ProcessState != nil {
		return
	}
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	begun := time.Now()
	if err := f.cmd.Wait(); err != nil {
		t.Errorf("the fake ended with %v", err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("the fake took %v to stop: an open page held it", took)
	}
}

// file writes a file for this test and returns its path.
func (f *fake) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command is the program, pointed at the fake.
func (f *fake) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "DEMETERRR_BASE_URL=http://"+f.address+"/api/v1", "DEMETERRR_API_KEY="+f.key, "XDG_STATE_HOME="+f.dir)
	return cmd
}

// run runs the program against the fake.
func (f *fake) run(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	cmd := f.command(t, args...)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// call sends a request to a path of the page.
func (f *fake) call(t *testing.T, method, path, body string) (status int, reply string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", f.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// chrome is a running Chromium.
type chrome struct{ ctx context.Context }

// browser starts a Chromium of its own, without a window.
func browser(t *testing.T) *chrome {
	t.Helper()
	if chromium == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.DisableGPU)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancelBrowser := chromedp.NewContext(allocator)
	t.Cleanup(cancelBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &chrome{ctx}
}

// tab is an open page with all that its console said.
type tab struct {
	ctx      context.Context
	pardoned []string

	mu      sync.Mutex
	console []string
}

// open opens a tab at a URL. Its console must say nothing but what
// is pardoned.
func (c *chrome) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	page := &tab{ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			page.mu.Lock()
			page.console = append(page.console, fmt.Sprintf("%s %s", m, m.URL))
			page.mu.Unlock()
		}
	}()
	page.focus(t)
	page.do(t, chromedp.Navigate(url))
	t.Cleanup(func() {
		page.mu.Lock()
		defer page.mu.Unlock()
		for _, line := range page.console {
			if !slices.ContainsFunc(page.pardoned, func(text string) bool { return strings.Contains(line, text) }) {
				t.Errorf("the console said: %s", line)
			}
		}
	})
	return page
}

// focus makes a tab one that is looked at, whatever is done in others.
func (p *tab) focus(t *testing.T) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
}

// pardon lets the console say lines with a text: a browser tells of each reply
// that failed.
func (p *tab) pardon(text string) { p.pardoned = append(p.pardoned, text) }

func (p *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, longest)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// js evaluates an expression and returns its value as text.
func (p *tab) js(t *testing.T, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, longest)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => String("+expression+"))()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// text returns the text of an element.
func (p *tab) text(t *testing.T, selector string) string {
	t.Helper()
	return p.js(t, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// waits until an expression is true.
func (p *tab) wait(t *testing.T, expression string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(30 * time.Millisecond) {
		if p.js(t, expression) == "true" {
			return
		}
		if time.Since(begun) > longest {
			t.Fatalf("never true: %s\n%s", expression, p.js(t, "document.body.innerText"))
		}
	}
}

// shows waits until an element has a text.
func (p *tab) shows(t *testing.T, selector, text string) {
	t.Helper()
	p.wait(t, fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text))
}

func (p *tab) click(t *testing.T, selector string) {
	t.Helper()
	p.do(t, chromedp.Click(chromedp.CSS(selector)))
}
