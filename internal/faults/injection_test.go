package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// nasty are texts that have broken other clients.
var nasty = []string{
	"plain", "with space", " leading", "trailing ", "\t", "\r\n", "a\r\nX-Injected: yes", "a\nb", "a\x00b", "\x00", "\x7f", "\x1b[31m", "\u0085", "\u2028", "\ufeffbom",
	".", "..", "../", "../../admin", "..\\..", "%2e%2e", "%2e%2e%2f", "..%2f..", "%2F", "%00", "%0d%0aX-Injected:%20yes", "%", "%zz", "%25",
	"a/b", "/a", "//evil.test/x", "a?b=c", "?", "a#b", "#", "a&page=2", "a=b", "a;b", "a+b", "a:b", "a@b", "a,b", "a|b", "a\\b", "a\"b", "a'b", "`", "$(id)", "${x}", "{{x}}",
	"<script>", "&amp;", "' OR 1=1 --", "null", "true", "0", "-1", "[]", "{}", "__proto__", "é", "日本語", "🙂", "e\u0301", "\u202eabc", "a\u200bb",
	"\xff", "a\xc3\x28", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", strings.Repeat("x", 5_000), strings.Repeat("é", 3_000),
}

// recorder is a server that keeps the last request unchanged.
type recorder struct {
	mu     sync.Mutex
	count  int
	uri    string
	header http.Header
	body   []byte
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.uri, s.header = r.RequestURI, r.Header
	s.body, _ = io.ReadAll(r.Body)
	w.WriteHeader(http.StatusTeapot) // no rule repeats it
}

// place is a place for a text of the caller. It returns the text received there
// by the server.
type place struct {
	name string
	call func(c *demeterrr.Client, text string) error
	got  func(s *recorder) (any, error)
	want func(text string) any
}

// segment returns the text received between two parts of the path.
func segment(before, after string) func(*recorder) (any, error) {
	return func(s *recorder) (any, error) {
		rest, ok1 := strings.CutPrefix(s.uri, "/api/v1/"+before+"/")
		rest, ok2 := strings.CutSuffix(rest, after)
		if !ok1 || !ok2 || strings.ContainsAny(rest, "/?#") || rest == "." || rest == ".." {
			return nil, fmt.Errorf("the request went to %q", s.uri)
		}
		return url.PathUnescape(rest)
	}
}

// query returns the text received as the only parameter.
func query(name string) func(*recorder) (any, error) {
	return func(s *recorder) (any, error) {
		u, err := url.ParseRequestURI(s.uri)
		if err != nil || u.EscapedPath() != "/api/v1/contacts" {
			return nil, fmt.Errorf("the request went to %q", s.uri)
		}
		values, err := url.ParseQuery(u.RawQuery)
		if len(values) != 1 || len(values[name]) != 1 {
			return nil, fmt.Errorf("the query is %q", values)
		}
		return values.Get(name), err
	}
}

// member returns the text received in the body, under these names.
func member(names ...string) func(*recorder) (any, error) {
	return func(s *recorder) (any, error) {
		var body any
		err := json.Unmarshal(s.body, &body)
		for _, name := range names {
			m, ok := body.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("the body is %q", s.body)
			}
			body = m[name]
		}
		return body, err
	}
}

func places(t *testing.T) []place {
	t.Helper()
	ctx := t.Context()
	same := func(text string) any { return text }
	list := func(text string) any { return []any{text, "other"} }
	object := func(text string) any { return map[string]any{text: text} }
	params := func(change func(p *demeterrr.ContactParams)) func(c *demeterrr.Client) error {
		return func(c *demeterrr.Client) error {
			p := &demeterrr.ContactParams{Email: "a@b.test", FirstName: "A"}
			change(p)
			_, err := c.Contacts.Create(ctx, p)
			return err
		}
	}
	return []place{
		{"Contacts.Get id", func(c *demeterrr.Client, x string) error { _, err := c.Contacts.Get(ctx, x); return err }, segment("contacts", ""), same},
		{"Contacts.Delete id", func(c *demeterrr.Client, x string) error { return c.Contacts.Delete(ctx, x) }, segment("contacts", ""), same},
		{"Contacts.Update id", func(c *demeterrr.Client, x string) error {
			_, err := c.Contacts.Update(ctx, x, &demeterrr.ContactUpdate{Title: demeterrr.Set("Dr.")})
			return err
		}, segment("contacts", ""), same},
		{"Sequences.Get id", func(c *demeterrr.Client, x string) error { _, err := c.Sequences.Get(ctx, x); return err }, segment("sequences", ""), same},
		{"Sequences.Execute id", func(c *demeterrr.Client, x string) error {
			_, err := c.Sequences.Execute(ctx, x, &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "a@b.test"}}})
			return err
		}, segment("sequences", "/execute"), same},
		{"Do path", func(c *demeterrr.Client, x string) error {
			return c.Do(ctx, &demeterrr.Request{Method: "GET", Path: "/contacts/" + url.PathEscape(x)}, nil)
		}, segment("contacts", ""), same},
		{"Do path, not escaped", func(c *demeterrr.Client, x string) error {
			return c.Do(ctx, &demeterrr.Request{Method: "GET", Path: "/contacts/" + x}, nil)
		}, func(s *recorder) (any, error) { return strings.TrimPrefix(s.uri, "/api/v1/contacts/"), nil }, same},
		{"FindByEmail", func(c *demeterrr.Client, x string) error {
			_, err := c.Contacts.FindByEmail(ctx, x+"@b.test")
			return err
		}, query("email"), func(x string) any { return x + "@b.test" }},
		{"List search", func(c *demeterrr.Client, x string) error {
			_, err := c.Contacts.List(ctx, &demeterrr.ContactListParams{Search: x})
			return err
		}, query("search"), same},
		{"List location", func(c *demeterrr.Client, x string) error {
			_, err := c.Contacts.List(ctx, &demeterrr.ContactListParams{LocationID: x})
			return err
		}, query("location_id"), same},
		{"Create email", func(c *demeterrr.Client, x string) error {
			return params(func(p *demeterrr.ContactParams) { p.Email = x + "@b.test" })(c)
		}, member("email"), func(x string) any { return x + "@b.test" }},
		{"Create name", func(c *demeterrr.Client, x string) error {
			return params(func(p *demeterrr.ContactParams) { p.FirstName = x })(c)
		}, member("firstName"), same},
		{"Create tag", func(c *demeterrr.Client, x string) error {
			return params(func(p *demeterrr.ContactParams) { p.Tags = []string{x, "other"} })(c)
		}, member("tags"), list},
		{"Create custom field", func(c *demeterrr.Client, x string) error {
			return params(func(p *demeterrr.ContactParams) { p.CustomFields = map[string]any{x: x} })(c)
		}, member("customFields"), object},
		{"Do body", func(c *demeterrr.Client, x string) error {
			return c.Do(ctx, &demeterrr.Request{Method: "POST", Path: "/surveys", Body: map[string]any{"data": map[string]any{x: x}}}, nil)
		}, member("data"), object},
	}
}

// Any text in any place is rejected before anything is sent, or arrives
// exactly, in its place, and alone.
func TestTextsAreRefusedOrCarriedExactly(t *testing.T) {
	t.Parallel()
	s := &recorder{}
	server := httptest.NewServer(s)
	defer server.Close()
	const key = "dem_canary0000000000000000000000000000000000001"
	c := must(demeterrr.New(key, demeterrr.WithBaseURL(server.URL+"/api/v1"), demeterrr.WithHTTPClient(server.Client())))
	headers := []string{"Accept", "Accept-Encoding", "Content-Length", "Content-Type", "User-Agent", "X-Api-Key"}
	refused, carried := 0, 0
	for _, p := range places(t) {
		for _, text := range nasty {
			s.count = 0
			err := p.call(c, text)
			var e *demeterrr.Error
			switch {
			case !errors.As(err, &e):
				t.Errorf("%s %.60q: got %v", p.name, text, err)
			case e.Attempts == 0:
				refused++
				if s.count != 0 || !errors.Is(err, demeterrr.ErrValidation) {
					t.Errorf("%s %.60q: refused, but %d requests were sent: %v", p.name, text, s.count, err)
				}
			default:
				carried++
				if s.count != 1 {
					t.Errorf("%s %.60q: %d requests", p.name, text, s.count)
				}
				if got, err := p.got(s); err != nil || !reflect.DeepEqual(got, p.want(text)) {
					t.Errorf("%s %.60q: the server got %.100q, %v", p.name, text, got, err)
				}
				for name := range s.header {
					if !slices.Contains(headers, name) {
						t.Errorf("%s %.60q: a header %s", p.name, text, name)
					}
				}
				if s.header.Get("X-Api-Key") != key {
					t.Errorf("%s %.60q: the key arrived as %q", p.name, text, s.header.Get("X-Api-Key"))
				}
			}
			if msg := err.Error(); strings.ContainsAny(msg, "\r\n\x00\x1b") {
				t.Errorf("%s %.60q: the error breaks its line: %q", p.name, text, msg)
			}
		}
	}
	t.Logf("%d places, %d texts: %d refused, %d carried exactly", len(places(t)), len(nasty), refused, carried)
}

// The key and the name of the program are header values: they are refused by
// New or sent as they are.
func TestHeaderValuesAreRefusedOrCarriedExactly(t *testing.T) {
	t.Parallel()
	s := &recorder{}
	server := httptest.NewServer(s)
	defer server.Close()
	try := func(what, text string, header func() string, key string, opts ...demeterrr.Option) {
		opts = append(opts, demeterrr.WithBaseURL(server.URL), demeterrr.WithHTTPClient(server.Client()))
		c, err := demeterrr.New(key, opts...)
		if err != nil {
			if strings.Contains(err.Error(), text) && len(text) > 3 {
				t.Errorf("%s %.60q: the error repeats it: %v", what, text, err)
			}
			return
		}
		s.header = nil
		_, err = c.Contacts.Get(t.Context(), "x")
		if got := header(); got != text || len(s.header["X-Injected"]) > 0 {
			t.Errorf("%s %.60q: the server got %.100q: %v", what, text, got, err)
		}
	}
	for _, text := range nasty {
		try("key", "dem_"+text, func() string { return s.header.Get("X-Api-Key") }, "dem_"+text)
		try("name", text, func() string { name, _, _ := strings.Cut(s.header.Get("User-Agent"), " demeterrr-go/"); return name }, "dem_x", demeterrr.WithAppInfo(text, ""))
		try("version", text, func() string {
			name, _, _ := strings.Cut(strings.TrimPrefix(s.header.Get("User-Agent"), "app/"), " demeterrr-go/")
			return name
		}, "dem_x", demeterrr.WithAppInfo("app", text))
	}
}
