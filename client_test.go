package demeterrr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestHeadersOfARequest(t *testing.T) {
	t.Parallel()
	own := `demeterrr-go/0\.1\.0 \(go1\.\d+; [a-z0-9]+/[a-z0-9]+\)$`
	for _, test := range []struct {
		opts []demeterrr.Option
		want string
	}{
		{nil, `^` + own},
		{[]demeterrr.Option{demeterrr.WithAppInfo("shop", "2.3-rc.1")}, `^shop/2\.3-rc\.1 ` + own},
		{[]demeterrr.Option{demeterrr.WithAppInfo("shop", "")}, `^shop ` + own},
		{[]demeterrr.Option{demeterrr.WithAppInfo("a", "1"), demeterrr.WithAppInfo("b", "2")}, `^b/2 ` + own},
	} {
		for _, e := range endpoints {
			var j journal
			if err := e.call(t.Context(), serving(t, j.record(answer(200, e.good)), test.opts...), johnID); err != nil {
				t.Fatalf("%s: %v", e.name, err)
			}
			sent := j.arrivals()[0]
			if agents := sent.Header["User-Agent"]; len(agents) != 1 || !regexp.MustCompile(test.want).MatchString(agents[0]) {
				t.Errorf("%s: User-Agent is %q, want %s", e.name, agents, test.want)
			}
			want := http.Header{"X-Api-Key": {canaryKey}, "Accept": {"application/json"}, "User-Agent": sent.Header["User-Agent"]}
			if sent.Body != "" {
				want["Content-Type"] = []string{"application/json"}
			}
			same(t, e.name+": headers", sent.Header, want)
			same(t, e.name+": request", sent.Method+" "+sent.Path, e.method+" /api/v1"+strings.Replace(e.path, "{id}", johnID, 1))
			same(t, e.name+": has a body", sent.Body != "", e.body)
		}
	}
}

// TestEndpointsHasEveryMethod finds the methods that send one request, by their
// last parameter. Tests that go through endpoints then cover all of them.
func TestEndpointsHasEveryMethod(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, e := range endpoints {
		listed[e.name] = true
	}
	callers := map[string]reflect.Type{"": reflect.TypeFor[*demeterrr.Client]()}
	for field := range reflect.TypeFor[demeterrr.Client]().Fields() {
		if field.IsExported() { // a service
			callers[field.Name+"."] = field.Type
		}
	}
	options := reflect.TypeFor[[]demeterrr.CallOption]()
	found := map[string]bool{}
	for prefix, caller := range callers {
		for method := range caller.Methods() {
			if in := method.Type.NumIn(); in > 0 && method.Type.In(in-1) == options {
				found[prefix+method.Name] = true
			}
		}
	}
	same(t, "methods that take call options", listed, found)
}

func TestIDsAreEscapedAsOneSegment(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"a b": "a%20b", "100%": "100%25", "%2e%2e": "%252e%252e", "%2F": "%252F", "Zoë": "Zo%C3%AB", "...": "...", "a;b=c,d&e+f:@": "a%3Bb=c%2Cd&e+f:@", "{id}": "%7Bid%7D", "~*'()!$": "~%2A%27%28%29%21$",
	} {
		for _, e := range endpoints {
			if !e.hasID {
				continue
			}
			var j journal
			c := serving(t, j.record(answer(200, e.good)), demeterrr.WithBaseURL("https://host/a%2Fb/"))
			if err := e.call(t.Context(), c, id); err != nil {
				t.Errorf("%s %q: %v", e.name, id, err)
				continue
			}
			got := j.arrivals()[0].Path
			before, after, _ := strings.Cut(e.path, "{id}")
			plain, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(got, "/a%2Fb"+before), after))
			if err != nil || plain != id || strings.Count(got, "/") != strings.Count("/ab"+e.path, "/") {
				t.Errorf("%s %q: the path is %q", e.name, id, got)
			}
			if w := "/a%2Fb" + strings.Replace(e.path, "{id}", want, 1); id != "~*'()!$" && id != "a;b=c,d&e+f:@" && got != w {
				t.Errorf("%s %q: the path is %q, want %q", e.name, id, got, w)
			}
		}
	}
}

func TestBadRawRequestsAreRefused(t *testing.T) {
	t.Parallel()
	var out any
	var noPointer *struct{}
	get := func(path string) *demeterrr.Request { return &demeterrr.Request{Method: "GET", Path: path} }
	for what, test := range map[string]struct {
		req  *demeterrr.Request
		out  any
		says string
	}{
		"nil":               {nil, &out, "the request is nil"},
		"no method":         {&demeterrr.Request{Path: "/x"}, &out, "the method must be"},
		"lower case":        {&demeterrr.Request{Method: "get", Path: "/x"}, &out, "the method must be"},
		"HEAD":              {&demeterrr.Request{Method: "HEAD", Path: "/x"}, &out, "the method must be"},
		"injected method":   {&demeterrr.Request{Method: "GET /evil HTTP/1.1\r\nX: ", Path: "/x"}, &out, "the method must be"},
		"no path":           {get(""), &out, "the path is empty"},
		"slash":             {get("/"), &out, "the path is empty"},
		"query":             {get("/x?a=b"), &out, "use Request.Query"},
		"fragment":          {get("/x#a"), &out, "must be escaped"},
		"space":             {get("/a b"), &out, "must be escaped"},
		"newline":           {get("/a\r\nX-Evil: 1"), &out, "must be escaped"},
		"NUL":               {get("/a\x00"), &out, "must be escaped"},
		"unicode":           {get("/é"), &out, "must be escaped"},
		"backslash":         {get(`/a\..\b`), &out, "must be escaped"},
		"stray percent":     {get("/100%"), &out, "% that is not an escape"},
		"half an escape":    {get("/a%2"), &out, "% that is not an escape"},
		"dot":               {get("/a/./b"), &out, "dot segments"},
		"dots":              {get("/../admin"), &out, "dot segments"},
		"dots at the start": {get("../admin"), &out, "dot segments"},
		"dots at the end":   {get("/a/.."), &out, "dot segments"},
		"escaped dots":      {get("/a/%2e%2E/b"), &out, "dot segments"},
		"half escaped dots": {get("/a/.%2e"), &out, "dot segments"},
		"escaped slash":     {get("/a/..%2f..%2Fadmin"), &out, "dot segments"},
		"escaped backslash": {get("/a%5c..%5Cadmin"), &out, "dot segments"},
		"host":              {get("//evil.example/x"), &out, "relative to the base URL"},
		"three slashes":     {get("///evil.example/x"), &out, "relative to the base URL"},
		"URL":               {get("https://evil.example/x"), &out, "relative to the base URL"},
		"URL after a slash": {get("/https://evil.example/x"), &out, "relative to the base URL"},
		"GET with a body":   {&demeterrr.Request{Method: "GET", Path: "/x", Body: 1}, &out, "a GET request has no body"},
		"no pointer":        {get("/x"), out2{}, "out must be a pointer"},
		"map":               {get("/x"), map[string]any{}, "out must be a pointer"},
		"nil pointer":       {get("/x"), noPointer, "out must be a pointer"},
		"channel":           {&demeterrr.Request{Method: "POST", Path: "/x", Body: make(chan int)}, &out, "cannot be encoded"},
		"Latin-1":           {&demeterrr.Request{Method: "POST", Path: "/x", Body: struct{ Name string }{"J\xf6rg"}}, nil, "UTF-8"},
		"Latin-1 map":       {&demeterrr.Request{Method: "POST", Path: "/x", Body: map[string]string{"name": "J\xf6rg"}}, nil, "UTF-8"},
		"Latin-1 key":       {&demeterrr.Request{Method: "POST", Path: "/x", Body: map[demeterrr.Language]int{"J\xf6rg": 1}}, nil, "UTF-8"},
		"Latin-1 Opt":       {&demeterrr.Request{Method: "POST", Path: "/x", Body: struct{ Name demeterrr.Opt[string] }{demeterrr.Set("J\xf6rg")}}, nil, "UTF-8"},
		"Latin-1 raw":       {&demeterrr.Request{Method: "POST", Path: "/x", Body: json.RawMessage("\"J\xf6rg\"")}, nil, "UTF-8"},
	} {
		err := serving(t, neverSent(t)).Do(t.Context(), test.req, test.out)
		refusedBeforeSending(t, what, err, demeterrr.ErrValidation, test.says)
		if text := shown(err); what != "URL" && strings.Contains(text, "X-Evil: 1\n") {
			t.Errorf("%s: the path breaks the line: %s", what, text)
		}
	}
}

type out2 struct{}

func TestDoSendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		req  demeterrr.Request
		want arrival
	}{
		{demeterrr.Request{Method: "GET", Path: "surveys"}, arrival{Method: "GET", Path: "/api/v1/surveys"}},
		{demeterrr.Request{Method: "GET", Path: "/a%2Fb/%25/x:y@z", Query: url.Values{"b": {"2 3", "&"}, "a": {"é"}}}, arrival{Method: "GET", Path: "/api/v1/a%2Fb/%25/x:y@z", Query: "a=%C3%A9&b=2+3&b=%26"}},
		{demeterrr.Request{Method: "POST", Path: "/surveys", Body: map[string]any{"html": "<&>"}}, arrival{Method: "POST", Path: "/api/v1/surveys", Body: `{"html":"<&>"}`}},
		{demeterrr.Request{Method: "PUT", Path: "/surveys/1/", Body: json.RawMessage(`"hi"`)}, arrival{Method: "PUT", Path: "/api/v1/surveys/1/", Body: `"hi"`}},
		{demeterrr.Request{Method: "POST", Path: "/surveys"}, arrival{Method: "POST", Path: "/api/v1/surveys"}},
		{demeterrr.Request{Method: "DELETE", Path: "/surveys/1", Body: struct{}{}}, arrival{Method: "DELETE", Path: "/api/v1/surveys/1", Body: `{}`}},
	} {
		var j journal
		var out map[string]int
		if err := serving(t, j.record(answer(200, `{"data":1,"meta":2}`))).Do(t.Context(), &test.req, &out); err != nil {
			t.Fatal(err)
		}
		same(t, "the whole body", out, map[string]int{"data": 1, "meta": 2})
		got := j.arrivals()[0]
		got.Header = nil
		same(t, "request", got, test.want)
	}
}

func TestWithResponseTellsOfTheLastReply(t *testing.T) {
	t.Parallel()
	c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req-1")
		w.Header().Set("X-RateLimit-Limit", "1000")
		w.Header().Set("X-RateLimit-Remaining", "987")
		w.Header().Set("X-RateLimit-Reset", "1644518400")
		answer(404, notFoundBody)(w, nil)
	})
	same(t, "before any reply", c.RateLimit(), demeterrr.RateLimit{})
	want := demeterrr.RateLimit{Limit: 1000, Remaining: 987, Reset: time.Unix(1644518400, 0)}
	for _, e := range endpoints {
		var first, second demeterrr.Response
		if err := e.call(t.Context(), c, johnID, demeterrr.WithResponse(&first), demeterrr.WithResponse(&second)); err == nil {
			t.Errorf("%s: success", e.name)
		}
		same(t, e.name, []any{first.StatusCode, first.RequestID, first.RateLimit, first.Attempts, first.Header.Get("X-Request-Id")}, []any{404, "req-1", want, 1, "req-1"})
		same(t, e.name+": both", first, second)
	}
	same(t, "the client's", c.RateLimit(), want)
}

func TestAResponseIsZeroWhenThereWasNoReply(t *testing.T) {
	t.Parallel()
	lost := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("gone") })}
	for _, e := range endpoints {
		resp := demeterrr.Response{StatusCode: 200, RequestID: "of another call", Attempts: 7}
		if err := e.call(t.Context(), serving(t, nil, demeterrr.WithHTTPClient(lost)), johnID, demeterrr.WithResponse(&resp)); err == nil {
			t.Errorf("%s: success", e.name)
		}
		same(t, e.name+": lost", resp, demeterrr.Response{Attempts: 1})
		resp = demeterrr.Response{StatusCode: 200, RequestID: "of another call", Attempts: 7}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.call(ended, serving(t, neverSent(t)), johnID, demeterrr.WithResponse(&resp)); err == nil {
			t.Errorf("%s: success", e.name)
		}
		same(t, e.name+": canceled before", resp, demeterrr.Response{})
	}
}

func TestACookieJarWorksAndItsCookiesAreSentOnce(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	n := 0
	hc := &http.Client{Jar: jar, Transport: handlerTransport{j.record(func(w http.ResponseWriter, _ *http.Request) {
		n++
		http.SetCookie(w, &http.Cookie{Name: "lb", Value: fmt.Sprint(n), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		answer([]int{503, 503, 200}[n-1], johnBody)(w, nil)
	})}}
	c, err := demeterrr.New(canaryKey, quick, demeterrr.WithHTTPClient(hc))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Contacts.Get(t.Context(), johnID); err != nil {
		t.Fatal(err)
	}
	got := [][]string{}
	for _, a := range j.arrivals() {
		got = append(got, a.Header["Cookie"])
	}
	same(t, "cookies", got, [][]string{nil, {"lb=1"}, {"lb=2"}})
}

func TestNoWayOfPrintingAClientShowsTheKey(t *testing.T) {
	t.Parallel()
	c, err := demeterrr.New(canaryKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{c, &c, c.Contacts, *c.Contacts, c.Sequences, struct{ C *demeterrr.Client }{c}, []any{c}, map[string]any{"c": c}} {
		noSecret(t, v)
	}
}

func TestAClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Limit", "1000")
		w.Header().Set("X-RateLimit-Remaining", "7")
		for _, e := range endpoints {
			if r.Method == e.method && regexp.MustCompile(`^/api/v1`+strings.Replace(e.path, "{id}", "[^/]+", 1)+`$`).MatchString(r.URL.Path) {
				answer(200, e.good)(w, r)
				return
			}
		}
		answer(404, notFoundBody)(w, r)
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for _, e := range endpoints {
				var resp demeterrr.Response
				if err := e.call(t.Context(), c, johnID, demeterrr.WithResponse(&resp)); err != nil || resp.StatusCode != 200 || c.RateLimit().Remaining != 7 {
					t.Errorf("%s: %v, %+v", e.name, err, resp)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/surveys", "a/b", "/a%2Fb", "/%2e", "//x", "/..;/x", "/a/..%2f", "/;@:&=+$,!*'()~-_.", "/%252e%252e/", "/[x]", "/x%00", "/%5c.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		var j journal
		c := serving(t, j.record(answer(200, "{}")), demeterrr.WithBaseURL("https://host/base"))
		err := c.Do(context.Background(), &demeterrr.Request{Method: "GET", Path: path}, nil)
		if err != nil {
			refusedBeforeSending(t, path, err, demeterrr.ErrValidation, "")
			return
		}
		got := j.arrivals()
		if want := "/base/" + strings.TrimPrefix(path, "/"); len(got) != 1 || got[0].Path != want || got[0].Query != "" {
			t.Fatalf("%q arrived as %+v, want %q", path, got, want)
		}
		plain, err := url.PathUnescape(got[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		if below, err := url.Parse("https://host/"); err != nil || !strings.HasPrefix(below.ResolveReference(&url.URL{Path: strings.ReplaceAll(plain, `\`, "/")}).Path, "/base/") {
			t.Errorf("%q leaves the base path", path)
		}
	})
}

func TestTheBaseURLIsThatOfTheOption(t *testing.T) {
	t.Parallel()
	c, err := demeterrr.New(testKey, demeterrr.WithBaseURL("https://feedback.example.com/api/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	var none *demeterrr.Client
	same(t, "addresses", []string{c.BaseURL(), (&demeterrr.Client{}).BaseURL(), none.BaseURL()}, []string{"https://feedback.example.com/api/v1", "", ""})
}
