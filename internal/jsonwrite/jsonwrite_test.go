package jsonwrite_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/jsonwrite"
)

// FuzzText compares the encoded text with its meaning, also for invalid UTF-8.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", `"`, `\`, `"\/`, "\b\f\n\r\t\x00\x1f\x7f", "é€😀", "\u2028\u2029", "\xff", "a\xc3", "\xed\xa0\x80", "\uFFFD", "<>&"} {
		f.Add(s)
		for i := range 17 { // at every offset of the eight bytes compared together
			f.Add(strings.Repeat("a", i) + s + strings.Repeat("a", 16-i))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := string([]rune(s)) // each byte of invalid UTF-8 becomes U+FFFD
		b := jsonwrite.Text([]byte("{"), s)
		var got string
		if err := json.Unmarshal(b[1:], &got); err != nil || got != want || !utf8.Valid(b) || b[0] != '{' {
			t.Errorf("%q: %s means %q, %v", s, b, got, err)
		}
		if strings.ContainsAny(string(b), "\u2028\u2029") {
			t.Errorf("%q: %s is not JavaScript", s, b)
		}
		list := jsonwrite.Texts(nil, []string{s, "", s})
		var all []string
		if err := json.Unmarshal(list, &all); err != nil || !slices.Equal(all, []string{want, "", want}) {
			t.Errorf("%q twice: %s means %q, %v", s, list, all, err)
		}
	})
}

func TestMembersAreSeparatedAndEmptyTextsLeftOut(t *testing.T) {
	t.Parallel()
	b := []byte("{")
	b = jsonwrite.NonEmpty(b, `"a":`, "")
	b = jsonwrite.NonEmpty(b, `"b":`, "1")
	b = jsonwrite.NonEmpty(b, `"c":`, "{")
	b = jsonwrite.Texts(jsonwrite.Member(b, `"d":`), nil)
	b, err := jsonwrite.Any(jsonwrite.Member(b, `"e":`), map[string]any{"<": 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), `{"b":"1","c":"{","d":[],"e":{"<":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := jsonwrite.Any(nil, make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}
