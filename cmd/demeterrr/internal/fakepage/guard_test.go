package fakepage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyTheLoopbackNamesAreAnswered(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	for host, status := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LOCALHOST": 200, "[::1]:8080": 200, "127.1.2.3": 200, "[::1]": 200,
		"evil.example:8080": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "192.168.1.2:8080": 403, "": 403, "0.0.0.0": 403,
	} {
		for _, path := range []string{"/", "/_fake/state", "/_fake/contacts"} {
			if text := body(t, f.send(t, "GET", path, "", "Host: "+host), status); status == 403 && !strings.Contains(text, "127.0.0.1, [::1] and localhost only") {
				t.Errorf("%q: %s", host, text)
			}
		}
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	for _, test := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"POST", "/_fake/reset", nil, 204}, // a script
		{"POST", "/_fake/reset", []string{"Sec-Fetch-Site: same-origin"}, 204},
		{"POST", "/_fake/reset", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"POST", "/_fake/reset", []string{"Sec-Fetch-Site: same-site"}, 403}, // another port of localhost
		{"POST", "/_fake/reset", []string{"Origin: http://evil.example"}, 403},
		{"POST", "/_fake/reset", []string{"Origin: null"}, 403},
		{"POST", "/_fake/reset", []string{"Origin: http://127.0.0.1:8080"}, 204},
		{"DELETE", "/_fake/faults", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"GET", "/_fake/state", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"GET", "/_fake/events", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"GET", "/_fake/state", []string{"Sec-Fetch-Site: none"}, 200},
		{"GET", "/_fake/state", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 403},
		{"GET", "/", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200}, // a link
		{"GET", "/", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		{"GET", "/", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
	} {
		text := body(t, f.send(t, test.method, test.path, "", test.headers...), test.status)
		if test.status == 403 && !strings.Contains(text, "another site") {
			t.Errorf("%s %s %v: %s", test.method, test.path, test.headers, text)
		}
	}
}

func TestAPolicyStandsOnEveryReplyOfThePage(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/_fake/state", "/_fake/nothing"} {
		header := newPage(t, "").send(t, "GET", path, "").Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'sha256-", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if !strings.HasPrefix(header.Get(name), want) {
				t.Errorf("%s: %s %q", path, name, header.Get(name))
			}
		}
	}
}

func TestATokenIsSwappedForACookie(t *testing.T) {
	t.Parallel()
	const token = "S3CRET"
	f := newPage(t, token)
	if !strings.HasSuffix(f.URL(), ":8080/?token="+token) {
		t.Errorf("the page is at %s", f.URL())
	}
	for base, want := range map[string]string{"http://[::]:80/api/v1": "http://localhost:80/", "http://0.0.0.0:80/api/v1": "http://localhost:80/", "http://10.0.0.1:80/api/v1": "http://10.0.0.1:80/"} {
		p := &Page{baseURL: base}
		if got := p.URL(); got != want {
			t.Errorf("%s: the page is at %s", base, got)
		}
	}
	for path, says := range map[string]string{
		"/": "The page needs the token", "/?token=wrong": "The page needs the token", "/?token=": "The page needs the token",
		"/_fake/state": "Authorization: Bearer", "/_fake/state?token=" + token: "Authorization: Bearer", "/_fake/events": "Authorization: Bearer",
	} {
		if text := body(t, f.send(t, "GET", path, "", "Host: fake.example:8080"), 401); !strings.Contains(text, says) || strings.Contains(text, f.APIKey()) {
			t.Errorf("%s: %s", path, text)
		}
	}
	body(t, f.send(t, "POST", "/_fake/reset", "", "Authorization: Bearer wrong"), 401)
	body(t, f.send(t, "POST", "/_fake/reset", "", "Authorization: Bearer "+token), 204)
	body(t, f.send(t, "POST", "/_fake/reset", "", "Authorization: Bearer "+token, "Sec-Fetch-Site: cross-site"), 403)

	form := []string{"Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"}
	if text := body(t, f.send(t, "POST", "/_fake/session", "token=guess", form...), 401); !strings.Contains(text, "That is not the token") {
		t.Error(text)
	}
	for _, welcome := range []*httptest.ResponseRecorder{
		f.send(t, "GET", "/?token="+token, "", "Host: fake.example:8080"),
		f.send(t, "POST", "/_fake/session", "token="+token, form...),
	} {
		body(t, welcome, 303)
		cookies := (&http.Response{Header: welcome.Header()}).Cookies()
		if len(cookies) != 1 || welcome.Header().Get("Location") != "/" {
			t.Fatalf("%v to %s", cookies, welcome.Header().Get("Location"))
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Name != "demeterrr_fake_8080" || strings.Contains(c.Value, token) {
			t.Errorf("%+v", c)
		}
		body(t, f.send(t, "GET", "/", "", "Cookie: "+c.Name+"="+c.Value), 200)
		body(t, f.send(t, "GET", "/_fake/state", "", "Cookie: "+c.Name+"="+c.Value), 200)
		body(t, f.send(t, "GET", "/_fake/state", "", "Cookie: "+c.Name+"="+c.Value+"x"), 401)
	}
	// A fake without a token gives none away, and needs none.
	body(t, newPage(t, "").send(t, "GET", "/?token=any", ""), 200)
}
