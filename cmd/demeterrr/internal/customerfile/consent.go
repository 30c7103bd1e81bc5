package customerfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// consent is the rule of a column for or against messages.
type consent int

const (
	noConsent  consent = iota
	outIfSet           // "UNSUB_TIME": any value means no
	inIfYes            // "Accepts Email Marketing": all but yes means no
	outIfNo            // "Would you like our newsletter?": only a no means no
	stateOfRow         // "Status": some states mean no
)

// consentOf classifies a column by its header.
func consentOf(header string) consent {
	forms := spellings(header)
	whole := forms[0]
	if aboutOtherChannel(header) {
		return noConsent
	}
	for _, form := range forms {
		switch {
		case words.has("out if set", form):
			return outIfSet
		case words.has("in if yes", form):
			return inIfYes
		case words.has("status", form):
			return stateOfRow
		}
	}
	switch {
	case words.hasPart("out if set, header contains", whole):
		return outIfSet
	case words.has("out if no", whole):
		return outIfNo
	case words.hasPart("out if no, header contains", whole) && isRefusal(header):
		return outIfSet
	case words.hasPart("out if no, header contains", whole) && !measures(header):
		return outIfNo
	case words.hasPart("status, header contains", whole):
		return stateOfRow
	}
	return noConsent
}

// measures reports whether a column counts or dates emails.
func measures(header string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(header, func(r rune) bool { return !unicode.IsLetter(r) }), func(word string) bool {
		return words.has("measure", word)
	})
}

// isRefusal recognizes refusing headers such as "No newsletter". Questions and
// "yes/no" are excluded.
func isRefusal(header string) bool {
	refusals := 0
	for _, word := range strings.FieldsFunc(header, func(r rune) bool { return !strings.ContainsRune("'’", r) && !unicode.IsLetter(r) }) {
		switch {
		case words.has("yes", word):
			refusals--
		case words.has("refusing header", word):
			refusals++
		}
	}
	return refusals > 0 && !strings.Contains(header, "?")
}

// aboutOtherChannel reports whether a column is about calls or text messages.
func aboutOtherChannel(header string) bool {
	whole := plain(header)
	return words.hasPart("other channel, header contains", whole) && !strings.Contains(whole, "mail")
}

// checkMarks are symbols for yes.
const checkMarks = "✓✔☑☒✅√●"

// meansOut reports whether a cell opts its contact out. In doubt it does: the
// errors file lists the contact.
func (c consent) meansOut(cell string) bool {
	cell = clean(cell)
	if cell == "" {
		return c == inIfYes
	}
	if plain(cell) == "" { // symbols only
		return c == outIfSet && strings.ContainsAny(cell, checkMarks) || c == inIfYes && !strings.ContainsAny(cell, checkMarks)
	}
	if words.has("out", cell) {
		return true
	}
	no := words.has("no", cell)
	nothing := words.has("nothing", cell) || strings.Trim(cell, "0.,:-/ T") == ""
	switch c {
	case outIfSet:
		link := strings.HasPrefix(cell, "http") // to unsubscribe
		return !no && !nothing && !link && !words.has("in order", cell)
	case inIfYes:
		return no || nothing || words.has("not yet", cell) || refuses(cell) || isOutState(cell)
	case outIfNo:
		return no || refuses(cell) || words.has("nothing", cell) || strings.Trim(cell, "0.") == "" || isOutState(cell)
	case stateOfRow:
		return no || !words.has("in order", cell) && isOutState(cell)
	default:
		return false
	}
}

// isOutState reports whether a state means out. It accepts remarks, as in
// "Cancelled (by patient)", and phrases, as in "Appointment cancelled".
func isOutState(cell string) bool {
	if words.has("out in a status", cell) || words.has("out", cell) {
		return true
	}
	for _, separator := range []string{" - ", " – ", "(", ":", ";", ",", "/"} {
		if state, _, ok := strings.Cut(cell, separator); ok && (words.has("out in a status", state) || words.has("out", state)) {
			return true
		}
	}
	return len(cell) <= longestState && isOutPhrase(cell)
}

// refuses recognizes answers such as "No, thank you" and "I do not want any".
func refuses(answer string) bool {
	parts := strings.FieldsFunc(answer, func(r rune) bool { return !strings.ContainsRune("'’-", r) && !unicode.IsLetter(r) })
	for i, word := range parts {
		if i == 0 && words.has("no", word) || words.has("don't", word) || i > 0 && words.has("don't", parts[i-1]+word) {
			return true
		}
	}
	return false
}

// isOutPhrase reports whether a phrase within a state means out. It ignores
// phrases such as "Not cancelled".
func isOutPhrase(state string) bool {
	parts := strings.FieldsFunc(state, func(r rune) bool { return r != '\'' && r != '’' && !unicode.IsLetter(r) })
	for i := range parts {
		phrase := ""
		for _, word := range parts[i:] {
			phrase += word
			if words.has("out within a status", phrase) {
				return i == 0 || !words.has("not", parts[i-1])
			}
		}
	}
	return false
}

// longestState is the length limit for texts of the section [out].
const longestState = 48

// meansOutAnywhere reports whether a cell of any column consists of a word such
// as "unsubscribed".
func meansOutAnywhere(cell string) bool {
	if len(cell) < 3 || len(cell) > longestState || '0' <= cell[0] && cell[0] <= '9' {
		return false
	}
	return words.has("out", cell)
}

// outReason returns the reason for the errors file.
func (c consent) outReason(header, cell string) string {
	cell = oneLine(clean(cell))
	switch {
	case c == outIfSet:
		return header + " is set"
	case cell == "":
		return header + " is empty"
	case utf8.RuneCountInString(cell) > longestState:
		return header + " says so"
	}
	return fmt.Sprintf("%s is %q", header, cell)
}
