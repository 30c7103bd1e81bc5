// Package customerfile reads contacts from the files that shops, CRMs, booking
// systems and spreadsheets export: CSV in all its dialects, and XLSX.
//
// Open detects the format, maps columns to fields and finds opt-outs. It reads
// the whole file once, so a broken file fails before the first request. An
// ambiguous file is an error with advice:
//
//	file, err := customerfile.Open("customers.csv", customerfile.Options{Region: "DE"})
//	defer file.Close()
//	for row, err := range file.Rows() {
//		if row.Status == customerfile.Ready {
//			send(row.Params)
//		}
//	}
package customerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
)

// Options override the detection. The zero value detects everything.
type Options struct {
	// Map maps columns to fields, each as "field=column" or "field=#n". The
	// column is an exact header or a number, from 1. The fields have the names
	// of the API: email, firstName, lastName, phone, title, preferredLanguage,
	// tags, locationId, contactOrganizationId. "fullName=column" splits names.
	// "customFields.key=column" fills a custom field. "customFields=column"
	// uses the header as the key.
	Map []string
	// Ignore excludes columns from fields and from consent.
	Ignore []string
	// OnlyIf and SkipIf select rows, each as "column=value". The value is
	// case-insensitive. Several OnlyIf of one column are alternatives. An
	// opt-out in an unselected row still counts for its contact.
	OnlyIf, SkipIf []string
	// Region is the country of phone numbers without a country code, such as
	// "DE". By default these numbers are left out.
	Region string
	// LastWins selects the last of several rows with the same email. By default
	// the first row wins.
	LastWins bool
	// Separator, Quote and Encoding are detected by default. Separator and
	// Quote are one ASCII character, or "tab". Encoding is a name such as
	// "windows-1252".
	Separator, Quote, Encoding string
	// Sheet is the sheet of a workbook. By default it is the only visible sheet
	// with data.
	Sheet string
	// Stdin is the file for the path "-".
	Stdin *os.File
	// OnRow is called for each row while Open unpacks a workbook, with the
	// number of the row. It may be nil.
	OnRow func(row int)
}

// File is an open customer file.
type File struct {
	source  *source
	layout  layout
	mapping Mapping
	start   int64
	reader  rowReader
	people  people
}

// Mapping is the detected format and the meaning of the columns.
type Mapping struct {
	// Encoding is a name such as "utf-8". Separator is a character. Both are
	// empty for a workbook.
	Encoding, Separator string
	// Sheet is the sheet of a workbook.
	Sheet string
	// HeaderRow is the row number of the headers, as in a spreadsheet. It is 0
	// without headers.
	HeaderRow int
	// Rows is the number of rows with data below the header.
	Rows int
	// Columns are all columns of the file.
	Columns []Column
}

// Field reports whether a column fills the field, such as "firstName". Full
// names fill the first and the last name.
func (m *Mapping) Field(name string) bool {
	for _, c := range m.Columns {
		if c.Field == name || c.Field == fieldFullName && (name == fieldFirstName || name == fieldLastName) {
			return true
		}
	}
	return false
}

// Open opens a CSV or XLSX file, or standard input for "-". Its errors begin
// with the path and end with advice.
func Open(path string, options Options) (*File, error) {
	f, err := open(path, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func open(path string, options Options) (*File, error) {
	s, err := openSource(path, options)
	if err != nil {
		return nil, err
	}
	f := &File{source: s}
	if err := f.prepare(options); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// prepare detects the encoding, the separator and the header. Then it maps the
// columns and indexes the people.
func (f *File) prepare(options Options) (err error) {
	if f.source.sheet != "" { // the copy is UTF-8 with commas
		options.Encoding, options.Separator, options.Quote = encodingUTF8, ",", `"`
	}
	if f.mapping.Encoding, f.start, err = findEncoding(f.source.text, options.Encoding); err != nil {
		return err
	}
	text, err := f.text()
	if err != nil {
		return err
	}
	sample, err := readSample(text)
	if err != nil {
		return err
	}
	if f.layout, err = findLayout(sample, options); err != nil {
		return err
	}
	f.mapping.HeaderRow, f.mapping.Separator = f.layout.row, string(rune(f.layout.dialect.separator))
	if f.mapping.Columns, err = mapColumns(f.layout, options); err != nil {
		return err
	}
	if f.reader, err = newRowReader(f.mapping.Columns, options); err != nil {
		return err
	}
	if err := f.index(options.LastWins); err != nil {
		return err
	}
	if f.mapping.Sheet = f.source.sheet; f.mapping.Sheet != "" {
		f.mapping.Encoding, f.mapping.Separator = "", ""
	}
	if f.mapping.Rows == 0 {
		return errors.New("the file has no rows below its header")
	}
	return nil
}

// text returns the whole text in UTF-8, from the line after "sep=".
func (f *File) text() (io.Reader, error) {
	in, err := decode(&steadyReader{f.source, io.NewSectionReader(f.source.text, f.start, f.source.text.Size()-f.start)}, f.encoding())
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(io.Discard, in, f.layout.skip)
	return in, err
}

func (f *File) encoding() string {
	if f.mapping.Encoding == "" {
		return encodingUTF8
	}
	return f.mapping.Encoding
}

// Mapping returns the detected format and the meaning of the columns.
func (f *File) Mapping() Mapping { return f.mapping }

// Info returns the file for [os.SameFile], also for standard input.
func (f *File) Info() os.FileInfo { return f.source.input }

// Close closes the file.
func (f *File) Close() error { return f.source.close() }

// records yields the rows with data below the header.
func (f *File) records() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		text, err := f.text()
		if err != nil {
			yield(record{}, err)
			return
		}
		r := newRecordReader(text, f.layout.dialect)
		r.suspicious = f.swallowed
		for {
			rec, err := r.next()
			if err == io.EOF { //nolint:errorlint // as io.Reader documents it
				return
			}
			if err != nil {
				yield(record{}, bare(err))
				return
			}
			if rec.number > f.layout.row && !rec.blank() && !yield(rec, nil) {
				return
			}
		}
	}
}

// swallowed reports whether a cell contains other rows. Signs are another
// contact's address in the email column, and several lines in a short field.
func (f *File) swallowed(lines []byte, cells []string) bool {
	if len(cells) > len(f.layout.header) && filled(cells[len(f.layout.header):]) > 0 {
		return true
	}
	for i, c := range f.mapping.Columns {
		switch c.Field {
		case fieldEmail, fieldFirstName, fieldLastName, fieldFullName, fieldPhone, fieldLanguage:
			if i < len(cells) && strings.ContainsAny(trim(cells[i]), "\r\n") && (c.Field != fieldEmail || strings.ContainsRune(cells[i], rune(f.layout.dialect.separator))) {
				return true
			}
		}
	}
	at := f.reader.email
	own := ""
	if at < len(cells) {
		own = trim(cells[at])
	}
	for line := range bytes.FieldsFuncSeq(lines, func(r rune) bool { return r == '\n' || r == '\r' }) {
		rough := bytes.Split(line, []byte{f.layout.dialect.separator})
		if at >= len(rough) || len(rough) < 2 {
			continue
		}
		cell := trim(strings.Trim(trim(string(rough[at])), string(rune(f.layout.dialect.quote))))
		if looksLikeAddress(cell) && !strings.ContainsAny(cell, " \t") && !strings.Contains(own, cell) {
			return true
		}
	}
	return false
}
