package customerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxRecord is the maximum size of a row, in bytes. Cells of spreadsheets are
// limited to 32 KiB.
const maxRecord = 1 << 20

// record is one row of the file, as in a spreadsheet.
type record struct {
	number int      // row number of a spreadsheet, from 1
	cells  []string // valid until the next record
	err    error    // the row is unreadable; cells is a rough split of its first line
}

func (r *record) blank() bool {
	for _, cell := range r.cells {
		if trim(cell) != "" {
			return false
		}
	}
	return true
}

// dialect is the format of rows and cells.
type dialect struct {
	separator, quote byte
	carriage         bool // rows end with CR alone
}

// recordReader reads rows. After a stray quote it continues with the next line.
// It counts blank lines and supports lone CRs as line ends. encoding/csv does
// none of this.
type recordReader struct {
	in      io.Reader
	dialect dialect
	// suspicious reports whether a row of several lines contains other rows,
	// because of a missing quote. It may be nil.
	suspicious func(lines []byte, cells []string) bool

	buffer     []byte // unread bytes are at start to end
	start, end int
	err        error // read error
	number     int
	cells      []string
	ends       []int // ends of the cells in text
	text       []byte
}

func newRecordReader(in io.Reader, d dialect) *recordReader {
	return &recordReader{in: in, dialect: d, buffer: make([]byte, 1<<16)}
}

var (
	errMore      = errors.New("the row continues")
	errQuote     = errors.New("the row has a stray quote: double the quotes inside a cell, and close the last one")
	errTooLong   = fmt.Errorf("the row is longer than %d bytes: is a quote missing?", maxRecord)
	errNotUTF8   = errors.New("the row is not UTF-8, unlike others: save the whole file in one encoding")
	errSwallowed = errors.New("a cell contains other rows: is a quote missing?")
)

// next returns the next row, or io.EOF.
func (r *recordReader) next() (record, error) {
	line, err := r.line()
	if err != nil {
		return record{}, err
	}
	r.number++
	rec := record{number: r.number}
	if len(line) > maxRecord {
		rec.err = errTooLong
		rec.cells = []string{strings.ToValidUTF8(string(line[:256]), "\uFFFD") + " …"}
		r.skipLine()
		return rec, nil
	}
	n := len(line)
	if bytes.IndexByte(line, r.dialect.quote) < 0 {
		rec.cells = r.split(line)
	} else if cells, length, err := r.parse(n); err != nil {
		rec.cells, rec.err = r.split(r.buffer[r.start:r.start+n]), err
	} else {
		rec.cells, n = cells, length
	}
	if rec.err == nil && !validUTF8(rec.cells) {
		rec.err = errNotUTF8
	}
	r.start += n
	r.skipLineEnd()
	return rec, nil
}

// line returns the current line without consuming it. It returns the read part
// of an overlong line.
func (r *recordReader) line() ([]byte, error) {
	from := 0
	for {
		have := r.buffer[r.start:r.end]
		if i := r.lineEnd(have[from:]); i >= 0 {
			return have[:from+i], nil
		}
		if len(have) > maxRecord {
			return have, nil
		}
		from = max(0, len(have)-1) // the last byte may be a CR
		if !r.fill() {
			have = r.buffer[r.start:r.end]        // moved by fill
			if len(have) > 0 && r.err == io.EOF { //nolint:errorlint // as io.Reader documents it
				return have, nil
			}
			return nil, r.err
		}
	}
}

// lineEnd returns the index of the line end, or -1.
func (r *recordReader) lineEnd(b []byte) int {
	if r.dialect.carriage {
		return bytes.IndexAny(b, "\r\n")
	}
	i := bytes.IndexByte(b, '\n')
	if i > 0 && b[i-1] == '\r' {
		return i - 1
	}
	return i
}

// skipLineEnd skips CR, LF or CRLF.
func (r *recordReader) skipLineEnd() {
	for _, end := range []byte("\r\n") {
		if (r.start < r.end || r.fill()) && r.buffer[r.start] == end {
			r.start++
		}
	}
}

// skipLine skips the rest of an overlong line.
func (r *recordReader) skipLine() {
	for {
		if i := r.lineEnd(r.buffer[r.start:r.end]); i >= 0 {
			r.start += i
			r.skipLineEnd()
			return
		}
		r.start = r.end
		if !r.fill() {
			return
		}
	}
}

// fill fills the buffer, and reports whether it read something.
func (r *recordReader) fill() bool {
	have := r.end - r.start
	copy(r.buffer, r.buffer[r.start:r.end])
	r.start, r.end = 0, have
	if r.end == len(r.buffer) {
		r.buffer = append(r.buffer, make([]byte, len(r.buffer))...)
	}
	for r.err == nil && r.end < len(r.buffer) {
		var n int
		n, r.err = r.in.Read(r.buffer[r.end:])
		r.end += n
	}
	return r.end > have
}

// split splits a line at the separators.
func (r *recordReader) split(line []byte) []string {
	r.cells = r.cells[:0]
	for text := string(line); ; {
		i := strings.IndexByte(text, r.dialect.separator)
		if i < 0 {
			r.cells = append(r.cells, text)
			return r.cells
		}
		r.cells = append(r.cells, text[:i])
		text = text[i+1:]
	}
}

// parse parses a row with quotes, and returns its length. first is the length
// of its first line.
func (r *recordReader) parse(first int) (cells []string, n int, err error) {
	for {
		n, err = r.parseBuffered()
		if err != errMore { //nolint:errorlint // it is never wrapped
			break
		}
		if r.end-r.start > maxRecord || !r.fill() {
			if n, err = r.parseEnd(); err != nil {
				return nil, 0, err
			}
			break
		}
	}
	if err != nil {
		return nil, 0, err
	}
	text, start := string(r.text), 0
	r.cells = r.cells[:0]
	for _, end := range r.ends {
		r.cells = append(r.cells, text[start:end])
		start = end
	}
	if n > first && r.suspicious != nil && r.suspicious(r.buffer[r.start:r.start+n], r.cells) {
		return nil, 0, errSwallowed
	}
	return r.cells, n, nil
}

// parseEnd parses the last row of a file, with or without a line end.
func (r *recordReader) parseEnd() (int, error) {
	if r.end-r.start > maxRecord {
		return 0, errTooLong
	}
	if r.err != io.EOF { //nolint:errorlint // as io.Reader documents it
		return 0, errQuote
	}
	if r.end == len(r.buffer) {
		r.buffer = append(r.buffer, 0)
	}
	r.buffer[r.end] = '\n'
	r.end++
	n, err := r.parseBuffered()
	r.end--
	if err != nil {
		return 0, errQuote
	}
	return n, nil
}

// parseBuffered parses one row of the buffer into text and ends. It returns its
// length without the line end.
func (r *recordReader) parseBuffered() (int, error) {
	b, d := r.buffer[r.start:r.end], r.dialect
	r.text, r.ends = r.text[:0], r.ends[:0]
	for i := 0; ; i++ {
		open := i
		for open < len(b) && (b[open] == ' ' || b[open] == '\t' && d.separator != '\t') {
			open++
		}
		if open < len(b) && b[open] == d.quote {
			var err error
			if i, err = r.quoted(b, open+1); err != nil {
				return 0, err
			}
		} else {
			end := i
			for end < len(b) && b[end] != d.separator && !r.endsAt(b, end) {
				end++
			}
			r.text = append(r.text, b[i:end]...)
			i = end
		}
		if i >= len(b) {
			return 0, errMore
		}
		r.ends = append(r.ends, len(r.text))
		if b[i] != d.separator {
			return i, nil
		}
	}
}

// endsAt reports whether a line ends at b[i].
func (r *recordReader) endsAt(b []byte, i int) bool {
	switch b[i] {
	case '\n':
		return true
	case '\r':
		return r.dialect.carriage || i+1 < len(b) && b[i+1] == '\n'
	}
	return false
}

// quoted parses a cell after its opening quote. It returns the index of the
// next separator or line end.
func (r *recordReader) quoted(b []byte, i int) (int, error) {
	for {
		n := bytes.IndexByte(b[i:], r.dialect.quote)
		if n < 0 || i+n+1 >= len(b) {
			return 0, errMore
		}
		r.text = append(r.text, b[i:i+n]...)
		i += n + 1
		if b[i] != r.dialect.quote {
			break
		}
		r.text = append(r.text, r.dialect.quote)
		i++
	}
	for i < len(b) && b[i] == ' ' {
		i++
	}
	switch {
	case i >= len(b) || b[i] == '\r' && i+1 >= len(b) && !r.dialect.carriage:
		return 0, errMore
	case b[i] == r.dialect.separator || r.endsAt(b, i):
		return i, nil
	}
	return 0, errQuote
}

func validUTF8(cells []string) bool {
	for _, cell := range cells {
		if !utf8.ValidString(cell) {
			return false
		}
	}
	return true
}
