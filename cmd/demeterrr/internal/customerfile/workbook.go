package customerfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// maxWorkbook is the maximum unpacked size. It protects against zip bombs.
const maxWorkbook = 4 << 30

// writeWorkbook writes all rows of a sheet as CSV, including blank rows. It
// returns the name of the sheet.
func writeWorkbook(w io.Writer, in *io.SectionReader, sheet string, onRow func(row int)) (string, error) {
	book, err := excelize.OpenReader(io.NewSectionReader(in, 0, in.Size()), excelize.Options{
		UnzipSizeLimit: maxWorkbook, ShortDatePattern: "yyyy-mm-dd", LongDatePattern: "yyyy-mm-dd",
	})
	if err != nil {
		return "", fmt.Errorf("the workbook is damaged or has no sheet (%w); open it in a spreadsheet, and save it as XLSX", err)
	}
	defer func() { _ = book.Close() }()
	if sheet, err = chooseSheet(book, sheet); err != nil {
		return "", err
	}
	out := csv.NewWriter(w)
	rows, err := book.Rows(sheet)
	if err != nil {
		return "", fmt.Errorf("the sheet %q cannot be read: %w", sheet, err)
	}
	defer func() { _ = rows.Close() }()
	width, hidden := 0, 0
	for row := 1; rows.Next(); row++ {
		if onRow != nil {
			onRow(row)
		}
		cells, err := rows.Columns()
		if err != nil {
			return "", fmt.Errorf("the sheet %q cannot be read: %w", sheet, err)
		}
		if rows.GetRowOpts().Hidden && filled(cells) > 0 {
			hidden++
		}
		width = max(width, len(cells))
		if len(cells) > 0 { // excelize drops empty cells at the end
			cells = append(cells, make([]string, width-len(cells))...)
		}
		if err := out.Write(cells); err != nil {
			return "", err
		}
	}
	if err := rows.Error(); err != nil {
		return "", fmt.Errorf("the sheet %q cannot be read: %w", sheet, err)
	}
	if hidden > 0 { // users expect the visible rows only
		return "", fmt.Errorf("the sheet %q has hidden rows: %d; show or delete them, or copy the visible rows to a new sheet", sheet, hidden)
	}
	if err := checkFormulas(in); err != nil {
		return "", err
	}
	out.Flush()
	return sheet, out.Error()
}

// chooseSheet returns the named sheet, or the only visible sheet with data.
func chooseSheet(book *excelize.File, named string) (string, error) {
	var full []string
	sheets := book.GetSheetList()
	for _, name := range sheets {
		if visible, err := book.GetSheetVisible(name); named == name || err == nil && visible && hasRows(book, name) {
			full = append(full, name)
		}
		if named == name {
			return name, nil
		}
	}
	switch {
	case named != "":
		return "", fmt.Errorf("the workbook has no sheet %q; it has %q", named, sheets)
	case len(sheets) == 0:
		return "", errors.New("the workbook has no sheet; save it again as XLSX")
	case len(full) == 0:
		return "", errors.New("the visible sheets are empty; add a header row and contacts, or name another sheet with --sheet")
	case len(full) > 1:
		return "", fmt.Errorf("the workbook has several sheets; name one with --sheet: %q", full)
	}
	return full[0], nil
}

func hasRows(book *excelize.File, sheet string) bool {
	rows, err := book.Rows(sheet)
	if err != nil {
		return false
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if cells, err := rows.Columns(); err == nil && strings.TrimSpace(strings.Join(cells, "")) != "" {
			return true
		}
	}
	return false
}

// checkFormulas fails if a formula has no value. Programs write such formulas,
// and only a spreadsheet computes them. excelize reads them as empty cells.
func checkFormulas(in *io.SectionReader) error {
	archive, err := zip.NewReader(in, in.Size())
	if err != nil {
		return err
	}
	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, "xl/worksheets/") {
			continue
		}
		sheet, err := f.Open()
		if err != nil {
			return err
		}
		cells := bufio.NewScanner(io.LimitReader(sheet, maxWorkbook))
		cells.Buffer(nil, 1<<24)
		cells.Split(splitCells)
		for cells.Scan() {
			cell := cells.Bytes()
			cell = cell[max(0, bytes.LastIndex(cell, []byte("<c "))):]
			if bytes.Contains(cell, []byte("<f")) && !hasValue(cell) {
				_ = sheet.Close()
				return errors.New("the workbook has a formula without a value; open it in a spreadsheet, save it, and try again")
			}
		}
		_ = sheet.Close()
		if err := cells.Err(); err != nil {
			return fmt.Errorf("the workbook cannot be read: %w", err)
		}
	}
	return nil
}

// splitCells splits after each filled cell and at each row. A sheet can have a
// million empty cells.
func splitCells(data []byte, atEOF bool) (advance int, token []byte, err error) {
	const end, row = "</c>", "<row"
	i := bytes.Index(data, []byte(end))
	head := data
	if i >= 0 {
		head = data[:i]
	}
	if j := bytes.Index(head, []byte(row)); j >= 0 {
		return j + len(row), data[:j], nil
	}
	if i >= 0 {
		return i + len(end), data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// hasValue reports whether a formula has a value. An empty text is a value.
func hasValue(cell []byte) bool {
	_, value, found := bytes.Cut(cell, []byte("<v>"))
	return found && (!bytes.HasPrefix(value, []byte("</v>")) || bytes.Contains(cell, []byte(`t="str"`)))
}
