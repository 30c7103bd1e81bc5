// Package mailbox compares emails: an email of the account with a given one,
// and the caller's emails with one another.
package mailbox

import (
	"slices"
	"strings"
	"unicode"

	"github.com/demeterrr/demeterrr-go/internal/ascii"
)

// Same reports whether the two emails mean the same contact of the account. It
// folds only ASCII letters. In Unicode the Kelvin sign folds to a k, and a
// contact that signs up with it must stay apart from the contact with a k.
func Same(a, b string) bool {
	return a == b || asciiLower(a) == asciiLower(b)
}

// Spellings returns the forms of an email to ask the API for, in order, until
// one is found. The API compares emails exactly, and an account may keep them
// in lower case.
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

// Rank returns how well a contact's email fits the requested one: 0 for the
// same spelling, more for others, -1 for another contact.
func Rank(email, have string) int {
	if !Same(email, have) {
		return -1
	}
	return slices.Index(append(Spellings(email), have), have)
}

// Key returns the same key for two emails of a caller that strings.EqualFold
// calls equal. They count as one person: one sending too few is better than a
// person messaged twice.
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

// foldCase maps the lower-case forms of a letter, such as σ and ς, to one of
// them.
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
