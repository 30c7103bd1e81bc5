package validate_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// check checks that good texts pass, and that bad ones fail with an error that
// does not repeat them.
func check(t *testing.T, f func(string) error, good, bad []string) {
	t.Helper()
	for _, text := range good {
		if err := f(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range bad {
		err := f(text)
		if err == nil {
			t.Errorf("%q was accepted", text)
		} else if len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Errorf("%q is repeated in %q", text, err)
		}
	}
}

func TestAPIKey(t *testing.T) {
	t.Parallel()
	check(t, validate.APIKey,
		[]string{"dem_", "dem_abc", "dem_a!~\"'"},
		[]string{"", "dem", "DEM_x", "xdem_x", "dem_a b", "dem_secret\n", "dem_secret\t", "dem_secret\x00", "dem_secret\x7f", "dem_secreté", "dem_secret\xff"})
}

func TestID(t *testing.T) {
	t.Parallel()
	check(t, validate.ID,
		[]string{"550e8400-e29b-41d4-a716-446655440000", "...", "%2e%2e", "a b", "é", ":", "@"},
		[]string{"", ".", "..", "/", "a/b", "a?b", "a#b", `a\b`, "a\x00", "a\n", "a\u0085", "a\xff"})
}

func TestPath(t *testing.T) {
	t.Parallel()
	check(t, validate.Path,
		[]string{"/a", "/a/", "/a/b%20c", "/a%2Fb", "/...", "/a..b", "/..a", "/%252e%252e", "/a:b@c;d=e,f", "/a//b", "/!$&'()*+,;=:@-._~[]"},
		[]string{
			"", "/", "//a", "///a", "/a?b", "/a#b", "/a b", "/a\n", "/é", "/\x7f", `/a\b`, "/<a>", "/{a}", "/a|b", "/a^b", "/`", "/\"",
			"/%", "/%2", "/%zz", "/.", "/..", "/a/../b", "/a/./b", "/%2e", "/%2E%2e", "/.%2e/b", "/a%2f..%2fb", "/..%5cb", "/https://evil", "https://evil",
		})
}

func TestEmail(t *testing.T) {
	t.Parallel()
	check(t, validate.Email,
		[]string{"a@b", "john.doe+x@example.com", `"a@b"@c`, "jörg@exämple.com"},
		[]string{"", "a", "@", "a@", "@b", "a b@c", "a@b ", " a@b", "a@b\n", "a\u00a0@b", "a@b\x00", "a\xff@b"})
}

func TestAnEmailHasAtMost320Bytes(t *testing.T) {
	t.Parallel()
	const host = "@example.com"
	check(t, validate.Email,
		[]string{strings.Repeat("a", 320-len(host)) + host, strings.Repeat("é", (320-len(host))/2) + host},
		[]string{strings.Repeat("a", 321-len(host)) + host, strings.Repeat("é", 160) + host, strings.Repeat("a", 1<<20) + host, strings.Repeat("a", 321)})
}

func TestAnEmailHasNoInvisibleCharacters(t *testing.T) {
	t.Parallel()
	for _, r := range "\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u200e\u202a\u202c\u202e\u2060\u2064\u2066\u206f\u2800\u3164\ufe00\ufe0f\ufeff\uffa0\ufff9\ufffc\U0001bca0\U0001d173\U000e0001\U000e0041\U000e0100" {
		bad := []string{string(r) + "jane@example.com", "ja" + string(r) + "ne@example.com", "jane@exam" + string(r) + "ple.com", "jane@example.com" + string(r)}
		check(t, validate.Email, nil, bad)
		for _, email := range bad {
			if err := validate.Email(email); err != nil && !strings.Contains(err.Error(), fmt.Sprintf("invisible character %U; remove it", r)) {
				t.Errorf("%q: %v", email, err)
			}
		}
	}
	for _, space := range "\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u0085" {
		check(t, validate.Email, nil, []string{"jane@example.com" + string(space), "ja" + string(space) + "ne@example.com"})
	}
	// Combining marks, emoji and every script can be seen.
	check(t, validate.Email, []string{"jo\u0308rg@example.com", "🍕@example.com", "νικος@παράδειγμα.gr", "用户@例子.世界", "उपयोगकर्ता@उदाहरण.भारत", "משתמש@דוגמה.ישראל", "कवि@example.com"}, nil)
}

func TestToken(t *testing.T) {
	t.Parallel()
	check(t, validate.Token,
		[]string{"shop", "2.0-rc.1+b", "!#$%&'*+-.^_`|~"},
		[]string{"", "a b", "a/b", "a(b)", "a\nb", "é", "a\x7f", "a:b", "a@b", "a,b", `a"b`, `a\b`, "a;b", "a=b", "a[b]", "a{b}", "a<b>", "a?b"})
}

func TestBaseURLIsReducedToItsParts(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://host": "https://host", "https://host/": "https://host", "https://host///": "https://host", "HTTPS://host/a/b//": "https://host/a/b",
		"https://host/a%2Fb%20c/": "https://host/a%2Fb%20c", "http://localhost:1/x": "http://localhost:1/x",
	} {
		u, err := validate.BaseURL(raw, false)
		if err != nil || u.String() != want || u.EscapedPath() != strings.TrimPrefix(want[strings.Index(want, "://")+3:], u.Host) {
			t.Errorf("%q: got %v, %v", raw, u, err)
		}
	}
	if _, err := validate.BaseURL("http://public.example", false); err == nil {
		t.Error("plain http was accepted")
	}
	if _, err := validate.BaseURL("http://public.example", true); err != nil {
		t.Errorf("insecure: %v", err)
	}
	for _, bad := range []string{"", "host", "https:", "https://u@h", "https://h?", "https://h#", "https://h/..", "https://h/a b", "https://h//a", "http://2130706433", "http://localhost.", "ws://localhost"} {
		if u, err := validate.BaseURL(bad, false); err == nil || u != nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzBaseURL(f *testing.F) {
	f.Add("https://host/a%2F/", false)
	f.Add("http://[::1]:80//", true)
	f.Fuzz(func(t *testing.T, raw string, insecure bool) {
		u, err := validate.BaseURL(raw, insecure)
		if err != nil {
			return
		}
		again, err := validate.BaseURL(u.String(), insecure)
		if err != nil || again.String() != u.String() {
			t.Errorf("%q became %q, and that %v, %v", raw, u, again, err)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" {
			t.Errorf("%q became %q", raw, u)
		}
		if _, err := url.Parse(u.String() + "/x"); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
	})
}
