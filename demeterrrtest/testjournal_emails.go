package demeterrrtest

import (
	"fmt"
	"strings"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// differentPeople are pairs of emails, each pair of two people. Some collation,
// pattern or encoding confuses them.
var differentPeople = [][2]string{
	{"jose@example.com", "josé@example.com"}, // an accent
	{"ñ@example.com", "n@example.com"},
	{"ø@example.com", "o@example.com"},
	{"ё@example.com", "е@example.com"},
	{"rene\u0301@example.com", "ren\u00e9@example.com"}, // one accent, decomposed and composed
	{"\ud55c@example.com", "\u1112\u1161\u11ab@example.com"},
	{"kim@example.com", "ｋｉｍ@example.com"}, // width
	{"strasse@example.com", "straße@example.com"},
	{"æsa@example.com", "aesa@example.com"},
	{"fia@example.com", "ﬁa@example.com"}, // a ligature
	{"x²@example.com", "x2@example.com"},
	{"irem@example.com", "ırem@example.com"}, // the dotless i
	{"か@example.com", "カ@example.com"},       // hiragana and katakana
	{"は@example.com", "ば@example.com"},
	{"😀@example.com", "🙃@example.com"},     // four bytes of UTF-8
	{"a_b@example.com", "axb@example.com"}, // wildcards
	{"c%d@example.com", "cxyzd@example.com"},
	{"e*f@example.com", "eef@example.com"},
	{"o'brien@example.com", "o''brien@example.com"}, // quotes and escapes
	{`"g"@example.com`, `g@example.com`},
	{`h\i@example.com`, `h\\i@example.com`},
	{`<s>@example.com`, `\u003cs\u003e@example.com`},
	{"t&amp;@example.com", "t&@example.com"},
	{"r/s@example.com", "r%2fs@example.com"},
	{"j,k@example.com", "j@example.com"}, // lists and placeholders
	{"{l}@example.com", "l@example.com"},
	{"$1@example.com", "?@example.com"},
	{"null@example.com", "nil@example.com"},
	{"1@example.com", "01@example.com"},
	{"p-q@example.com", "pq@example.com"}, // punctuation
	{"m.n@example.com", "mn@example.com"},
	{"u--@example.com", "u@example.com"},
	{"v+tag@example.com", "v@example.com"},
	{"y@example.com", "y@example.com."},
	{"z@exämple.com", "z@xn--exmple-cua.com"},
}

func testEmails(t *journalTest) {
	const rule = "compare emails byte by byte: use a binary collation or a hash, and parameters rather than SQL text"
	p := t.open()
	var these, those []string
	for _, pair := range differentPeople {
		these, those = append(these, t.mark+pair[0]), append(those, t.mark+pair[1])
	}
	token := newToken()
	p.claim(token, these...).none(t, "Claim of different emails in one call", rule)
	p.lookup(these...).want(t, "Lookup of emails with all sorts of letters, after their Claim", bulk.JournalBegun, rule, these...)
	p.lookup(those...).none(t, "Lookup of emails that resemble claimed ones", rule)
	p.claim(newToken(), those...).none(t, "Claim of emails that resemble claimed ones", rule)
	p.finish(token, inState(bulk.JournalDone, those...)...)
	p.finish(token, inState(bulk.JournalDone, these...)...)
	p.lookup(these...).want(t, "Lookup of emails with all sorts of letters, after Finish", bulk.JournalDone, rule, these...)
	p.lookup(those...).want(t, "Lookup of emails that resemble finished ones", bulk.JournalBegun, rule, those...)
}

func testLongEmails(t *journalTest) {
	const rule = "an email has up to 320 bytes, and all of them count: a hash of it is a good key"
	p := t.open()
	var emails []string
	for i := range 50 {
		emails = append(emails, t.longEmail("é", fmt.Sprintf("%d@example.com", 100+i)), t.longEmail("a", fmt.Sprintf("@example.c%d", 100+i)))
	}
	token := newToken()
	p.claim(token, emails...).none(t, "Claim of 100 emails of 320 bytes that differ near their end", rule)
	p.lookup(emails...).want(t, "Lookup of 100 emails of 320 bytes", bulk.JournalBegun, rule, emails...)
	p.finish(token, inState(bulk.JournalDone, emails[:50]...)...)
	p.lookup(emails...).wantStates(t, "Lookup of 100 emails of 320 bytes after Finish of half of them", rule,
		append(inState(bulk.JournalDone, emails[:50]...), inState(bulk.JournalBegun, emails[50:]...)...)...)
}

// longEmail returns an email of 320 bytes with that end, filled with a letter.
func (t *journalTest) longEmail(letter, end string) string {
	room := 320 - len(t.mark) - len(end)
	filled := t.mark + strings.Repeat(letter, room/len(letter))
	return filled + strings.Repeat("b", 320-len(filled)-len(end)) + end
}
