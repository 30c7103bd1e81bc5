package demeterrrtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// refusal returns the text of a panic of misuse; empty if there is none.
func refusal(do func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	do()
	return ""
}

func TestARouteThatCanSelectNothingIsRefused(t *testing.T) {
	t.Parallel()
	for route, want := range map[string]string{
		"GET /contacts/:id":         `write {id} in place of :id`,
		"get /contacts":             `method "get" is not one of GET, `,
		"FETCH /contacts":           `method "FETCH" is not one of GET, `,
		" /contacts":                `method "" is not one of GET, `,
		"GET contacts":              `want a form like "POST /contacts"`,
		"GET  /contacts":            `want a form like "POST /contacts"`,
		"https://app.demeterrr.com": `want a form like "POST /contacts"`,
		"GET /api/v1/contacts":      `leave /api/v1 out`,
		"GET /contacts?page=1":      `leave the query out`,
		"GET /contacts#top":         `leave the query out`,
		"GET /contacts/":            `a segment is empty`,
		"GET //contacts":            `a segment is empty`,
		"GET /":                     `a segment is empty`,
		"GET /contacts/{id":         `stands for a whole segment`,
		"GET /contacts/c-{id}":      `stands for a whole segment`,
		"GET /contacts/{a}{b}":      `stands for a whole segment`,
		"GET /contacts/*":           `stands for a whole segment`,
		"GET /contacts/a b":         `use url.PathEscape`,
		"GET /contacts/é":           `use url.PathEscape`,
		"GET /contacts/50%":         `use url.PathEscape`,
		"GET /contacts/a%40b":       `use url.PathEscape`, // the client sends a@b
	} {
		got := refusal(func() { NewServer().Inject(Fault{Route: route, Status: 500, Times: Always}) })
		if !strings.HasPrefix(got, "demeterrrtest: Inject: route ") || !strings.Contains(got, want) {
			t.Errorf("%q: panic %q, want %q", route, got, want)
		}
	}
}

func TestARouteThatCanBeSelectedIsAccepted(t *testing.T) {
	t.Parallel()
	for route, target := range map[string]string{
		"":                          "GET /contacts",
		"/contacts":                 "HEAD /contacts",
		"GET /surveys":              "GET /surveys",
		"PUT /reviews/{id}/reply":   "PUT /reviews/1/reply",
		"OPTIONS /{any}/{number}":   "OPTIONS /contacts/1",
		"DELETE /contacts/a:b@c":    "DELETE /contacts/" + url.PathEscape("a:b@c"),
		"PATCH /contacts/a%2Fb%20c": "PATCH /contacts/" + url.PathEscape("a/b c"),
	} {
		s := NewServer()
		s.Inject(Fault{Route: route, Status: 418})
		method, path, _ := strings.Cut(target, " ")
		if got := send(t, s, method, path, ""); got.status != 418 {
			t.Errorf("%q: %s was answered with %d", route, target, got.status)
		}
	}
}

func TestAFaultSettingWithoutEffectIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault Fault
		want  string
	}{
		{Fault{}, "nothing would go wrong"},
		{Fault{Times: 3, Skip: 1, RetryAfter: time.Second}, "nothing would go wrong"},
		{Fault{Status: 500, ContentType: "text/plain"}, "contentType is for Body"},
		{Fault{Delay: 1, AfterWork: true}, "afterWork is for Status and Code"},
		{Fault{Drop: DropBefore, Code: demeterrr.CodeInternal}, "carries no reply"},
		{Fault{Drop: DropAfter, RetryAfter: time.Second}, "carries no reply"},
		{Fault{Drop: NoConnection, Header: http.Header{"X": {"y"}}}, "carries no reply"},
		{Fault{Drop: DropAfter, IgnoreQuery: []string{"page"}}, "carries no reply"},
		{Fault{Status: 500, IgnoreQuery: []string{"page"}}, "ignoreQuery is for a reply of the server's own"},
		{Fault{IgnoreQuery: []string{"page", ""}}, "an empty parameter"},
		{Fault{Status: 204, Body: "{}"}, "a reply with status 204 has no body"},
		{Fault{Status: 304, Code: demeterrr.CodeInternal}, "a reply with status 304 has no body"},
		{Fault{Status: 500, Header: http.Header{"Retry After": {"1"}}}, `header "Retry After" is not a name`},
		{Fault{Status: 500, Header: http.Header{"content-length": {"1"}}}, "the server sets Content-Length"},
	} {
		got := refusal(func() { NewServer().Inject(test.fault) })
		if !strings.HasPrefix(got, "demeterrrtest: Inject: ") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: panic %q, want %q", test.fault, got, test.want)
		}
	}
}

func TestAFaultBehindOneThatNeverEndsIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, second Fault
		refused       bool
	}{
		{Fault{Times: Always}, Fault{Route: "GET /contacts"}, true},
		{Fault{Route: "GET /contacts", Times: Always}, Fault{Route: "GET /contacts"}, true},
		{Fault{Route: "/contacts/{id}", Times: Always}, Fault{Route: "GET /contacts/{any}"}, true},
		{Fault{Route: "/contacts/{id}", Times: Always}, Fault{Route: "GET /contacts/x"}, true},
		{Fault{Route: "/contacts/x", Times: Always}, Fault{Route: "GET /contacts/{id}"}, false},
		{Fault{Route: "GET /contacts", Times: Always}, Fault{Route: "/contacts"}, false},
		{Fault{Route: "GET /contacts", Times: Always}, Fault{}, false},
		{Fault{Times: Always, Skip: 1}, Fault{}, false},
		{Fault{Times: 9}, Fault{}, false},
	} {
		s := NewServer()
		test.first.Status, test.second.Status = 500, 502
		s.Inject(test.first)
		got := refusal(func() { s.Inject(test.second) })
		if refused := strings.Contains(got, "an earlier fault takes these requests"); refused != test.refused {
			t.Errorf("%+v, then %+v: panic %q", test.first, test.second, got)
		}
		s.ClearFaults()
		if got := refusal(func() { s.Inject(test.second) }); got != "" {
			t.Errorf("after ClearFaults: %s", got)
		}
	}
	closed := NewServer()
	closed.Close()
	if got := refusal(func() { closed.Inject(Fault{Status: 500}) }); !strings.Contains(got, "the server is closed") {
		t.Errorf("after Close: panic %q", got)
	}
}
