// Package csvinput reads people from CSV files as they come out of shops, CRMs
// and spreadsheets: it finds out the separator and which column is which.
package csvinput

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode"
)

// Row is one line of the file with the spaces around its values taken away.
type Row struct {
	// Line is where the row begins in the file; the first line, 1, is the header.
	Line int

	Email, FirstName, LastName, Phone, Title, Language string
	// Tags are separated by commas, semicolons or bars in the file. Nil if there is no such column, or nothing in it.
	Tags []string
	// Custom has the columns that Options.Custom names, where they are not empty; nil if there are none.
	Custom map[string]any
}

// Options say what cannot be guessed.
type Options struct {
	// Columns maps a field (email, firstName, lastName, phone, title, language, tags) to the header of its column.
	Columns map[string]string
	// Custom are the headers of columns that are custom fields.
	Custom []string
}

// field is something that a column can be.
type field struct {
	name    string
	headers []string
	value   func(*Row, string)
}

// fields are what a column can be, with the headers that mean it, without
// spaces, punctuation and accents.
var fields = []field{
	{"email", []string{"email", "emailaddress", "mail", "contactemail", "customeremail", "courriel", "adressecourriel"}, func(r *Row, v string) { r.Email = v }},
	{"firstName", []string{"firstname", "first", "givenname", "forename", "prenom"}, func(r *Row, v string) { r.FirstName = v }},
	{"lastName", []string{"lastname", "last", "surname", "familyname", "nom", "nomdefamille"}, func(r *Row, v string) { r.LastName = v }},
	{"phone", []string{"phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "cell", "cellphone", "telephone", "tel"}, func(r *Row, v string) { r.Phone = v }},
	{"title", []string{"title", "salutation", "titre"}, func(r *Row, v string) { r.Title = v }},
	{"language", []string{"language", "preferredlanguage", "lang", "langue"}, func(r *Row, v string) { r.Language = v }},
	{"tags", []string{"tags", "tag", "labels", "etiquettes"}, func(r *Row, v string) { r.Tags = splitTags(v) }},
}

// Reader reads the rows of one file.
type Reader struct {
	csv     *csv.Reader
	columns []column // one for each column of the file
	lines   []int    // of the rows that were read, to find them again
}

type column struct {
	header string
	field  string // what it was taken for; empty if it is not read
	set    func(*Row, string)
}

// NewReader reads the header. It fails, saying which headers there are, if there
// is no email column, or if two columns could be the same field.
func NewReader(in io.Reader, options Options) (*Reader, error) {
	buffered := bufio.NewReaderSize(in, 1<<16)
	start, err := buffered.Peek(1 << 15)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, errors.New("the file is in UTF-16; save it as \"CSV UTF-8\"")
	case bytes.HasPrefix(start, []byte("\ufeff")):
		_, _ = buffered.Discard(3)
		start = start[3:]
	}
	r := &Reader{csv: csv.NewReader(buffered)}
	r.csv.Comma = separator(start)
	r.csv.FieldsPerRecord = -1 // a short row lacks its last fields
	header, err := r.csv.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty; its first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	return r, r.assign(header, options)
}

// separator is what the header has most of.
func separator(start []byte) rune {
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best := ','
	for _, s := range []rune{';', '\t'} {
		if bytes.Count(line, []byte(string(s))) > bytes.Count(line, []byte(string(best))) {
			best = s
		}
	}
	return best
}

// assign decides which column is which field.
func (r *Reader) assign(header []string, options Options) error {
	r.columns = make([]column, len(header))
	for i, h := range header {
		r.columns[i].header = strings.TrimSpace(h)
	}
	for name := range options.Columns {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			return fmt.Errorf("there is no field %q to map a column to", name)
		}
	}
	for _, f := range fields {
		headers := f.headers
		wanted, mapped := options.Columns[f.name]
		if mapped {
			headers = []string{plain(wanted)}
		}
		var found []string
		for i := range r.columns {
			c := &r.columns[i]
			if slices.Contains(headers, plain(c.header)) && !slices.Contains(options.Custom, c.header) {
				found = append(found, c.header)
				c.field, c.set = f.name, f.value
			}
		}
		switch {
		case len(found) > 1:
			return fmt.Errorf("the columns %q could all be %s; say which one with -map %s=%q", found, f.name, f.name, found[0])
		case len(found) == 0 && mapped:
			return fmt.Errorf("there is no column %q; there are %q", wanted, header)
		case len(found) == 0 && f.name == "email":
			return fmt.Errorf("no column looks like an email; there are %q; say which one with -map email=…", header)
		}
	}
	return r.assignCustom(options.Custom)
}

func (r *Reader) assignCustom(names []string) error {
	for _, name := range names {
		at := slices.IndexFunc(r.columns, func(c column) bool { return c.header == name })
		if at < 0 {
			return fmt.Errorf("there is no column %q for a custom field", name)
		}
		r.columns[at].field = "custom field " + name
		r.columns[at].set = func(row *Row, v string) {
			if v == "" {
				return
			}
			if row.Custom == nil {
				row.Custom = map[string]any{}
			}
			row.Custom[name] = v
		}
	}
	return nil
}

// plain is a header without what people vary: case, spaces, punctuation, accents.
func plain(header string) string {
	return strings.Map(func(c rune) rune {
		switch c = unicode.ToLower(c); {
		case c == 'é' || c == 'è' || c == 'ê':
			return 'e'
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			return -1
		}
		return c
	}, header)
}

func splitTags(v string) []string {
	var tags []string
	for tag := range strings.FieldsFuncSeq(v, func(c rune) bool { return strings.ContainsRune(",;|", c) }) {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Columns describes what every column was taken for.
func (r *Reader) Columns() string {
	var parts []string
	for _, c := range r.columns {
		parts = append(parts, fmt.Sprintf("%s → %s", c.header, cmp.Or(c.field, "not read")))
	}
	return strings.Join(parts, ", ")
}

// Rows yields the rows, once. A row that is no CSV ends it with an error.
func (r *Reader) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			record, err := r.csv.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			line, _ := r.csv.FieldPos(0)
			r.lines = append(r.lines, line)
			row := Row{Line: line}
			for i, value := range record {
				if i < len(r.columns) && r.columns[i].set != nil {
					r.columns[i].set(&row, strings.TrimSpace(value))
				}
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Line is where the row that Rows yielded as number index, from 0, begins in the file.
func (r *Reader) Line(index int) int { return r.lines[index] }
