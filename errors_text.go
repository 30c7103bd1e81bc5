package demeterrr

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// errorPrefix starts the text of every error, once.
const errorPrefix = "demeterrr: "

// Error describes the failure in one line: the request, the status, the code,
// the API's message and the remedy.
func (e *Error) Error() string {
	if e == nil {
		return errorPrefix + "the error is a nil *Error; return a plain nil instead"
	}
	var b strings.Builder
	b.WriteString(errorPrefix)
	if e.Method != "" {
		fmt.Fprintf(&b, "%s %s: ", e.Method, oneLine(e.Path))
	}
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, "%d ", e.StatusCode)
	}
	what := string(e.Code)
	if what == "" {
		what = http.StatusText(e.StatusCode)
	}
	parts := make([]string, 0, 4)
	for _, part := range []string{oneLine(what), quoted(e.Message), e.causeText(), e.advice()} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "request failed")
	}
	b.WriteString(strings.Join(parts, ": "))
	if notes := e.notes(); len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}

func (e *Error) causeText() string {
	if e.cause == nil {
		return ""
	}
	return quoted(e.cause.Error())
}

// advice returns the documented remedy for a code (contract, section 7), if the
// message lacks it.
func (e *Error) advice() string {
	if e.StatusCode == 0 {
		return "" // raised by the client: the message has the remedy
	}
	switch e.Code {
	case CodeInvalidAPIKey, CodeExpiredAPIKey:
		return "make a new key in the dashboard"
	case CodeInsufficientPermissions:
		return "add the scope to the key in the dashboard"
	case CodeValidation:
		if names := e.fieldNames(); names != "" {
			return "fields " + names + "; see Error.Details"
		}
		if len(e.Details) > 0 {
			return "see Error.Details"
		}
	case CodeSequenceInactive:
		return "activate the sequence first"
	case CodeContactExists:
		return "update the existing contact, or use Upsert"
	case CodeInternal:
		return "temporary; contact support if it persists"
	default:
	}
	return ""
}

// rounded returns a wait for people to read: in seconds, or in milliseconds
// below a second.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(time.Second)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d
}

func (e *Error) notes() []string {
	var notes []string
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+rounded(e.RetryAfter).String())
	}
	if e.Attempts > 1 {
		notes = append(notes, strconv.Itoa(e.Attempts)+" attempts")
	}
	if e.unknown {
		notes = append(notes, "outcome unknown, it may have taken effect")
	}
	if e.RequestID != "" {
		notes = append(notes, "request "+oneLine(e.RequestID))
	}
	return notes
}

// maxFieldNames is the most field names in an error's text.
const maxFieldNames = 10

// fieldNames lists the fields named in the details of a validation error. Their
// shape is undocumented. So it reads the keys of an object, or the field named
// in each object of an array, and skips everything else.
func (e *Error) fieldNames() string {
	if e.Code != CodeValidation {
		return ""
	}
	var names []string
	add := func(name string) {
		switch {
		case !isFieldName(name) || slices.Contains(names, name):
		case len(names) < maxFieldNames:
			names = append(names, name)
		case len(names) == maxFieldNames:
			names = append(names, "…")
		}
	}
	r := jsonread.New(e.Details)
	switch r.Kind() {
	case '{':
		for r.Object(); r.Member(); r.Skip() {
			add(r.KeyText())
		}
	case '[':
		for r.Array(); r.Element(); {
			if r.Kind() != '{' {
				r.Skip()
				continue
			}
			for r.Object(); r.Member(); {
				if namesField(r.Key()) && r.Kind() == '"' {
					add(r.Text())
				} else {
					r.Skip()
				}
			}
		}
	}
	if r.End() != nil {
		return ""
	}
	return strings.Join(names, ", ")
}

// namesField reports whether a member with this key usually holds the name of a
// field. The key "name" is left out: it can hold a person's name.
func namesField(key []byte) bool {
	return slices.Contains([]string{"field", "path", "param", "property"}, string(key))
}

// isFieldName reports whether text looks like contacts[3].email. Emails, phone
// numbers, sentences and API keys do not.
func isFieldName(text string) bool {
	const longest = 40 // bytes; an API key has 47
	if text == "" || len(text) > longest || strings.Contains(text, scrub.Gone) {
		return false
	}
	letter := func(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
	for _, c := range []byte(text) {
		if !letter(c) && !strings.ContainsRune("0123456789.[]-", rune(c)) {
			return false
		}
	}
	return letter(text[0])
}

// quoted returns text from outside for use in an error: on one line, and
// without the prefix of another error.
func quoted(s string) string { return strings.ReplaceAll(oneLine(s), errorPrefix, "") }

// oneLine puts text from outside on one line and limits its length, to keep
// logs readable.
func oneLine(s string) string {
	const enough = 1000 // bytes
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, scrub.Cut(s, enough))
}
