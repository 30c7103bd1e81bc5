package mailbox_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

func TestAllCasesOfALetterAreOnePerson(t *testing.T) {
	t.Parallel()
	for r := rune(1); r <= unicode.MaxRune; r++ {
		for other := unicode.SimpleFold(r); other > r; other = unicode.SimpleFold(other) {
			if a, b := "jane"+string(r)+"@example.com", "Jane"+string(other)+"@example.com"; mailbox.Key(a) != mailbox.Key(b) {
				t.Errorf("%q and %q are two persons", a, b)
			}
		}
	}
	for _, two := range [][2]string{{"ı@x", "i@x"}, {"é@x", "e@x"}, {"ß@x", "ss@x"}, {"ö@x", "o@x"}} {
		if mailbox.Key(two[0]) == mailbox.Key(two[1]) {
			t.Errorf("%s and %s are one person", two[0], two[1])
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range [][2]string{{"ΝΙΚΟΣ@παράδειγμα.gr", "νικος@παράδειγμα.gr"}, {"µ@x", "μ@x"}, {"ſam@x", "sam@x"}, {"\u212aim@x", "kim@x"}, {"İ@x", "i@x"}, {"ΐ@x", "\u1fd3@x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			t.Skip() // no email
		}
		one := mailbox.Key(a) == mailbox.Key(b)
		if strings.EqualFold(a, b) && !one {
			t.Errorf("%q and %q are two persons", a, b)
		}
		if lower := strings.ToLower(a); mailbox.Key(lower) != mailbox.Key(a) {
			t.Errorf("%q and %q, as an older journal has it, are two persons", a, lower)
		}
		if one && !strings.EqualFold(strings.ToLower(a), strings.ToLower(b)) { // only İ and i are more than EqualFold says
			t.Errorf("%q and %q are one person", a, b)
		}
	})
}

// A contact with a Kelvin sign stays apart from the one with a k, which an
// update would change.
func TestAnAccountsContactIsTheSameInASCIICasesOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, have string
		rank        int
	}{
		{"Jane@x", "Jane@x", 0},
		{"Jane@x", "jane@x", 1},
		{"Jane@x", "JANE@x", 2},
		{"jane@x", "jane@x", 0},
		{"jane@x", "Jane@x", 1},
		{"kim@x", "\u212aim@x", -1},
		{"jane@x", "joan@x", -1},
	} {
		if got := mailbox.Rank(tt.asked, tt.have); got != tt.rank {
			t.Errorf("Rank(%q, %q) is %d, want %d", tt.asked, tt.have, got, tt.rank)
		}
	}
}
