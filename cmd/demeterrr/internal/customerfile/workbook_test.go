package customerfile_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// workbook writes a workbook. build fills its sheets, starting with "Sheet1".
func workbook(t testing.TB, build func(f *excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	build(f)
	path := filepath.Join(t.TempDir(), "customers.csv")
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fill writes rows of a sheet, from the given row.
func fill(f *excelize.File, sheet, from string, rows ...[]any) {
	column, row, err := excelize.CellNameToCoordinates(from)
	for i := range rows {
		if err == nil {
			cell, _ := excelize.CoordinatesToCellName(column, row+i)
			err = f.SetSheetRow(sheet, cell, &rows[i])
		}
	}
	if err != nil {
		panic(err)
	}
}

func addSheet(f *excelize.File, name string) {
	if _, err := f.NewSheet(name); err != nil {
		panic(err)
	}
}

var header, ann = []any{"Email", "First name"}, []any{"ann@example.com", "Ann"}

// workbookCase is a workbook and the expected outcome.
type workbookCase struct {
	build   func(f *excelize.File)
	options options
	want    outcome
}

var sheet1 = outcome{mapping: "sheet Sheet1, header 1, Email=email, First name=firstName", rows: []string{"2|ann@example.com||Ann"}}

var workbookCases = map[string]workbookCase{
	"numbers, dates and blank rows": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", []any{"Customers of 2025"}, nil, []any{"Email", "Handy", "Birthday", "Newsletter", "Size"})
			fill(f, "Sheet1", "A5", []any{"ann@example.com", 15550100001.0, 33253, true, 4.5}, []any{"bo@example.com", 447911123456.0, "", false, "5"})
			style, _ := f.NewStyle(&excelize.Style{NumFmt: 14})
			_ = f.SetCellStyle("Sheet1", "C5", "C5", style)
		},
		options: options{Region: "US", Map: []string{"customFields=Birthday", "customFields=Size"}},
		want: outcome{
			mapping: "sheet Sheet1, header 3, Email=email, Handy=phone, Birthday=customFields.Birthday, Newsletter? (1 in Newsletter), Size=customFields.Size",
			rows:    []string{"5|ann@example.com||||+15550100001||map[Birthday:1991-01-15 Size:4.5]"},
			leftOut: []string{`6 bo@example.com: Newsletter is "FALSE"`},
			listed:  []string{"6 the phone is left out: it is not a valid number"}, // British, without +
		},
	},
	"empty and hidden sheets beside it": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann)
			addSheet(f, "Sheet2")
			addSheet(f, "Lists")
			fill(f, "Lists", "A1", []any{"Email"})
			_ = f.SetSheetVisible("Lists", false)
		},
		want: sheet1,
	},
	"an empty column of consent at the end": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", []any{"Email", "First name", "UNSUB_TIME"}, ann, []any{"bo@example.com", "Bo", "2025-01-01"})
		},
		want: outcome{
			mapping: "sheet Sheet1, header 1, Email=email, First name=firstName, UNSUB_TIME? (1 in UNSUB_TIME)",
			rows:    []string{"2|ann@example.com||Ann"},
			leftOut: []string{"3 bo@example.com: UNSUB_TIME is set"},
		},
	},
	"two sheets": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann)
			addSheet(f, "Old")
			fill(f, "Old", "A1", header, ann)
		},
		want: outcome{err: `the workbook has several sheets; name one with --sheet: ["Sheet1" "Old"]`},
	},
	"one of two sheets": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann)
			addSheet(f, "Old")
			fill(f, "Old", "A1", []any{"x"})
		},
		options: options{Sheet: "Sheet1"},
		want:    sheet1,
	},
	"a sheet that is not there": {
		build:   func(f *excelize.File) { fill(f, "Sheet1", "A1", header, ann) },
		options: options{Sheet: "sheet"},
		want:    outcome{err: `the workbook has no sheet "sheet"; it has ["Sheet1"]`},
	},
	"nothing in it": {
		build: func(*excelize.File) {},
		want:  outcome{err: "the visible sheets are empty; add a header row and contacts, or name another sheet with --sheet"},
	},
	"hidden rows, as a filter leaves them": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann, []any{"bo@example.com"}, []any{"cy@example.com"})
			_ = f.SetRowVisible("Sheet1", 3, false)
		},
		want: outcome{err: `the sheet "Sheet1" has hidden rows: 1; show or delete them, or copy the visible rows to a new sheet`},
	},
	"a hidden row with nothing in it": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann)
			_ = f.SetRowVisible("Sheet1", 3, false)
		},
		want: sheet1,
	},
	"a formula without a value": {
		build: func(f *excelize.File) {
			fill(f, "Sheet1", "A1", header, ann, []any{"bo@example.com"})
			_ = f.SetCellFormula("Sheet1", "B3", `PROPER("BO")`)
		},
		want: outcome{err: "the workbook has a formula without a value; open it in a spreadsheet, save it, and try again"},
	},
}

func TestWorkbooks(t *testing.T) {
	t.Parallel()
	for name, c := range workbookCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, outcomeOf(t, workbook(t, c.build), c.options), cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("want -, got +\n%s", diff)
			}
		})
	}
}

// sheetXML replaces the rows of the first sheet of a workbook.
func sheetXML(t testing.TB, rows string) string {
	t.Helper()
	path := workbook(t, func(*excelize.File) {})
	return rewrite(t, path, func(name string, data []byte) []byte {
		if name == "xl/worksheets/sheet1.xml" {
			return []byte(`<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + rows + `</sheetData></worksheet>`)
		}
		return data
	})
}

// rewrite edits the parts of a workbook. A nil part is removed.
func rewrite(t testing.TB, path string, change func(name string, data []byte) []byte) string {
	t.Helper()
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range archive.File {
		var data bytes.Buffer
		in, err := f.Open()
		if err == nil {
			_, err = data.ReadFrom(in)
		}
		changed := change(f.Name, data.Bytes())
		if err == nil && changed != nil {
			var out interface{ Write([]byte) (int, error) }
			if out, err = w.Create(f.Name); err == nil {
				_, err = out.Write(changed)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, b.String())
}

func TestFormulasHaveTheValueThatTheSpreadsheetShowed(t *testing.T) {
	t.Parallel()
	const rows = `<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c><c r="B1" t="inlineStr"><is><t>First name</t></is></c></row>` +
		`<row r="2"><c r="A2" t="str"><f>LOWER("ANN@EXAMPLE.COM")</f><v>ann@example.com</v></c><c r="B2" t="str"><f>""</f>VALUE</c></row>`
	for value, want := range map[string]outcome{
		"<v>Ann</v>": {mapping: "sheet Sheet1, header 1, Email=email, First name=firstName", rows: []string{"2|ann@example.com||Ann"}},
		"<v></v>":    {mapping: "sheet Sheet1, header 1, Email=email, First name=firstName", rows: []string{"2|ann@example.com"}},
		"":           {err: "the workbook has a formula without a value; open it in a spreadsheet, save it, and try again"},
	} {
		if diff := cmp.Diff(want, outcomeOf(t, sheetXML(t, strings.ReplaceAll(rows, "VALUE", value)), options{}), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%q: want -, got +\n%s", value, diff)
		}
	}
}

func TestAWorkbookWithManyEmptyCells(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("17 MB of XML take long, and one goroutine reads them")
	}
	var rows strings.Builder
	rows.WriteString(`<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>ann@example.com</t></is></c></row>`)
	for i := 3; rows.Len() < 17<<20; i++ {
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%[1]d" s="1"%s/><c r="B%[1]d" s="1"/></row>`, i, strings.Repeat(" ", 4096))
	}
	want := outcome{mapping: "sheet Sheet1, header 1, Email=email", rows: []string{"2|ann@example.com"}}
	if diff := cmp.Diff(want, outcomeOf(t, sheetXML(t, rows.String()), options{}), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestDamagedWorkbooksAreErrors(t *testing.T) {
	t.Parallel()
	path := workbook(t, func(f *excelize.File) { fill(f, "Sheet1", "A1", header, ann) })
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"cut":           {write(t, string(data[:len(data)/2])), "the workbook is damaged or incomplete; save it again as XLSX"},
		"without sheet": {rewrite(t, path, without("xl/worksheets/sheet1.xml")), "sheet"},
		"without list of sheets": {rewrite(t, path, func(name string, data []byte) []byte {
			if name == "xl/workbook.xml" {
				return []byte(`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets/></workbook>`)
			}
			return data
		}), "the workbook has no sheet; save it again as XLSX"},
		"another archive": {rewrite(t, path, without("xl/workbook.xml")), "it is a ZIP archive; unpack it first"},
		"not XML":         {rewrite(t, path, func(_ string, data []byte) []byte { return data[:len(data)/2] }), "the workbook is damaged or has no sheet"},
	} {
		if got := outcomeOf(t, c.path, options{}); !strings.Contains(got.err, c.want) {
			t.Errorf("%s: got %+v, want %s", name, got, c.want)
		}
	}
}

func without(part string) func(string, []byte) []byte {
	return func(name string, data []byte) []byte {
		if name == part {
			return nil
		}
		return data
	}
}
