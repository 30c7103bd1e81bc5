package customerfile_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

func open(t testing.TB, path string, o options) *customerfile.File {
	t.Helper()
	f, err := customerfile.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// cells reads a CSV file with a byte order mark.
func cells(t testing.TB, path string, separator rune) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, ok := bytes.CutPrefix(data, []byte("\ufeff"))
	if !ok {
		t.Error("Excel would not take it for UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord = separator, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestTheErrorsFileHasTheOriginalRows(t *testing.T) {
	t.Parallel()
	f := open(t, write(t, "sep=;\nE-Mail;Vorname;Notiz\nann@example.com;Änne;\"a\nb; \"\"c\"\"\"\nbo@example.com;Bo\nnobody;No;x;y\n"), options{})
	path := filepath.Join(t.TempDir(), "errors.csv")
	if err := f.WriteErrors(path, map[int]string{2: "VALIDATION_ERROR: phone", 4: "the email is not of the form name@host"}); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"row", "reason", "E-Mail", "Vorname", "Notiz"},
		{"2", "VALIDATION_ERROR: phone", "ann@example.com", "Änne", "a\nb; \"c\""},
		{"4", "the email is not of the form name@host", "nobody", "No", "x", "y"},
	}
	if diff := cmp.Diff(want, cells(t, path, ';')); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := f.WriteErrors(path, nil); err != nil { // as in a later run
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:1], cells(t, path, ';')); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("%v is left", left)
	}
}

func TestTheErrorsFileHasNoFormula(t *testing.T) {
	t.Parallel()
	values := []string{"=HYPERLINK(\"http://evil.example\")", "+1+1", "-2", "@SUM(1)", "\t=1", " =1", "＝1", "|calc", "%0A", "=\"x\"", "'=1", "ok"}
	var b strings.Builder
	b.WriteString("Email,First name,=Header\n")
	reasons := map[int]string{}
	for i, value := range values {
		b.WriteString("a@example.com,Ann,\"" + strings.ReplaceAll(value, `"`, `""`) + "\"\n")
		reasons[i+2] = "=reason"
	}
	path := filepath.Join(t.TempDir(), "errors.csv")
	first := open(t, write(t, b.String()), options{Map: []string{"customFields.x=#3"}})
	if err := first.WriteErrors(path, reasons); err != nil {
		t.Fatal(err)
	}
	for _, row := range cells(t, path, ',') {
		for _, cell := range row {
			if strings.ContainsAny(strings.TrimLeft(cell, " ")[:1], "=+-@\t\r|%＝") {
				t.Errorf("a spreadsheet evaluates %q", cell)
			}
		}
	}
	// The errors file can be corrected and opened again.
	var got, want []string
	for _, in := range []struct {
		path, column string
		to           *[]string
	}{{write(t, strings.ReplaceAll(b.String(), "a@", "ann@")), "#3", &want}, {path, "#5", &got}} {
		for row, err := range open(t, in.path, options{Map: []string{"customFields.x=" + in.column}, LastWins: true}).Rows() {
			if err != nil {
				t.Fatal(err)
			}
			*in.to = append(*in.to, row.Cells[len(row.Cells)-1])
		}
	}
	for i, cell := range got {
		if cell != want[i] && cell != "'"+want[i] {
			t.Errorf("%q came back as %q", want[i], cell)
		}
	}
}

func TestTheErrorsFileIsNoOtherFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	input, journal := at("in.csv"), at("c.journal")
	for _, path := range []string{input, journal} {
		if err := os.WriteFile(path, []byte(twoContacts), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Skip(err)
		}
	}
	must(os.Mkdir(at("sub"), 0o700))
	must(os.Symlink("in.csv", at("link.csv")))
	must(os.Link(input, at("hard.csv")))
	must(os.Symlink(dir, at("again")))
	must(os.Symlink("new.journal", at("dangling.csv")))
	must(os.Symlink("circle", at("circle")))
	if info, err := os.Lstat(at("link.csv")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Skip("Wine shows what a link leads to in its place")
	}
	stdin, err := os.Open(input)
	must(err)
	defer func() { _ = stdin.Close() }()
	others := []string{journal, "", at("new.journal"), at("none/state.journal")}
	for _, f := range []*customerfile.File{open(t, input, options{}), open(t, "-", options{Stdin: stdin})} {
		for path, want := range map[string]string{
			input: "it is the customer file itself", at("sub/../in.csv"): "it is the customer file itself", at("link.csv"): "it is the customer file itself",
			at("hard.csv"): "it is the customer file itself", at("again/in.csv"): "it is the customer file itself",
			at("again/c.journal"): "it is the same file as " + journal, at("again/new.journal"): "it is the same file as", at("dangling.csv"): "it is the same file as",
			at("NEW.journal"): "it is the same file as", at("circle"): "circle", dir: "it is a directory or a device", os.DevNull: "it is a directory or a device", "": "the file name is empty; set --errors",
			at("none/errors.csv"): missing(at("none/errors.csv")),
		} {
			for _, err := range []error{f.CheckOutput(path, others...), f.WriteErrors(path, nil, others...)} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v, want %s", path, err, want)
				}
			}
		}
		for _, path := range []string{at("errors.csv"), at("sub/in.csv"), at("again/errors.csv")} {
			if err := f.CheckOutput(path, others...); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if err := f.WriteErrors(path, nil, others...); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	for _, path := range []string{input, journal} {
		if data, err := os.ReadFile(path); err != nil || string(data) != twoContacts {
			t.Errorf("%s is %q now, %v", path, data, err)
		}
	}
}

// A failed write leaves the errors file of an earlier run intact.
func TestTheErrorsFileIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	input := write(t, twoContacts)
	f := open(t, input, options{})
	path := filepath.Join(t.TempDir(), "errors.csv")
	const old = "\ufeff\"row\",\"reason\",\"old\"\r\n"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(input, []byte("Email\nan@example.com\n"), 0o600); err != nil { // it changes
		t.Fatal(err)
	}
	if err := f.WriteErrors(path, map[int]string{2: "x"}); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != old {
		t.Errorf("it is %q now, %v", data, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%v is left", left)
	}
}
