package customerfile

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/demeterrr/demeterrr-go"
)

// Status classifies a row.
type Status int

// The statuses of a row. All except Ready have a Reason.
const (
	// Ready rows have a valid contact without an opt-out.
	Ready Status = iota
	// OptedOut rows have a valid contact with an opt-out: opted out, bounced,
	// blacklisted, declined, cancelled or absent. An opt-out in any row of the
	// contact counts.
	OptedOut
	// Duplicate rows have the same email as the selected row.
	Duplicate
	// Filtered rows are excluded by OnlyIf or SkipIf.
	Filtered
	// Invalid rows are unreadable or lack a valid email.
	Invalid
)

var statusNames = [...]string{"ready", "opted out", "duplicate", "filtered", "invalid"}

// String returns the name of the status, such as "opted out".
func (s Status) String() string { return statusNames[s] }

// Row is one row of the file.
type Row struct {
	// Number is the row number of a spreadsheet. The first row is 1. Blank rows
	// count, line breaks inside cells do not.
	Number int
	// Params is the contact of a Ready or OptedOut row. Create requires a first
	// name, but Params can lack it.
	Params demeterrr.ContactParams
	// Cells are the original columns. They are valid until the next row.
	Cells  []string
	Status Status
	// Reason explains a status other than Ready.
	Reason string
	// Notes list omitted parts of the contact, such as an invalid phone number.
	// They belong in the errors file, even for a Ready row.
	Notes []string
}

// rowReader converts records to rows.
type rowReader struct {
	width   int
	email   int // the index of the column
	columns []columnUse
	region  string
	onlyIf  []filter
	skipIf  []filter
}

// columnUse is the use of a column.
type columnUse struct {
	index   int
	header  string // for reasons
	field   string
	key     string // of a custom field
	consent consent
	scan    bool // search for words such as "unsubscribed"
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

// filters parses pairs of "column=value". A header may contain "=".
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

// matches returns the matching option, or "".
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

// filtered returns the reason to exclude a row, or "".
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

// invalid returns the email of a row and the reason why it is invalid, or "".
func (r *rowReader) invalid(rec record) (email string, several int, reason string) {
	if rec.err != nil {
		return "", 0, rec.err.Error()
	}
	if len(rec.cells) > r.width && filled(rec.cells[r.width:]) > 0 {
		return "", 0, fmt.Sprintf("the row has %d cells for %d columns: quote the cells that contain a separator", len(rec.cells), r.width)
	}
	if len(rec.cells) < r.width {
		for _, c := range r.columns[len(rec.cells):] {
			if c.consent != noConsent {
				return "", 0, fmt.Sprintf("the row ends before the consent column %s: complete the row", c.header)
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

// optedOut returns the column with the contact's opt-out and the reason. column
// is -1 without an opt-out.
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

// Rows yields the rows below the header, without blank rows. It can be called
// several times. A read error ends the iteration.
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
			row.Notes = append(row.Notes, fmt.Sprintf("the email cell has %d addresses: the first one is used", several))
		}
	}
	return row
}

// fill sets the fields of the contact. It copies them, so a contact does not
// retain its whole row.
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
				row.Notes = append(row.Notes, "the language is left out: use English or French")
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
