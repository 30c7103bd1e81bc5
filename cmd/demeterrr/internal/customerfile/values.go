package customerfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go"
	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// trim trims spaces and invisible characters.
func trim(s string) string {
	if s == "" || s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || invisible(r) })
}

// invisible reports whether a character is invisible. Examples are a byte order
// mark, a zero-width space, a soft hyphen and a direction mark.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// clean trims a cell and removes the text markers of spreadsheets, as in ="007"
// and '+1555.
func clean(s string) string {
	s = trim(s)
	if len(s) < 2 {
		return s
	}
	switch {
	case s[0] == '=' && s[1] == '"' && s[len(s)-1] == '"':
		s = trim(strings.ReplaceAll(s[2:len(s)-1], `""`, `"`))
	case s[0] == '\'' && strings.IndexByte("=+-@\t\r", s[1]) >= 0, s[0] == '\'' && allDigits(s[1:]):
		s = s[1:]
	}
	return s
}

func allDigits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// oneLine replaces line breaks, tabs and runs of spaces by single spaces.
func oneLine(s string) string {
	if strings.IndexFunc(s, unicode.IsControl) < 0 && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// address returns the first email of a cell and the number of emails. It also
// finds an email next to a name.
func address(cell string) (email string, count int) {
	cell = clean(cell)
	if !strings.ContainsAny(cell, " ,;<>:'\"|/\n") && isGraphicASCII(cell) && cell[max(0, len(cell)-1):] != "." { // fast path
		return cell, min(1, len(cell))
	}
	cell = norm.NFC.String(strings.Map(func(r rune) rune { // é has two forms; both are one person
		if invisible(r) {
			return -1
		}
		return r
	}, cell))
	for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(",;|\n\r", r) }) {
		for one := range strings.SplitSeq(part, ":::") {
			if one = bareAddress(one); strings.Contains(one, "@") {
				if count++; count == 1 {
					email = one
				}
			}
		}
	}
	if count == 0 {
		return cell, 0
	}
	if strings.ContainsAny(email, " \t/") {
		return amongWords(email, count)
	}
	return email, count
}

// amongWords finds the first address of a text. Examples are "jane@example.com
// (work)" and "a@example.com / b@example.com".
func amongWords(text string, before int) (email string, count int) {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsSpace(r) || r == '/' }) {
		if word = bareAddress(word); wholeAddress(word) == "" {
			if count++; count == 1 {
				email = word
			}
		}
	}
	if count == 0 {
		return text, before
	}
	return email, count + before - 1
}

// wholeAddress returns the problem of an impossible address, or "".
func wholeAddress(email string) string {
	name, host, _ := strings.Cut(email, "@")
	switch {
	case name == "" || strings.Contains(host, "@") || strings.ContainsAny(email, "()[]<>,;:\"\\?"):
		return "the email is not of the form name@host"
	case !strings.Contains(host, ".") || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(email, ".."):
		return "the email has no complete host, such as example.com"
	}
	return ""
}

func isGraphicASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// bareAddress extracts the address of "Jane <jane@example.com>" and
// "mailto:jane@example.com".
func bareAddress(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s, _, _ = strings.Cut(s[i+1:], ">")
	}
	s = strings.Trim(trim(s), `'"`)
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s, _, _ = strings.Cut(s[7:], "?")
	}
	return strings.TrimSuffix(trim(s), ".")
}

// phone returns the first number of a cell in E.164. problem describes an
// omitted cell or part of a cell.
func phone(cell, region string) (number, problem string) {
	cell = strings.TrimPrefix(clean(cell), "tel:")
	if strings.HasPrefix(cell, "=+") { // +1555 read as a formula
		cell = cell[1:]
	}
	if cell == "" {
		return "", ""
	}
	if number = commonNumber(cell); number != "" {
		return number, ""
	}
	parts := strings.FieldsFunc(strings.ReplaceAll(cell, ":::", "\n"), func(r rune) bool { return strings.ContainsRune("\n;|", r) })
	if strings.ContainsAny(cell, ",/") {
		if all := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("\n;|,/", r) }); !slices.ContainsFunc(all, tooShort) {
			parts = all
		}
	}
	if len(parts) > 1 {
		if number, problem = onePhone(parts[0], region); number == "" {
			return "", problem
		}
		return number, "the phone cell has several numbers: the first one is used"
	}
	return onePhone(cell, region)
}

// tooShort reports whether a text has too few digits for a phone number.
func tooShort(text string) bool {
	digits := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits < 7
}

// phoneRemark matches a remark such as " (mobile)" after a number.
var phoneRemark = regexp.MustCompile(`\s*[(\[][^)\]\d]*[)\]]\s*$`)

func onePhone(text, region string) (number, problem string) {
	const unusable = "the phone is left out: it is not a valid number"
	text = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, text)
	digits := phoneRemark.ReplaceAllString(strings.TrimSuffix(text, ".0"), "") // a decimal in a spreadsheet
	if rest, ok := strings.CutPrefix(trim(digits), "00"); ok && rest != "" && rest[0] != '0' {
		digits = "+" + rest // the usual international prefix
	}
	if strings.ContainsFunc(digits, func(r rune) bool { return unicode.IsLetter(r) && !strings.ContainsRune("extEXT", r) }) || strings.ContainsAny(digits, "#@!=") || strings.Trim(digits, "0 -+()./") == "" {
		return "", unusable
	}
	n, err := phonenumbers.Parse(digits, region)
	if err == nil && !strings.Contains(digits, "+") { // a spreadsheet may have removed the plus
		m, err := phonenumbers.Parse("+"+digits, "")
		switch {
		case err != nil || !phonenumbers.IsValidNumberForRegion(m, region):
		case !phonenumbers.IsValidNumber(n):
			n = m
		case phonenumbers.Format(n, phonenumbers.E164) != phonenumbers.Format(m, phonenumbers.E164):
			return "", "the phone is left out: it may start with a country code; write country codes with +"
		}
	}
	switch {
	case err != nil && region == "" && strings.IndexFunc(digits, unicode.IsDigit) >= 0 && !strings.Contains(digits, "+") && !strings.ContainsAny(digits, "eE"):
		return "", "the phone is left out: it has no country code; add --region"
	case err != nil, phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE:
		return "", unusable
	}
	if n.GetExtension() != "" {
		problem = "the extension of the phone is left out"
	}
	return phonenumbers.Format(n, phonenumbers.E164), problem
}

// commonNumbers lists country codes with a fixed number length and no leading
// zeros.
var commonNumbers = []struct {
	code   string
	digits int
}{{"1", 10}, {"33", 9}, {"44", 10}, {"34", 9}, {"31", 9}, {"41", 9}}

// commonNumber returns the E.164 form of common numbers, or "". It agrees with
// package phonenumbers and is fifty times faster.
func commonNumber(cell string) string {
	if cell[0] != '+' || len(cell) > 24 {
		return ""
	}
	var digits [24]byte
	n := 0
	for i := 1; i < len(cell); i++ {
		switch c := cell[i]; {
		case '0' <= c && c <= '9':
			digits[n] = c
			n++
		case c != ' ' && c != '-' && c != '(' && c != ')' && c != '.':
			return ""
		}
	}
	for _, country := range commonNumbers {
		if n == len(country.code)+country.digits && string(digits[:len(country.code)]) == country.code && digits[len(country.code)] > '1' {
			if cell[1:] == string(digits[:n]) {
				return strings.Clone(cell)
			}
			return "+" + string(digits[:n])
		}
	}
	return ""
}

// regionCode normalizes and checks the code of a region.
func regionCode(name string) (string, error) {
	code := strings.ToUpper(trim(name))
	if code != "" && !phonenumbers.GetSupportedRegions()[code] {
		return "", fmt.Errorf("unknown region %q; use two letters, such as DE or US", name)
	}
	return code, nil
}

// language returns the language for a name or a code. Unknown languages are "".
func language(cell string) demeterrr.Language {
	short, _, _ := strings.Cut(strings.ReplaceAll(clean(cell), "_", "-"), "-")
	for _, form := range append(spellings(cell), plain(short)) {
		switch {
		case words.has("english", form):
			return demeterrr.LanguageEnglish
		case words.has("french", form):
			return demeterrr.LanguageFrench
		}
	}
	return ""
}

// tags returns the tags of a cell. A quoted tag may contain separators.
func tags(cell string) []string {
	cell = trim(cell)
	if cell == "" {
		return nil
	}
	if len(cell) > 1 && cell[0] == '[' && cell[len(cell)-1] == ']' {
		cell = cell[1 : len(cell)-1]
	}
	var all []string
	for _, tag := range splitTags(cell) {
		if tag = clean(oneLine(tag)); strings.HasPrefix(tag, "* ") { // a Google group
			if tag = trim(tag[2:]); words.has("own label", plain(tag)) {
				continue
			}
		}
		if tag != "" && !slices.Contains(all, tag) {
			all = append(all, strings.Clone(tag))
		}
	}
	return all
}

func splitTags(cell string) []string {
	if strings.Contains(cell, ":::") {
		return strings.Split(cell, ":::")
	}
	if !strings.Contains(cell, `"`) {
		return strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(",;|\n", r) })
	}
	var parts []string
	var part strings.Builder
	quoted, begun := false, false
	for _, r := range cell + "," {
		switch {
		case r == '"' && (quoted || !begun):
			quoted = !quoted
			begun = true
		case !quoted && strings.ContainsRune(",;|\n", r):
			parts = append(parts, part.String())
			part.Reset()
			begun = false
		default:
			begun = begun || !unicode.IsSpace(r)
			part.WriteRune(r)
		}
	}
	if rest := strings.TrimSuffix(part.String(), ","); quoted {
		parts = append(parts, rest) // an unclosed quote ends with the cell
	}
	return parts
}

// splitName splits a full name: "Dr. Jane van Doe" and "Doe, Jane".
func splitName(cell string) (title, first, last string) {
	name := oneLine(clean(cell))
	if family, given, ok := strings.Cut(name, ","); ok {
		return "", trim(given), trim(family)
	}
	if word, rest, ok := strings.Cut(name, " "); ok && words.has("salutation", plain(word)) {
		title, name = word, rest
	}
	first, last, _ = strings.Cut(name, " ")
	return title, first, last
}
