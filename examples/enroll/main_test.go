package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/bulkcli"
)

// people is a file of contacts in a directory of its own.
func people(t *testing.T, content string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "contacts.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func TestTheCommandLineIsChecked(t *testing.T) {
	t.Parallel()
	dir, path := people(t, "Email\na@example.com\n")
	errorsFile := filepath.Join(dir, "errors.csv")
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte("my notes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no file":             {[]string{"-fake"}, bulkcli.ExitUsage, "name one file"},
		"no sequence":         {[]string{path}, bulkcli.ExitUsage, "-sequence"},
		"no such flag":        {[]string{"-x", path}, bulkcli.ExitUsage, "-x"},
		"no such file":        {[]string{"-fake", path + "x"}, bulkcli.ExitUsage, syscall.ENOENT.Error()}, // the platform's own words
		"stdin, no journal":   {[]string{"-fake", "-"}, bulkcli.ExitUsage, "-journal"},
		"not a journal":       {[]string{"-fake", "-journal", foreign, path}, bulkcli.ExitUsage, "not a journal"},
		"overwrites":          {[]string{"-fake", "-errors", path, path}, bulkcli.ExitUsage, "would overwrite"},
		"resend of no doubt":  {[]string{"-fake", "-resend", "b@example.com", path}, bulkcli.ExitUsage, "in doubt"},
		"no quota":            {[]string{"-fake", "-per-hour", "0", path}, bulkcli.ExitUsage, "-per-hour"},
		"help":                {[]string{"-help"}, bulkcli.ExitDone, "exit codes"},
		"a map without a =":   {[]string{"-fake", "-map", "email", path}, bulkcli.ExitUsage, "field=column"},
		"a column not in it":  {[]string{"-fake", "-map", "email=Mail", path}, bulkcli.ExitUsage, `no column "Mail"`},
		"everything as it is": {[]string{"-fake", "-errors", errorsFile, path}, bulkcli.ExitDone, ""},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, strings.NewReader(""), &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.says) {
			t.Errorf("%s: exit %d, %s", name, code, &errs)
		}
	}
}

func TestARunListsWhoWasNotSentToAndGoesOn(t *testing.T) {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	id := srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
	srv.AddContact(demeterrr.Contact{Email: "unsubscribed@example.com", Unsubscribed: true})
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	t.Setenv("DEMETERRR_BASE_URL", srv.URL())
	dir, path := people(t, "Email,First name\na@example.com,Ann\nA@EXAMPLE.COM,Ann\nunsubscribed@example.com,Uma\n,\"No\nname\"\nb@example.com,Bo\n")
	args := []string{"-sequence", id, "-errors", filepath.Join(dir, "errors.csv")}

	var out, errs bytes.Buffer
	if code := run(t.Context(), append(args, "-dry-run", path), nil, &out, &errs); code != bulkcli.ExitPartly || len(srv.Requests()) > 0 {
		t.Errorf("dry run: exit %d, %d requests, %s", code, len(srv.Requests()), &errs)
	}
	if _, err := os.Stat(path + ".journal"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the dry run left a journal:", err)
	}
	if want := "5 rows: 3 sent, 0 sent before, 1 duplicate, 0 skipped, 1 failed, 0 unknown, 0 not tried; 1 request."; !strings.Contains(out.String(), want) {
		t.Errorf("dry run: %s", &out)
	}
	for _, want := range []string{
		"5 rows: 2 sent, 0 sent before, 1 duplicate, 1 skipped, 1 failed, 0 unknown, 0 not tried; 1 request.",
		"5 rows: 0 sent, 2 sent before, 1 duplicate, 1 skipped, 1 failed, 0 unknown, 0 not tried; 0 requests.",
	} {
		out.Reset()
		if code := run(t.Context(), append(args, path), nil, &out, &errs); code != bulkcli.ExitPartly || !strings.Contains(out.String(), want) {
			t.Errorf("exit %d, %s%s", code, &out, &errs)
		}
		listed, err := os.ReadFile(filepath.Join(dir, "errors.csv"))
		if err != nil {
			t.Fatal(err)
		}
		const rows = "row,email,result,reason\n5,,failed,demeterrr: VALIDATION_ERROR: the email is empty\n4,unsubscribed@example.com,skipped,\"the API's status is \"\"skipped\"\"\"\n"
		if diff := cmp.Diff(rows, string(listed)); diff != "" {
			t.Errorf("errors.csv (-want +got):\n%s", diff)
		}
	}
	if len(srv.Sendings()) != 2 {
		t.Errorf("%d sendings", len(srv.Sendings()))
	}
}
