package scrub_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

const key = "dem_0123456789"

func TestExcerptTakesOutKeyQueryValuesAndEmails(t *testing.T) {
	t.Parallel()
	query := url.Values{"search": {"Zoë & Søn"}, "phone": {"+1 555"}, "page": {"3"}, "limit": {"50"}, "empty": {""}}
	for body, want := range map[string]string{
		"plain text":                             "plain text",
		"  many\r\n\tblanks  ":                   "many blanks",
		"key " + key + ".":                       "key [removed].",
		"Zoë & Søn, Zoë &amp; Søn":               "[removed], [removed]",
		"q=Zo%C3%AB+%26+S%C3%B8n&p=%2B1+555":     "q=[removed]&p=[removed]",
		"path Zo%C3%AB%20&%20S%C3%B8n":           "path [removed]",
		"page 3 of 50":                           "page 3 of 50",
		"to john.doe+x@example.com!":             "to [removed]",
		"JOHN@EXAMPLE.COM john%40example.com":    "[removed] [removed]",
		"<a href='mailto:j@x.org'>":              "<a href='mailto:[removed]'>",
		`{"email":"j@x.org","e":"j\u0040x.org"}`: `{"email":"[removed]","e":"[removed]"}`,
		"j&#64;x.org":                            "[removed]",
		`("j d"@x.org) o(j)@x.org j<d>%40x.org`:  `("j [removed]) o([removed] j<[removed]`,
		"at @ noon":                              "at @ noon",
		"a\xffb":                                 "a\uFFFDb",
	} {
		if got := scrub.Excerpt([]byte(body), 200, key, query); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

func TestExcerptShowsNothingThatItHasCutInTwo(t *testing.T) {
	t.Parallel()
	query := url.Values{"email": {"john.doe@example.com"}, "search": {strings.Repeat("Zoë ", 200)}}
	for _, secret := range []string{key, "john.doe@example.com", "someone.else@example.com", url.QueryEscape(query.Get("search")), strings.ReplaceAll(key, "_", `\u005f`)} {
		for cut := 1; cut < len(secret); cut += 1 + len(secret)/50 {
			body := strings.Repeat(" ", 16<<10-cut) + secret
			if got := scrub.Excerpt([]byte(body), 200, key, query); got != "" {
				t.Fatalf("%d bytes of %s: %q", cut, secret, got)
			}
		}
	}
}

func TestJSONIsFreeOfTheKeyOrGone(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"a":"b"}`:                   `{"a":"b"}`,
		`{"a":"\u00e9\u005fb\u0000"}`: `{"a":"\u00e9\u005fb\u0000"}`,
		`{"a":"x` + key + `y"}`:       `{"a":"x[removed]y"}`,
		`{"a":"` + strings.ReplaceAll(key, "_", `\u005F`) + `"}`: "",
		`{"\u0064` + key[1:] + `":1}`:                            "",
	} {
		if got := string(scrub.JSON([]byte(document), key)); got != want {
			t.Errorf("%s: got %s, want %s", document, got, want)
		}
	}
	if scrub.JSON(nil, key) != nil {
		t.Error("there was nothing, and is something")
	}
}

func TestTheLongestQueryValueGoesFirst(t *testing.T) {
	t.Parallel()
	query := url.Values{"a": {"john"}, "b": {"john doe"}, "c": {"e", "o", "removed"}}
	if got, want := scrub.Excerpt([]byte("john doe, x"), 200, key, query), "[removed], x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	swollen := scrub.Excerpt([]byte(strings.Repeat("e", 100)), 2000, key, query)
	if want := strings.Repeat(scrub.Gone, 100); swollen != want {
		t.Errorf("got %d bytes: %.50s", len(swollen), swollen)
	}
}

func TestCutEndsAtACharacter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "0123456789": "0123456789", "0123456789a": "0123456…", "éééééé": "ééé…", "012345é9999": "012345…", "😀😀😀": "😀…"} {
		got := scrub.Cut(text, 10)
		if got != want || len(got) > 10 {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add([]byte("Bad gateway "+key), "john@example.com")
	f.Add([]byte("\xf0\x9f"), "e")
	f.Add([]byte("\xef"), "\xef")
	f.Fuzz(func(t *testing.T, body []byte, value string) {
		got := scrub.Excerpt(body, 200, key, url.Values{"q": {value}})
		if len(got) > 200 || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t") || strings.Contains(got, key) {
			t.Errorf("got %q", got)
		}
		if got != scrub.Gone && len(value) > len(scrub.Gone) && strings.Contains(got, value) && !strings.ContainsAny(value, " \t[]") && !strings.Contains(value, "…") {
			t.Errorf("%q stands in %q", value, got)
		}
	})
}

func TestHeaderIsGivenBackWithoutTheKey(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Echo": {"a", "key=" + key}, "Dem_0123456789": {"as a name"}, "X-Request-Id": {"id"}}
	want := http.Header{"X-Echo": {"a", "key=[removed]"}, "X-Request-Id": {"id"}}
	if got := scrub.Header(h, key); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(h) != 3 || h["X-Echo"][1] != "key="+key {
		t.Errorf("the transport's own header was changed: %v", h)
	}
}
