package jsonwrite_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/jsonwrite"
)

func standard(t *testing.T, v any) string {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

// FuzzText holds Text to encoding/json, byte by byte, for texts that are not UTF-8 too.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", `"`, `\`, `"\/`, "\b\f\n\r\t\x00\x1f\x7f", "é€😀", "\u2028\u2029", "\xff", "a\xc3", "\xed\xa0\x80", "\uFFFD", "<>&"} {
		f.Add(s)
		for i := range 17 { // at every offset of the eight bytes that are looked at together
			f.Add(strings.Repeat("a", i) + s + strings.Repeat("a", 16-i))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(jsonwrite.Text([]byte("{"), s)), "{"+standard(t, s); got != want {
			t.Errorf("%q: %s, encoding/json writes %s", s, got, want)
		}
		list := []string{s, "", s}
		if got, want := string(jsonwrite.Texts(nil, list)), standard(t, list); got != want {
			t.Errorf("%q: %s, encoding/json writes %s", list, got, want)
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
