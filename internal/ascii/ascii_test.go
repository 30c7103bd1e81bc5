package ascii_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/internal/ascii"
)

// byByte is KindOf with one byte after the other.
func byByte(s string) ascii.Kind {
	k := ascii.Kind{ASCII: true, Graphic: true}
	for _, c := range []byte(s) {
		k.ASCII = k.ASCII && c < 0x80
		k.Graphic = k.Graphic && c > ' ' && c < 0x7f
		k.Upper = k.Upper || 'A' <= c && c <= 'Z'
	}
	return k
}

func check(t *testing.T, s string) {
	t.Helper()
	got, want := ascii.KindOf(s), byByte(s)
	if !want.ASCII {
		want.Upper = got.Upper
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", s, diff)
	}
}

func TestEveryByteIsSeenAtEveryPlace(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				for _, around := range []string{"a", "@", "[", "~", "!", "\x00", "\x7f", "Z"} {
					text := []byte(strings.Repeat(around, length))
					text[at] = byte(c)
					check(t, string(text))
				}
			}
		}
	}
	check(t, "")
}

func FuzzKindOf(f *testing.F) {
	f.Add("jane.smith@example.com")
	f.Add("\xff\xffA")
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}
