package customerfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The fields of a contact, as the API names them. A column of full names is
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

// fieldName returns the field that a user names, or "".
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

// Column is a column of the file, and what becomes of it.
type Column struct {
	// Number counts from 1. Header is empty in a file without a header row.
	Number int
	Header string
	// Field is the field of the contact that the column fills, as the API names
	// it, "customFields.x" and "fullName" included. It is empty for other
	// columns.
	Field string
	// Consent is true for a column that says whether people may be written to.
	Consent bool
	// Ignored is true for a column that Options.Ignore names.
	Ignored bool
	// OptedOut is the number of rows in which the column means that the contact
	// opted out. Any column can have them.
	OptedOut int
	// Hint says what the user can do with the column; usually empty.
	Hint string
}

// name is what errors call the column.
func (c *Column) name() string {
	if c.Header == "" {
		return fmt.Sprintf("#%d", c.Number)
	}
	return fmt.Sprintf("%q (#%d)", c.Header, c.Number)
}

// columnSet are the columns while they get their fields.
type columnSet struct {
	columns []Column
	headed  bool
}

// mapColumns gives columns their fields: first the user's, then those of the
// table.
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

// find returns the column with exactly this header, or the n-th one for "#n".
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
		return nil, fmt.Errorf("%d columns have the header %q; name one by its number: %s", len(found), name, list(found))
	case isNumber && err == nil && n >= 1 && n <= len(s.columns):
		return &s.columns[n-1], nil
	case isNumber && err == nil:
		return nil, fmt.Errorf("there is no column %s; the file has %d", name, len(s.columns))
	case len(alike) > 0:
		return nil, fmt.Errorf("there is no column %q; there is %s", name, alike[0].name())
	}
	return nil, fmt.Errorf("there is no column %q; there are %s", name, list(s.all()))
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
		return fmt.Errorf("write field=column or field=#n, with one of the fields %s, %s.KEY", strings.Join(fieldNames, ", "), fieldCustom)
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
		return fmt.Errorf("the column %s is ignored", c.name())
	case c.Field != "":
		return fmt.Errorf("the column %s is mapped to %s already", c.name(), c.Field)
	case field == fieldCustom+".":
		return errors.New("the custom field has no name; write customFields.KEY=column")
	case s.has(field):
		return fmt.Errorf("%s is mapped twice", field)
	}
	c.Field = field
	return nil
}

func (s *columnSet) has(field string) bool {
	return slices.ContainsFunc(s.columns, func(c Column) bool { return c.Field == field })
}

// guard refuses full names beside first and last ones.
func (s *columnSet) guard() error {
	if s.has(fieldFullName) && (s.has(fieldFirstName) || s.has(fieldLastName)) {
		return errors.New("fullName is split into firstName and lastName; map it, or these, not both")
	}
	return nil
}

// recognize gives fields to the columns whose headers the table has. Sections
// with a condition come second, as they ask for the fields of the others.
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
				return fmt.Errorf("%d columns could be %s: %s; name one with --map %s=%s, or leave others out with --ignore",
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

// reference is how a user names the column.
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

// meets reports whether the file has the field or the header of a condition.
func (s *columnSet) meets(condition string) bool {
	return condition == "" || slices.ContainsFunc(s.columns, func(c Column) bool {
		return !c.Ignored && (c.Field == condition || plain(c.Header) == plain(condition))
	})
}

// matching returns the columns without a field whose header is one of the
// words. A header with a remark in brackets counts if no other one does.
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

// noEmail says how to name the column of the emails; addresses is the one that
// has some.
func (s *columnSet) noEmail(addresses int) error {
	if !s.headed {
		return fmt.Errorf("the file has no header row; name its columns by their numbers, such as --map email=#%d", max(1, addresses))
	}
	if addresses > 0 && addresses <= len(s.columns) {
		c := &s.columns[addresses-1]
		return fmt.Errorf("no column is known as the email; %s has addresses: name it with --map email=%s", c.name(), s.reference(c))
	}
	return fmt.Errorf("no column is known as the email; name it with --map email=column; there are %s", list(s.all()))
}
