// Package mailbox compares emails: those of an account with one another, and those
// of a caller.
package mailbox

import (
	"slices"
	"strings"
	"unicode"

	"github.com/demeterrr/demeterrr-go/internal/ascii"
)

// Same reports whether a contact of the account is the one that an email
// means. Only ASCII letters are folded: to Unicode the Kelvin sign is a k, and
// whoever signs up with it must not become the contact with a k.
func Same(a, b string) bool {
	return a == b || asciiLower(a) == asciiLower(b)
}

// Spellings are the forms of an email to ask the API for, one after the other
// until somebody has it. The API compares emails exactly, and an account may keep
// them in lower case.
func Spellings(email string) []string {
	return slices.Compact([]string{email, asciiLower(email)})
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// Rank returns how well a contact's email fits the one asked for: 0 for the same
// spelling, more for others, -1 if it belongs to somebody else.
func Rank(email, have string) int {
	if !Same(email, have) {
		return -1
	}
	return slices.Index(append(Spellings(email), have), have)
}

// Key is the same for two emails of a caller's that strings.EqualFold calls
// equal, as they are one person's: rather too few are sent to than somebody twice.
func Key(email string) string {
	kind := ascii.KindOf(email)
	switch {
	case !kind.ASCII:
		return strings.Map(foldCase, strings.ToLower(email))
	case kind.Upper:
		return strings.ToLower(email)
	}
	return email // as nearly all are written
}

// foldCase maps the lower-case forms of a letter, σ and ς say, to one of them.
func foldCase(r rune) rune {
	if unicode.SimpleFold(r) == r {
		return r
	}
	form := unicode.ToLower(unicode.ToUpper(r))
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		form = min(form, unicode.ToLower(unicode.ToUpper(other)))
	}
	return form
}
