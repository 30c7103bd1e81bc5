package customerfile

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/demeterrr/demeterrr-go"
)

// Status says whether a row can be sent.
type Status int

// The statuses of a row. All but Ready come with a Reason.
const (
	// Ready rows have a usable contact who did not opt out.
	Ready Status = iota
	// OptedOut rows have a usable contact who must not be written to: opted
	// out, bounced, blacklisted, declined, cancelled or absent. The person
	// counts, in whichever row it stands.
	OptedOut
	// Duplicate rows have the email of another row, which counts.
	Duplicate
	// Filtered rows were not selected with OnlyIf and SkipIf.
	Filtered
	// Invalid rows have no usable email, or cannot be read.
	Invalid
)

var statusNames = [...]string{"ready", "opted out", "duplicate", "filtered", "invalid"}

// String returns a word for the status, such as "opted out".
func (s Status) String() string { return statusNames[s] }

// Row is one row of the file.
type Row struct {
	// Number is the row as a spreadsheet counts it: the first one is 1, blank
	// rows count, and line breaks inside cells do not.
	Number int
	// Params is the contact of a Ready or OptedOut row. It can lack a first
	// name, which Create demands.
	Params demeterrr.ContactParams
	// Cells are the original columns. They are valid until the next row.
	Cells  []string
	Status Status
	// Reason says why the row is not Ready.
	Reason string
	// Notes name the parts of the contact that were left out, such as a phone
	// number that is none. They belong into the errors file, although the row
	// counts.
	Notes []string
}

// rowReader turns records into rows.
type rowReader struct {
	width   int
	email   int // the index of the column
	columns []columnUse
	region  string
	onlyIf  []filter
	skipIf  []filter
}

// columnUse is what to do with a column.
type columnUse struct {
	index   int
	header  string // for reasons
	field   string
	key     string // of a custom field
	consent consent
	scan    bool // for a word that means out anywhere
}

type filter struct {
	index int
	pairs []string // the options
	value []string
}

func newRowReader(columns []Column, options Options) (rowReader, error) {
	r := rowReader{width: len(columns)}
	for i, c := range columns {
		use := columnUse{index: i, header: c.Header, field: c.Field}
		if c.Header == "" {
			use.header = fmt.Sprintf("column #%d", c.Number)
		}
		if c.Field == fieldEmail {
			r.email = i
		}
		if key, ok := strings.CutPrefix(c.Field, fieldCustom+"."); ok {
			use.field, use.key = fieldCustom, key
		}
		if c.Consent {
			use.consent = consentOf(c.Header)
		}
		use.scan = !c.Ignored && !aboutOtherChannel(c.Header) && (use.field == "" || use.field == fieldCustom)
		r.columns = append(r.columns, use)
	}
	var err error
	if r.region, err = regionCode(options.Region); err != nil {
		return r, fmt.Errorf("--region: %w", err)
	}
	set := columnSet{columns: columns}
	if r.onlyIf, err = filters(&set, options.OnlyIf); err != nil {
		return r, fmt.Errorf("--only-if %w", err)
	}
	if r.skipIf, err = filters(&set, options.SkipIf); err != nil {
		return r, fmt.Errorf("--skip-if %w", err)
	}
	return r, nil
}

// filters reads "column=value". A header may have = in it.
func filters(set *columnSet, pairs []string) (all []filter, err error) {
	for _, pair := range pairs {
		var c *Column
		i := 0
		for c == nil {
			n := strings.IndexByte(pair[i:], '=')
			if n < 0 && err == nil {
				err = errors.New("write column=value")
			}
			if n < 0 {
				return nil, fmt.Errorf("%s: %w", pair, err)
			}
			i += n + 1
			found, findErr := set.find(pair[:i-1])
			if c = found; err == nil {
				err = findErr
			}
		}
		err = nil
		value := trim(pair[i:])
		at := -1
		for j := range all {
			if all[j].index == c.Number-1 {
				at = j
			}
		}
		if at < 0 {
			all, at = append(all, filter{index: c.Number - 1}), len(all)
		}
		all[at].pairs, all[at].value = append(all[at].pairs, pair), append(all[at].value, value)
	}
	return all, nil
}

// matches returns the option that the row meets, or "".
func (f *filter) matches(cells []string) string {
	cell := cellAt(cells, f.index)
	for i, value := range f.value {
		if strings.EqualFold(clean(cell), value) || trim(cell) == value {
			return f.pairs[i]
		}
	}
	return ""
}

func cellAt(cells []string, i int) string {
	if i >= len(cells) {
		return ""
	}
	return cells[i]
}

// filtered returns why a row is not selected, or "".
func (r *rowReader) filtered(cells []string) string {
	for i := range r.onlyIf {
		if f := &r.onlyIf[i]; f.matches(cells) == "" {
			return "not selected by --only-if " + strings.Join(f.pairs, ", ")
		}
	}
	for i := range r.skipIf {
		if pair := r.skipIf[i].matches(cells); pair != "" {
			return "skipped by --skip-if " + pair
		}
	}
	return ""
}

// invalid returns why a row cannot be used, and its email.
func (r *rowReader) invalid(rec record) (email string, several int, reason string) {
	if rec.err != nil {
		return "", 0, rec.err.Error()
	}
	if len(rec.cells) > r.width && filled(rec.cells[r.width:]) > 0 {
		return "", 0, fmt.Sprintf("the row has %d cells for %d columns: put a cell with a separator in it into quotes", len(rec.cells), r.width)
	}
	if len(rec.cells) < r.width {
		for _, c := range r.columns[len(rec.cells):] {
			if c.consent != noConsent {
				return "", 0, fmt.Sprintf("the row ends before the column %s, which tells whether the contact may be written to", c.header)
			}
		}
	}
	email, several = address(cellAt(rec.cells, r.email))
	if err := (&demeterrr.ExecuteContact{Email: email}).Validate(); err != nil {
		if e, ok := errors.AsType[*demeterrr.Error](err); ok && e.Message != "" {
			return email, several, e.Message
		}
		return email, several, err.Error()
	}
	return email, several, wholeAddress(email)
}

// optedOut returns the column that means that the contact opted out, and why;
// -1 for none.
func (r *rowReader) optedOut(cells []string) (column int, reason string) {
	for i := range r.columns {
		c := &r.columns[i]
		cell := cellAt(cells, i)
		switch {
		case c.consent != noConsent:
			if c.consent.meansOut(cell) {
				return i, c.consent.outReason(c.header, cell)
			}
		case c.scan && meansOutAnywhere(cell):
			return i, noConsent.outReason(c.header, cell)
		case c.field == fieldTags && cell != "":
			for _, tag := range tags(cell) {
				if meansOutAnywhere(tag[strings.LastIndexByte(tag, ':')+1:]) {
					return i, fmt.Sprintf("the tag %q", tag)
				}
			}
		}
	}
	return -1, ""
}

// Rows yields the rows below the header, as often as it is called. Blank rows
// are left out. An error ends it; it means that the file could not be read
// again.
func (f *File) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for rec, err := range f.records() {
			if err != nil {
				yield(Row{}, err)
				return
			}
			if !yield(f.row(rec), nil) {
				return
			}
		}
	}
}

func (f *File) row(rec record) Row {
	row := Row{Number: rec.number, Cells: rec.cells}
	email, several, invalid := f.reader.invalid(rec)
	if invalid != "" {
		row.Status, row.Reason = Invalid, invalid
	} else if reason := f.reader.filtered(rec.cells); reason != "" {
		row.Status, row.Reason = Filtered, reason
	} else if f.people.isSpecial(rec.number) {
		f.classify(&row, email)
	}
	if row.Status == Ready || row.Status == OptedOut {
		f.reader.fill(&row, email)
		if several > 1 {
			row.Notes = append(row.Notes, fmt.Sprintf("the email cell has %d addresses: the first one counts", several))
		}
	}
	return row
}

// fill sets the fields of the contact. It copies them, so that a contact does
// not keep its whole row.
func (r *rowReader) fill(row *Row, email string) {
	p := &row.Params
	p.Email = strings.Clone(email)
	for i := range r.columns {
		c := &r.columns[i]
		cell := cellAt(row.Cells, i)
		if c.field == "" || c.field == fieldEmail || cell == "" {
			continue
		}
		switch c.field {
		case fieldFirstName:
			p.FirstName = text(cell)
		case fieldLastName:
			p.LastName = text(cell)
		case fieldFullName:
			title, first, last := splitName(cell)
			p.FirstName, p.LastName = strings.Clone(first), strings.Clone(last)
			if p.Title == "" {
				p.Title = strings.Clone(title)
			}
		case fieldTitle:
			p.Title = text(cell)
		case fieldLocation:
			p.LocationID = text(cell)
		case fieldOrganization:
			p.ContactOrganizationID = text(cell)
		case fieldTags:
			p.Tags = tags(cell)
		case fieldPhone:
			number, problem := phone(cell, r.region)
			if p.Phone = number; problem != "" {
				row.Notes = append(row.Notes, problem)
			}
		case fieldLanguage:
			if p.PreferredLanguage = language(cell); p.PreferredLanguage == "" && clean(cell) != "" {
				row.Notes = append(row.Notes, "the language is left out: it is neither English nor French")
			}
		case fieldCustom:
			if value := clean(cell); value != "" {
				if p.CustomFields == nil {
					p.CustomFields = map[string]any{}
				}
				p.CustomFields[c.key] = strings.Clone(value)
			}
		}
	}
}

// text returns a cell as one line.
func text(cell string) string { return strings.Clone(oneLine(clean(cell))) }
