package customerfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

func TestFilesAsProductsExportThem(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(fileCases, productCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", c.file)
			if c.file == "" {
				path = write(t, c.text)
			}
			if diff := cmp.Diff(c.want, outcomeOf(t, path, c.options), cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
	}
}

// write writes a customer file, and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customers.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// outcomeOf opens the file, and reads it twice.
func outcomeOf(t testing.TB, path string, o options) outcome {
	t.Helper()
	f, err := customerfile.Open(path, o)
	if err != nil {
		rest, ok := strings.CutPrefix(err.Error(), path+": ")
		if !ok {
			t.Errorf("the error does not begin with the path: %v", err)
		}
		return outcome{err: rest}
	}
	defer func() { _ = f.Close() }()
	first, second := read(t, f), read(t, f)
	if diff := cmp.Diff(first, second, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("it reads differently the second time:\n%s", diff)
	}
	return first
}

func read(t testing.TB, f *customerfile.File) outcome {
	t.Helper()
	var got outcome
	m := f.Mapping()
	got.mapping = fmt.Sprintf("%s %q", m.Encoding, m.Separator)
	if m.Sheet != "" {
		got.mapping = "sheet " + m.Sheet
	}
	got.mapping += fmt.Sprintf(", header %d", m.HeaderRow)
	for _, c := range m.Columns {
		name := c.Header
		if name == "" {
			name = fmt.Sprintf("#%d", c.Number)
		}
		switch {
		case c.Ignored:
			got.mapping += ", " + name + " ignored"
		case c.Field != "":
			got.mapping += ", " + name + "=" + c.Field
		}
		if c.Consent {
			got.mapping += ", " + name + "?"
		}
		if c.OptedOut > 0 {
			got.mapping += fmt.Sprintf(" (%d in %s)", c.OptedOut, name)
		}
		if c.Hint != "" {
			got.mapping += ", " + name + " has " + c.Hint
		}
	}
	rows := 0
	for row, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		switch row.Status {
		case customerfile.Ready:
			got.rows = append(got.rows, show(row))
		case customerfile.OptedOut:
			got.leftOut = append(got.leftOut, fmt.Sprintf("%d %s: %s", row.Number, row.Params.Email, row.Reason))
		default:
			got.listed = append(got.listed, fmt.Sprintf("%d %s: %s", row.Number, row.Status, row.Reason))
		}
		for _, note := range row.Notes {
			got.listed = append(got.listed, fmt.Sprintf("%d %s", row.Number, note))
		}
	}
	if rows != m.Rows {
		t.Errorf("%d rows, and the mapping says %d", rows, m.Rows)
	}
	if n := len(got.rows); n > 4 { // the others are similar
		got.rows = append(got.rows[:2:2], fmt.Sprintf("… %d in all", n), got.rows[n-1])
	}
	return got
}

// show formats a row as its request body.
func show(row customerfile.Row) string {
	p := row.Params
	parts := []string{fmt.Sprint(row.Number), p.Email, p.Title, p.FirstName, p.LastName, p.Phone, string(p.PreferredLanguage)}
	if p.Tags != nil {
		parts = append(parts, fmt.Sprintf("%q", p.Tags))
	}
	if p.CustomFields != nil {
		parts = append(parts, fmt.Sprint(p.CustomFields))
	}
	return strings.TrimRight(strings.Join(parts, "|"), "|")
}

// manyRows returns n contacts with an email and a first name, and a last
// column.
func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d@example.com,Pat,%s\n", i, strings.Repeat("x", 80))
	}
	return b.String()
}

func encoded(e encoding.Encoding, text string) string {
	out, err := e.NewEncoder().String(text)
	if err != nil {
		panic(err)
	}
	return out
}

// utf16 encodes the text after a byte order mark. Without a mark it is little
// endian.
func utf16(mark, text string) string {
	order := unicode.LittleEndian
	if mark == "\xfe\xff" {
		order = unicode.BigEndian
	}
	return mark + encoded(unicode.UTF16(order, unicode.IgnoreBOM), text)
}
