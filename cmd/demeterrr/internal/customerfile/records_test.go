package customerfile

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var commas = dialect{separator: ',', quote: '"'}

// readAll reads all rows. An unreadable row becomes its error.
func readAll(t testing.TB, in io.Reader, d dialect) (rows [][]string) {
	t.Helper()
	r := newRecordReader(in, d)
	for {
		rec, err := r.next()
		if err == io.EOF { //nolint:errorlint // as io.Reader documents it
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.number != len(rows)+1 {
			t.Fatalf("row %d has the number %d", len(rows)+1, rec.number)
		}
		if rec.err != nil {
			rows = append(rows, []string{"error", rec.err.Error()})
			continue
		}
		rows = append(rows, append([]string{}, rec.cells...))
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	stray := []string{"error", errQuote.Error()}
	long := strings.Repeat("x", 70_000)
	for name, c := range map[string]struct {
		text string
		want [][]string
	}{
		"nothing":                        {"", nil},
		"one cell":                       {"a", [][]string{{"a"}}},
		"empty cells":                    {",\n\n,,", [][]string{{"", ""}, {""}, {"", "", ""}}},
		"no line end":                    {"a,\"b\"", [][]string{{"a", "b"}}},
		"a last line after a short one":  {"\n01", [][]string{{""}, {"01"}}},
		"CRLF":                           {"a,b\r\n\"c\",d\r\n", [][]string{{"a", "b"}, {"c", "d"}}},
		"CR is text":                     {"a\rb,\"c\rd\"\nx", [][]string{{"a\rb", "c\rd"}, {"x"}}},
		"a quote in a cell":              {"a\"b,5\" tv\n", [][]string{{"a\"b", "5\" tv"}}},
		"doubled quotes":                 {"\"a\"\"b\",\"\"\"\",\"\"\n", [][]string{{"a\"b", "\"", ""}}},
		"spaces around quotes":           {"a, \"b,c\" ,d\n", [][]string{{"a", "b,c", "d"}}},
		"spaces are text":                {" a , b\n", [][]string{{" a ", " b"}}},
		"line breaks in quotes":          {"\"a\r\nb\n\nc\",d\ne", [][]string{{"a\r\nb\n\nc", "d"}, {"e"}}},
		"text after quotes":              {"\"a\"b,c\nd", [][]string{stray, {"d"}}},
		"an open quote":                  {"a\n\"b,c\nd\n", [][]string{{"a"}, stray, {"d"}}},
		"a quote alone at the end":       {"a\n\"", [][]string{{"a"}, stray}},
		"a cell longer than the buffer":  {"a,\"" + long + "\n" + long + "\"\nb", [][]string{{"a", long + "\n" + long}, {"b"}}},
		"a line longer than the buffer":  {"a," + long + "\r\nb\r\n", [][]string{{"a", long}, {"b"}}},
		"a line longer than a row is":    {strings.Repeat("x", 3*maxRecord) + "\nb", [][]string{{"error", errTooLong.Error()}, {"b"}}},
		"a cell longer than a row is":    {"\"" + strings.Repeat("x\n", maxRecord) + "\"", nil},
		"no letters":                     {"a\xff\nb", [][]string{{"error", errNotUTF8.Error()}, {"b"}}},
		"a letter where a buffer ends":   {strings.Repeat("x", 1<<16-1) + "é,b\n", [][]string{{strings.Repeat("x", 1<<16-1) + "é", "b"}}},
		"a CRLF where a buffer ends":     {strings.Repeat("x", 1<<16-1) + "\r\nb", [][]string{{strings.Repeat("x", 1<<16-1)}, {"b"}}},
		"a quoted CRLF where one ends":   {`"` + strings.Repeat("x", 1<<16-3) + "\"\r\nb", [][]string{{strings.Repeat("x", 1<<16-3)}, {"b"}}},
		"quotes that end where one ends": {`"` + strings.Repeat("x", 1<<16-2) + "\"\"y\",z\nb", [][]string{{strings.Repeat("x", 1<<16-2) + `"y`, "z"}, {"b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, in := range []io.Reader{strings.NewReader(c.text), iotest.HalfReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text))} {
				got := readAll(t, in, commas)
				if c.want == nil && c.text != "" { // each line becomes a row
					if n := strings.Count(c.text, "\n") + 1; len(got) != n || got[0][0] != "error" {
						t.Errorf("%d rows, want %d, the first one an error", len(got), n)
					}
					continue
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("want -, got +\n%s", diff)
				}
			}
		})
	}
}

func TestRecordsOfOldMacs(t *testing.T) {
	t.Parallel()
	d := commas
	d.carriage = true
	got := readAll(t, strings.NewReader("a,b\r\"c\nd\",\"e\"\rf\r\rg"), d)
	if diff := cmp.Diff([][]string{{"a", "b"}, {"c\nd", "e"}, {"f"}, {""}, {"g"}}, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestAFailingReaderIsAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	for _, text := range []string{"a\nb", "a\n\"b"} {
		r := newRecordReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), commas)
		var err error
		for err == nil {
			_, err = r.next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

// FuzzRecords compares the reader with encoding/csv on texts valid for both.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\"\"b\",\"c\nd\"\n", "a,\"b\n", "\"a\"b\n", "a;\"b;c\"\r\n", "\r\r", "\"\"\n\"", " \"a\" ,b", "\"a\n\"b\"\n\"c\"", "\xff,\"\xff"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, carriage bool) {
		d := commas
		d.carriage = carriage
		got := readAll(t, strings.NewReader(text), d)
		if n := strings.Count(text, "\n") + strings.Count(text, "\r") + 1; len(got) > n {
			t.Fatalf("%d rows in %d lines", len(got), n)
		}
		if carriage || strings.Contains(text, "\r") || !utf8.ValidString(text) {
			return
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		if diff := cmp.Diff(withoutBlank(want), withoutBlank(got)); diff != "" {
			t.Errorf("encoding/csv -, records +\n%s", diff)
		}
	})
}

func withoutBlank(rows [][]string) (kept [][]string) {
	for _, row := range rows {
		if len(row) != 1 || row[0] != "" {
			kept = append(kept, row)
		}
	}
	return kept
}
