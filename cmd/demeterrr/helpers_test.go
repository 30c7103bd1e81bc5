package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// TestMain runs the program instead of the tests in a child process.
func TestMain(m *testing.M) {
	if os.Getenv("DEMETERRR_AS_PROGRAM") != "" {
		main()
	}
	code := m.Run()
	stopServers()
	os.Exit(code)
}

// newFake starts a fake on loopback and points the environment to it. Journals
// and states go to a new folder, which is also the working directory.
func newFake(t *testing.T, options ...demeterrrtest.Option) *demeterrrtest.Server {
	t.Helper()
	srv := demeterrrtest.NewServer(options...)
	t.Cleanup(srv.Close)
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	t.Setenv("DEMETERRR_BASE_URL", srv.URL())
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(folder, "state"))
	t.Setenv("HOME", folder)
	t.Setenv("LocalAppData", folder)
	return srv
}

// result is the result of a run.
type result struct {
	code      int
	out, errs string
}

// command runs the program. It splits line at spaces and appends the other
// arguments.
func command(t *testing.T, line string, more ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append(strings.Fields(line), more...), stdio{nil, &out, &errs})
	return result{code, out.String(), errs.String()}
}

// want checks the exit code, and finds the texts in the output or the errors.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.errs, text) {
			t.Errorf("no %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("output:\n%s\nerrors:\n%s", r.out, r.errs)
	}
	return r
}

// writeText writes a file in the working directory, and returns its name.
func writeText(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
