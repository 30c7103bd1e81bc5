package customerfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The fields of a contact, with the names of the API. A column of full names is
// split.
const (
	fieldEmail        = "email"
	fieldFirstName    = "firstName"
	fieldLastName     = "lastName"
	fieldFullName     = "fullName"
	fieldPhone        = "phone"
	fieldTitle        = "title"
	fieldLanguage     = "preferredLanguage"
	fieldTags         = "tags"
	fieldLocation     = "locationId"
	fieldOrganization = "contactOrganizationId"
	fieldCustom       = "customFields"
)

var fieldNames = []string{
	fieldEmail, fieldFirstName, fieldLastName, fieldFullName, fieldPhone, fieldTitle, fieldLanguage, fieldTags,
	fieldLocation, fieldOrganization, fieldCustom,
}

// fieldName normalizes the name of a field. It returns "" for unknown names.
func fieldName(name string) string {
	name, key, custom := strings.Cut(trim(name), ".")
	switch form := plain(name); form {
	case "language":
		return fieldLanguage
	case "name":
		return fieldFullName
	default:
		i := slices.IndexFunc(fieldNames, func(field string) bool { return plain(field) == form })
		if i < 0 || custom && fieldNames[i] != fieldCustom {
			return ""
		}
		if custom {
			return fieldCustom + "." + key
		}
		return fieldNames[i]
	}
}

// Column is a column of the file and its use.
type Column struct {
	// Number counts from 1. Header is empty in a file without a header row.
	Number int
	Header string
	// Field is the contact field of the column, with the name of the API. It
	// can be "customFields.x" or "fullName". It is empty for other columns.
	Field string
	// Consent is true for a column of opt-ins or opt-outs.
	Consent bool
	// Ignored is true for a column in Options.Ignore.
	Ignored bool
	// OptedOut is the number of rows with an opt-out in this column. Any column
	// can have them.
	OptedOut int
	// Hint is advice about the column; usually empty.
	Hint string
}

// name returns the name of the column for errors.
func (c *Column) name() string {
	if c.Header == "" {
		return fmt.Sprintf("#%d", c.Number)
	}
	return fmt.Sprintf("%q (#%d)", c.Header, c.Number)
}

// columnSet maps columns to fields.
type columnSet struct {
	columns []Column
	headed  bool
}

// mapColumns maps columns to fields. The options come first, then the table of
// known headers.
func mapColumns(l layout, options Options) ([]Column, error) {
	s := columnSet{columns: make([]Column, len(l.header)), headed: l.row != noHeader}
	for i := range s.columns {
		s.columns[i].Number = i + 1
		if s.headed {
			s.columns[i].Header = l.header[i]
		}
	}
	for _, name := range options.Ignore {
		c, err := s.find(name)
		if err != nil {
			return nil, fmt.Errorf("--ignore: %w", err)
		}
		c.Ignored = true
	}
	for _, pair := range options.Map {
		if err := s.assign(pair); err != nil {
			return nil, fmt.Errorf("--map %s: %w", pair, err)
		}
	}
	if err := s.guard(); err != nil {
		return nil, err
	}
	if err := s.recognize(); err != nil {
		return nil, err
	}
	if !s.has(fieldEmail) {
		return nil, s.noEmail(l.addresses)
	}
	for i := range s.columns {
		if c := &s.columns[i]; !c.Ignored {
			c.Consent = consentOf(c.Header) != noConsent
		}
	}
	return s.columns, nil
}

// find returns the column with exactly this header, or column n for "#n".
func (s *columnSet) find(name string) (*Column, error) {
	name = trim(name)
	var found, alike []*Column
	for i := range s.columns {
		c := &s.columns[i]
		switch {
		case c.Header == name && name != "":
			found = append(found, c)
		case plain(c.Header) == plain(name) && plain(name) != "":
			alike = append(alike, c)
		}
	}
	number, isNumber := strings.CutPrefix(name, "#")
	n, err := strconv.Atoi(number)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("%d columns have the header %q; use a number: %s", len(found), name, list(found))
	case isNumber && err == nil && n >= 1 && n <= len(s.columns):
		return &s.columns[n-1], nil
	case isNumber && err == nil:
		return nil, fmt.Errorf("no column %s; the file has %d columns", name, len(s.columns))
	case len(alike) > 0:
		return nil, fmt.Errorf("no column %q; did you mean %s?", name, alike[0].name())
	}
	return nil, fmt.Errorf("no column %q; the file has %s", name, list(s.all()))
}

func (s *columnSet) all() []*Column {
	all := make([]*Column, len(s.columns))
	for i := range s.columns {
		all[i] = &s.columns[i]
	}
	return all
}

// assign reads "field=column".
func (s *columnSet) assign(pair string) error {
	name, column, ok := strings.Cut(pair, "=")
	field := fieldName(name)
	if !ok || field == "" {
		return fmt.Errorf("write field=column or field=#n; the fields are %s, %s.KEY", strings.Join(fieldNames, ", "), fieldCustom)
	}
	c, err := s.find(column)
	if err != nil {
		return err
	}
	if field == fieldCustom {
		field += "." + c.Header
	}
	switch {
	case c.Ignored:
		return fmt.Errorf("column %s is ignored; remove its --ignore", c.name())
	case c.Field != "":
		return fmt.Errorf("column %s is already mapped to %s", c.name(), c.Field)
	case field == fieldCustom+".":
		return errors.New("the custom field has no name; write customFields.KEY=column")
	case s.has(field):
		return fmt.Errorf("%s is mapped twice; keep one --map", field)
	}
	c.Field = field
	return nil
}

func (s *columnSet) has(field string) bool {
	return slices.ContainsFunc(s.columns, func(c Column) bool { return c.Field == field })
}

// guard rejects fullName together with firstName or lastName.
func (s *columnSet) guard() error {
	if s.has(fieldFullName) && (s.has(fieldFirstName) || s.has(fieldLastName)) {
		return errors.New("fullName is split into firstName and lastName; map either fullName or these")
	}
	return nil
}

// recognize maps columns with known headers. Sections with a condition come
// second, because they depend on the fields of the others.
func (s *columnSet) recognize() error {
	split := s.has(fieldFullName)
	for _, conditional := range []bool{false, true} {
		for _, w := range words.fields {
			name := w.field == fieldFirstName || w.field == fieldLastName
			if w.field == fieldFullName || (w.condition != "") != conditional || split && name || s.has(w.field) || !s.meets(w.condition) {
				continue
			}
			found := s.matching(w)
			if len(found) > 1 {
				return fmt.Errorf("%d columns could be %s: %s; choose one with --map %s=%s, or exclude the others with --ignore",
					len(found), w.field, list(found), w.field, s.reference(found[0]))
			}
			if len(found) == 1 {
				found[0].Field = w.field
			}
		}
	}
	for _, w := range words.fields {
		for _, c := range s.matching(w) {
			switch {
			case w.field != fieldFullName || split:
			case !s.has(fieldFirstName):
				c.Hint = fmt.Sprintf("full names: --map fullName=%s splits them", s.reference(c))
			case !s.has(fieldLastName):
				c.Hint = fmt.Sprintf("full or last names: --map lastName=%s takes them as last names", s.reference(c))
			}
		}
	}
	return nil
}

// reference returns the name of the column for use in a flag.
func (s *columnSet) reference(c *Column) string {
	if _, err := s.find(c.Header); err != nil {
		return fmt.Sprintf("#%d", c.Number)
	}
	if strings.ContainsAny(c.Header, " '&;|<>()$!*?#") {
		return strconv.Quote(c.Header)
	}
	return c.Header
}

// list names columns for an error.
func list(columns []*Column) string {
	const most = 40
	var all []string
	for i, c := range columns {
		if i == most {
			return strings.Join(append(all, "…"), ", ")
		}
		all = append(all, c.name())
	}
	return strings.Join(all, ", ")
}

// meets reports whether the file has the field or header of a condition.
func (s *columnSet) meets(condition string) bool {
	return condition == "" || slices.ContainsFunc(s.columns, func(c Column) bool {
		return !c.Ignored && (c.Field == condition || plain(c.Header) == plain(condition))
	})
}

// matching returns the unmapped columns with one of the headers. Headers with a
// remark in brackets count as a last resort.
func (s *columnSet) matching(w headerWords) (found []*Column) {
	var remarked []*Column
	for i := range s.columns {
		c := &s.columns[i]
		if c.Ignored || c.Field != "" {
			continue
		}
		if w.headers[plain(c.Header)] {
			found = append(found, c)
		} else if hasHeader(w.headers, c.Header) {
			remarked = append(remarked, c)
		}
	}
	if len(found) == 0 {
		return remarked
	}
	return found
}

// noEmail returns the error of a file without an email column. addresses is the
// number of the first column with addresses, or 0.
func (s *columnSet) noEmail(addresses int) error {
	if !s.headed {
		return fmt.Errorf("the file has no header row; map columns by number, such as --map email=#%d", max(1, addresses))
	}
	if addresses > 0 && addresses <= len(s.columns) {
		c := &s.columns[addresses-1]
		return fmt.Errorf("no column is known as the email; %s contains addresses: add --map email=%s", c.name(), s.reference(c))
	}
	return fmt.Errorf("no column is known as the email; add --map email=COLUMN, with one of %s", list(s.all()))
}
