package jsontext_test

import (
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

// FuzzSkipPlain holds SkipPlain to looking at one byte after the other, from
// every index.
func FuzzSkipPlain(f *testing.F) {
	for _, c := range []string{"", `"`, `\`, "\x00", "\x1f", " ", "!", "#", "[", "]", "\x7f", "\x80", "\xff", "é", "\x00\x01\"\\"} {
		for i := range 17 {
			f.Add(strings.Repeat("a", i) + c + strings.Repeat("a", 16-i))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		for from := range len(s) + 1 {
			want := from
			for want < len(s) && s[want] >= ' ' && s[want] < 0x80 && s[want] != '"' && s[want] != '\\' {
				want++
			}
			if got := jsontext.SkipPlain([]byte(s), from); got != want {
				t.Errorf("%q from %d: %d, want %d", s, from, got, want)
			}
		}
	})
}
