package customerfile_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

const twoContacts = "Email,First name\nann@example.com,Ann\nbo@example.com,Bo\n"

func zipOf(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, part := range parts {
		if _, err := w.Create(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFilesThatAreSomethingElse(t *testing.T) {
	t.Parallel()
	const ole = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	for name, c := range map[string]struct{ text, want string }{
		"Excel 97":          {ole + strings.Repeat("\x00", 600) + "W\x00o\x00r\x00k\x00b\x00o\x00o\x00k\x00", "it is in the old Excel format (XLS); save it as CSV or XLSX"},
		"with a password":   {ole + strings.Repeat("\x00", 600) + "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00", "the workbook has a password; save a copy without it"},
		"OpenDocument":      {zipOf(t, "mimetype", "content.xml"), "it is an OpenDocument file; save it as CSV or XLSX"},
		"Numbers":           {zipOf(t, "Index/Document.iwa"), "it is an Apple Numbers file; export it as CSV or Excel"},
		"a binary workbook": {zipOf(t, "xl/workbook.bin"), "it is a binary workbook (XLSB); save it as CSV or XLSX"},
		"an archive":        {zipOf(t, "customers.csv"), "it is a ZIP archive; unpack it first"},
		"an empty archive":  {zipOf(t), "it is a ZIP archive; unpack it first"},
		"PDF":               {"%PDF-1.7\n", "it is a PDF; export the contacts as CSV or XLSX"},
		"gzip":              {"\x1f\x8b\x08\x00", "it is compressed with gzip; unpack it first"},
		"XML of Excel 2003": {"\ufeff  <?xml version=\"1.0\"?><Workbook>", "it is HTML or XML; open it in a spreadsheet, and save it as CSV or XLSX"},
		"a list of JSON":    {"[{\"email\": 1}]", "it is JSON; export the contacts as CSV or XLSX"},
	} {
		if diff := cmp.Diff(outcome{err: c.want}, outcomeOf(t, write(t, c.text), options{}), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%s: want -, got +\n%s", name, diff)
		}
	}
	if got := outcomeOf(t, write(t, twoContacts), options{Sheet: "Sheet1"}); got.err != "--sheet names a sheet, but the file is not a workbook" {
		t.Errorf("a sheet of a CSV file: %+v", got)
	}
}

// missing is what the system says of a path that leads nowhere.
func missing(path string) string {
	_, err := os.Stat(path)
	return errors.Unwrap(err).Error()
}

func TestPathsThatAreNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none, below := filepath.Join(dir, "none.csv"), filepath.Join(dir, "a", "b.csv")
	for path, want := range map[string]string{
		dir:        "it is a directory; name a CSV or XLSX file in it",
		none:       missing(none),
		os.DevNull: "it is a pipe or a device",
		"-":        "there is no standard input; name a file",
		below:      missing(below),
	} {
		if got := outcomeOf(t, path, options{}); !strings.Contains(got.err, want) {
			t.Errorf("%s: got %+v, want %s", path, got, want)
		}
	}
}

var twoRead = outcome{mapping: `utf-8 ",", header 1, Email=email, First name=firstName`, rows: []string{"2|ann@example.com||Ann", "3|bo@example.com||Bo"}}

func TestStandardInputIsAPipeOrAFile(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(w, twoContacts)
		_ = w.Close()
	}()
	if diff := cmp.Diff(twoRead, outcomeOf(t, "-", options{Stdin: r}), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("a pipe: want -, got +\n%s", diff)
	}
	file, err := os.Open(write(t, "the first line is read already\n"+twoContacts))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(31, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(twoRead, outcomeOf(t, "-", options{Stdin: file}), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("a file: want -, got +\n%s", diff)
	}
	if _, err := file.Stat(); err != nil {
		t.Errorf("standard input was closed: %v", err)
	}
}

func TestTemporaryCopiesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, text := range []string{twoContacts, "", "{}", "Name\nAnn\n"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(w, text)
			_ = w.Close()
		}()
		outcomeOf(t, "-", options{Stdin: r})
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestAFileThatChangesIsAnError(t *testing.T) {
	t.Parallel()
	path := write(t, twoContacts)
	f, err := customerfile.Open(path, options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString("cy@example.com,Cy\n")
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	rows := 0
	for row, rowErr := range f.Rows() {
		if err = rowErr; err == nil && row.Number > 0 {
			rows++
		}
	}
	if rows != 0 || err == nil || !strings.Contains(err.Error(), "the file changed while it was read") {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// FuzzOpen opens random files. Each is a meaningful error or has valid rows.
func FuzzOpen(f *testing.F) {
	for _, c := range fileCases {
		if len(c.text) < 4096 {
			f.Add([]byte(c.text))
		}
	}
	f.Add([]byte("\xff\xfe;\x00\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := customerfile.Open(write(t, string(data)), options{Region: "DE"})
		if err != nil {
			return
		}
		defer func() { _ = file.Close() }()
		rows, last := 0, 0
		for row, err := range file.Rows() {
			if err != nil {
				t.Fatal(err)
			}
			if row.Number <= last {
				t.Errorf("row %d comes after row %d", row.Number, last)
			}
			rows, last = rows+1, row.Number
			if (row.Reason == "") != (row.Status == customerfile.Ready) {
				t.Errorf("row %d is %s: %q", row.Number, row.Status, row.Reason)
			}
			if row.Params.FirstName == "" {
				row.Params.FirstName = "x"
			}
			if row.Status == customerfile.Ready {
				if err := row.Params.Validate(); err != nil {
					t.Errorf("row %d cannot be sent: %v", row.Number, err)
				}
			}
		}
		if rows == 0 || rows != file.Mapping().Rows {
			t.Errorf("%d rows, %d in the mapping", rows, file.Mapping().Rows)
		}
	})
}
