package demeterrr_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	locations := map[string][]string{
		"another host":  {"Location", "https://elsewhere.example/api/v1/contacts"},
		"the same host": {"Location", "/api/v1/login"},
		"plain http":    {"Location", "http://app.demeterrr.com/api/v1/contacts"},
		"none":          nil,
		"invalid":       {"Location", "https://[::1/%zz"},
		"empty":         {"Location", ""},
	}
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		for name, location := range locations {
			for _, op := range operations {
				t.Run(fmt.Sprint(status, " ", name, "/", op.name), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						c, s := play(t, []step{{status: status, header: location}, op.success, op.success})
						e := wantError(t, op.call(t.Context(), c), 1)
						s.wantSent(1) // no request goes elsewhere, with or without the key
						if got := s.sent[0].host; got != "app.demeterrr.com" {
							t.Errorf("sent to %s", got)
						}
						if e.StatusCode != status || !strings.Contains(e.Error(), "redirects are refused") || !strings.Contains(e.Error(), "check the base URL") {
							t.Errorf("StatusCode %d, and the message lacks the remedy: %v", e.StatusCode, e)
						}
						if strings.Contains(e.Error(), "elsewhere.example") || strings.Contains(e.Error(), testKey) {
							t.Errorf("the message says too much: %v", e)
						}
					})
				})
			}
		}
	}
}

// The caller's CheckRedirect must not enable redirects again.
func TestTheCallersCheckRedirectIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, begin: time.Now(), steps: []step{{status: 302, header: []string{"Location", "https://elsewhere.example/"}}}}
		follow := func(*http.Request, []*http.Request) error { return nil }
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: s, CheckRedirect: follow}))
		wantNil(t, err)
		wantError(t, get(t.Context(), c), 1)
		s.wantSent(1)
	})
}

func TestARedirectSetsItsCookies(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"valid": "/login", "invalid": "https://[::1/%zz"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				jar := must(cookiejar.New(nil))
				s := &script{t: t, begin: time.Now(), steps: []step{
					{status: 302, header: []string{"Location", location, "Set-Cookie", "route=b; Path=/"}}, okContact,
				}}
				c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: s, Jar: jar}))
				wantNil(t, err)
				wantError(t, get(t.Context(), c), 1)
				wantNil(t, get(t.Context(), c))
				if got := s.sent[1].header.Get("Cookie"); got != "route=b" {
					t.Errorf("the next call has the cookie %q", got)
				}
				if got := jar.Cookies(must(url.Parse(demeterrr.DefaultBaseURL))); len(got) != 1 {
					t.Errorf("the jar holds %v", got)
				}
			})
		})
	}
}
