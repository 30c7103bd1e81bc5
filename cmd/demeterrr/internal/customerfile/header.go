package customerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	sampleSize   = 1 << 20 // bytes read to detect the separator and the header
	sampleRows   = 60      // rows searched for the header
	noHeader     = 0
	separatorSet = ",;\t|"
)

// layout is the format of a file and its header.
type layout struct {
	dialect   dialect
	skip      int64    // length of a first line such as "sep=;"
	row       int      // row number of the header; 0 without a header
	header    []string // the first row if the file has no header
	addresses int      // number of the first column with addresses; 0 for none
}

// findLayout detects the separator and the header row. The header is the row
// above the first address with the most known headers, including the email.
func findLayout(sample []byte, options Options) (layout, error) {
	skip, hint := separatorHint(sample)
	sample = sample[skip:]
	carriage := endsInCarriageReturns(sample)
	separators := separatorSet
	if separator, err := oneByte("separator", options.Separator); err != nil {
		return layout{}, err
	} else if separator != 0 {
		separators = string(separator)
	} else if hint != 0 {
		separators = string(hint)
	}
	quote, err := oneByte("quote", options.Quote)
	if err != nil {
		return layout{}, err
	}
	var best layout
	bestScore := -1
	for _, separator := range []byte(separators) {
		l := layout{dialect: dialect{separator: separator, quote: '"', carriage: carriage}, skip: int64(skip)}
		if quote != 0 {
			l.dialect.quote = quote
		}
		score := l.findHeader(sample, options)
		if quote == 0 && inApostrophes(l.header) {
			l.dialect.quote = '\''
			score = l.findHeader(sample, options)
		}
		if score > bestScore {
			best, bestScore = l, score
		}
	}
	if len(best.header) == 0 {
		return layout{}, errEmpty
	}
	return best, nil
}

// separatorHint reads a first line such as "sep=;". Excel writes and hides it.
func separatorHint(sample []byte) (skip int, separator byte) {
	line := sample
	if i := bytes.IndexAny(sample, "\r\n"); i >= 0 {
		line = sample[:i]
	}
	text := strings.ToLower(strings.Trim(string(line), `" `))
	hint, ok := strings.CutPrefix(text, "sep=")
	if !ok || len(hint) != 1 {
		return 0, 0
	}
	skip = len(line)
	for _, end := range []byte("\r\n") {
		if skip < len(sample) && sample[skip] == end {
			skip++
		}
	}
	return skip, hint[0]
}

// oneByte reads an option of one ASCII character. Zero is the default.
func oneByte(name, value string) (byte, error) {
	switch strings.ToLower(value) {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	case "pipe":
		return '|', nil
	}
	if len(value) != 1 || value[0] >= 0x80 || strings.ContainsAny(value, "\r\n") {
		return 0, fmt.Errorf("the %s %q is not one ASCII character; use one such as ; or tab", name, value)
	}
	return value[0], nil
}

// endsInCarriageReturns reports whether the first row ends with a lone CR, the
// line end of old Macs.
func endsInCarriageReturns(sample []byte) bool {
	quoted := false
	for i, c := range sample {
		switch c {
		case '"':
			quoted = !quoted
		case '\n':
			if !quoted {
				return false
			}
		case '\r':
			if !quoted {
				return i+1 < len(sample) && sample[i+1] != '\n' || i+1 == len(sample)
			}
		}
	}
	return bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0
}

// inApostrophes reports whether all headers are in apostrophes.
func inApostrophes(header []string) bool {
	for _, cell := range header {
		if len(cell) < 2 || cell[0] != '\'' || cell[len(cell)-1] != '\'' {
			return false
		}
	}
	return len(header) > 0
}

// findHeader finds the header in the sample, and returns a score. Without known
// headers, the fullest row above the first address is the header. A title line
// may contain an address, so a row below it with two known cells is a header,
// too.
func (l *layout) findHeader(sample []byte, options Options) int {
	r := newRecordReader(bytes.NewReader(sample), l.dialect)
	l.row, l.header = noHeader, nil
	known, width := 0, 0
	for range sampleRows {
		rec, err := r.next()
		if err != nil {
			break
		}
		if rec.blank() || rec.err != nil {
			continue
		}
		full := filled(rec.cells)
		if i := slices.IndexFunc(rec.cells, looksLikeAddress); i >= 0 {
			if known > 0 {
				break
			}
			if l.addresses == 0 || full > 1 && width < 2 {
				l.addresses = i + 1
			}
			if width < min(full, 2) { // the file starts with its first contact
				l.row, l.header, width = noHeader, cleanAll(rec.cells), full
			}
			continue
		}
		n := knownHeaders(rec.cells, options)
		if l.addresses == 0 && (n > known || known == 0 && full > width) || n > max(known, 1) {
			known, width = n, max(width, full)
			l.row, l.header = rec.number, cleanAll(rec.cells)
		}
	}
	return known*1000 + min(width, 999)
}

func filled(cells []string) (n int) {
	for _, cell := range cells {
		if trim(cell) != "" {
			n++
		}
	}
	return n
}

func cleanAll(cells []string) []string {
	out := make([]string, len(cells))
	for i, cell := range cells {
		out[i] = trim(cell)
	}
	return out
}

// looksLikeAddress reports whether a cell contains an email. It tells rows of
// contacts from headers.
func looksLikeAddress(cell string) bool {
	at := strings.IndexByte(cell, '@')
	return at > 0 && strings.IndexByte(cell[at:], '.') > 1
}

// knownHeaders counts the headers known to the table or mapped by the user. It
// is 0 without an email header.
func knownHeaders(cells []string, options Options) int {
	known, email := 0, false
	for _, cell := range cells {
		cell = trim(cell)
		field := ""
		for _, m := range options.Map {
			if name, column, ok := strings.Cut(m, "="); ok && column == cell && cell != "" {
				field = fieldName(name)
			}
		}
		for _, w := range words.fields {
			if field == "" && hasHeader(w.headers, cell) {
				field = w.field
			}
		}
		if field != "" {
			known++
			email = email || field == fieldEmail
		}
	}
	if !email {
		return 0
	}
	return known
}

func hasHeader(headers map[string]bool, cell string) bool {
	for _, form := range spellings(cell) {
		if headers[form] {
			return true
		}
	}
	return false
}

// readSample returns the start of the text, in UTF-8.
func readSample(in io.Reader) ([]byte, error) {
	sample := make([]byte, sampleSize)
	n, err := io.ReadFull(in, sample)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return sample[:n], nil
}
