package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/bulkcli"
)

func TestARunWritesWhatDiffersAndListsWhatFailed(t *testing.T) {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.AddContact(demeterrr.Contact{Email: "ann@example.com", FirstName: "Ann", LastName: "Lee"})
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo"})
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	t.Setenv("DEMETERRR_BASE_URL", srv.URL())
	const file = "E-Mail;Vorname;Last name;Tier;Tags\n" +
		"ann@example.com;Ann;Lee-Day;Gold;vip, new\nbo@example.com;Bo;;;\ncy@example.com;Cy;;;\ndi@example.com;;;;\n"
	dir := t.TempDir()
	args := []string{"-map", "firstName=Vorname", "-custom", "Tier", "-errors", filepath.Join(dir, "errors.csv")}

	for _, tt := range []struct {
		args []string
		code int
		want []string
	}{
		{append(args, "-dry-run", "-"), bulkcli.ExitPartly, []string{
			"4 rows: 1 created, 1 updated, 1 unchanged, 0 duplicates, 1 failed; 1 request.",
			`update ann@example.com: {"lastName":"Lee-Day","customFields":{"Tier":"Gold"},"tags":["vip","new"]}`,
			"create cy@example.com", "A real run would send 2 requests more",
		}},
		{append(args, "-"), bulkcli.ExitPartly, []string{"4 rows: 1 created, 1 updated, 1 unchanged, 0 duplicates, 1 failed; 3 requests."}},
		{append(args, "-"), bulkcli.ExitPartly, []string{"4 rows: 0 created, 0 updated, 3 unchanged, 0 duplicates, 1 failed; 1 request."}},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, strings.NewReader(file), &out, &errs); code != tt.code {
			t.Errorf("exit %d, want %d: %s%s", code, tt.code, &out, &errs)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in:\n%s", want, &out)
			}
		}
		if listed, err := os.ReadFile(filepath.Join(dir, "errors.csv")); err != nil || !strings.HasPrefix(string(listed), "row,email,result,reason\n5,di@example.com,failed,") {
			t.Errorf("errors.csv: %s %v", listed, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, append(args, "-"), strings.NewReader(file), &out, &errs); code != bulkcli.ExitInterrupted || !strings.Contains(errs.String(), "again") {
		t.Errorf("cancelled: exit %d, %s", code, &errs)
	}
	srv.Inject(demeterrrtest.Fault{Status: 401})
	if code := run(t.Context(), append(args, "-"), strings.NewReader(file), &out, &errs); code != bulkcli.ExitStopped {
		t.Errorf("key refused: exit %d", code)
	}
}

func TestAStateSparesTheReading(t *testing.T) {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	t.Setenv("DEMETERRR_BASE_URL", srv.URL())
	dir := t.TempDir()
	args := []string{"-errors", filepath.Join(dir, "errors.csv"), "-state", filepath.Join(dir, "crm.state"), "-"}
	for _, tt := range []struct{ file, want string }{
		{"Email;First name\nann@example.com;Ann\nbo@example.com;Bo\n", "2 created, 0 updated, 0 unchanged, 0 duplicates, 0 failed; 3 requests."},
		{"Email;First name\nann@example.com;Anna\nbo@example.com;Bo\n", "0 created, 1 updated, 1 unchanged, 0 duplicates, 0 failed; 1 request."},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(tt.file), &out, &errs); code != bulkcli.ExitDone || !strings.Contains(out.String(), tt.want) {
			t.Errorf("exit %d, no %q in %s%s", code, tt.want, &out, &errs)
		}
	}
	var out, errs bytes.Buffer
	args[3] = filepath.Join(dir, "none", "state")
	if code := run(t.Context(), args, strings.NewReader("Email\n"), &out, &errs); code != bulkcli.ExitUsage || !strings.Contains(errs.String(), "cannot be opened") {
		t.Errorf("exit %d: %s", code, &errs)
	}
}
