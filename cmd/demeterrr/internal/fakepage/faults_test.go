package fakepage

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/google/go-cmp/cmp"
)

func TestAFaultOfNonsenseIsA400(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	for in, says := range map[string]string{
		"":                                       "want a fault as a JSON object",
		"null":                                   "want one JSON object",
		"[]":                                     "want a fault as a JSON object",
		"{}":                                     "nothing would go wrong",
		`{"status":500}{}`:                       "nothing after it",
		`{"status":"500"}`:                       "want a fault as a JSON object",
		`{"statsu":500}`:                         `unknown field`,
		`{"status":42}`:                          "status 42: want 200 to 599",
		`{"status":500,"times":-2}`:              "must not be negative",
		`{"status":500,"skip":-1}`:               "must not be negative",
		`{"status":500,"for":-1}`:                "for: want 0 to 86400 seconds",
		`{"status":500,"for":1e-10}`:             "for: want 0 to 86400 seconds",
		`{"header":{"X-A":"a\r\nX-B: b"}}`:       "has a line break",
		`{"body":"x","contentType":"a\nb"}`:      "contentType has a line break",
		`{"header":{"transfer-encoding":"x"}}`:   "the server sets Transfer-Encoding",
		`{"delay":1e300}`:                        "delay: want 0 to 86400 seconds",
		`{"status":429,"retryAfter":1e9}`:        "retryAfter: want 0 to 86400 seconds",
		`{"status":500,"route":"contacts"}`:      "want a form like",
		`{"status":500,"route":"EAT /contacts"}`: "EAT",
		`{"drop":"sideways"}`:                    "want noConnection, before, after or truncate",
		`{"drop":"after","status":500}`:          "a dropped connection carries no reply",
		`{"status":500,"header":{"a b":"c"}}`:    "is not a name that HTTP allows",
		`{"code":"NO_SUCH_CODE"}`:                "is not documented",
		`{"body":"` + strings.Repeat("x", maxControl) + `"}`: "too large",
	} {
		got := read[map[string]map[string]string](t, f.send(t, "POST", "/_fake/faults", in))
		if text := body(t, f.send(t, "POST", "/_fake/faults", in), 400); !strings.Contains(got["error"]["message"], says) {
			t.Errorf("%s: %s, want %q", cut(in, 60), text, says)
		}
	}
	if faults := f.server().Faults(); len(faults) > 0 {
		t.Errorf("%v was injected", faults)
	}
	body(t, f.send(t, "POST", "/_fake/faults", `{"status":500,"times":-1}`), 201)
	if text := body(t, f.send(t, "POST", "/_fake/faults", `{"status":501}`), 400); !strings.Contains(text, "never ends") {
		t.Error(text)
	}
	body(t, f.send(t, "DELETE", "/_fake/faults", ""), 204)
	for range maxFaults {
		body(t, f.send(t, "POST", "/_fake/faults", `{"status":500}`), 201)
	}
	if text := body(t, f.send(t, "POST", "/_fake/faults", `{"status":500}`), 400); !strings.Contains(text, "100 faults wait already") {
		t.Error(text)
	}
}

func TestEveryMemberOfAFaultArrives(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]demeterrrtest.Fault{
		`{"route":"POST /contacts","skip":2,"times":3,"for":1.5,"status":429,"code":"RATE_LIMIT_EXCEEDED","afterWork":true,"body":"{}","contentType":"text/x","retryAfter":60,"header":{"x-a":"b"},"delay":0.25}`: {
			Route: "POST /contacts", Skip: 2, Times: 3, For: 1500 * time.Millisecond, Status: 429, Code: "RATE_LIMIT_EXCEEDED", AfterWork: true,
			Body: "{}", ContentType: "text/x", RetryAfter: time.Minute, Header: map[string][]string{"X-A": {"b"}}, Delay: 250 * time.Millisecond,
		},
		`{"drop":"noConnection"}`:   {Drop: demeterrrtest.NoConnection},
		`{"drop":"before"}`:         {Drop: demeterrrtest.DropBefore},
		`{"drop":"after"}`:          {Drop: demeterrrtest.DropAfter},
		`{"drop":"truncate"}`:       {Drop: demeterrrtest.Truncate},
		`{"ignoreQuery":["page"]}`:  {IgnoreQuery: []string{"page"}},
		`{"status":503,"times":-1}`: {Status: 503, Times: demeterrrtest.Always},
	} {
		got, err := readFault(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
		shown, err := json.Marshal(newFault(got).fault)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readFault(bytes.NewReader(shown))
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Errorf("%s is shown as %s: %v %s", in, shown, err, diff)
		}
	}
}

// FuzzFault injects whatever comes: it is an error or a fault, and no panic.
func FuzzFault(f *testing.F) {
	for _, in := range []string{`{"status":500}`, `{"drop":"after","route":"POST /contacts"}`, `{"for":1e-9,"status":429}`, `{"header":{"a":"b\n"}}`, `{"body":"\u0000","times":-1}`} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		page := newPage(t, "")
		resp := page.send(t, "POST", "/_fake/faults", in+" ")
		if resp.Code != 201 && resp.Code != 400 || !json.Valid(resp.Body.Bytes()) {
			t.Errorf("%d %s", resp.Code, resp.Body)
		}
		if n := len(page.server().Faults()); resp.Code == 400 && n > 0 {
			t.Errorf("%d faults", n)
		}
		if s := page.stateNow(t); s["apiKey"] != page.APIKey() {
			t.Errorf("%v", s)
		}
	})
}

func TestWhatAFaultDoesIsSaidInWords(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]demeterrrtest.Fault{
		"500, the next request":                                    {Status: 500, Times: 1},
		"500 after the work, the next POST /contacts":              {Status: 500, AfterWork: true, Route: "POST /contacts"},
		"429, every request":                                       {Status: 429, Times: demeterrrtest.Always},
		"429, every GET /contacts":                                 {Status: 429, Route: "GET /contacts", For: time.Minute},
		"429, the next 2 GET /contacts":                            {Status: 429, Route: "GET /contacts", For: time.Minute, Times: 2},
		"503, the next 4 GET /contacts":                            {Status: 503, Times: 4, Route: "GET /contacts"},
		"502, the next 2 requests":                                 {Status: 502, Times: 2},
		"reply lost after the work after 2 more, the next request": {Drop: demeterrrtest.DropAfter, Skip: 2},
		"no connection, the next request":                          {Drop: demeterrrtest.NoConnection},
		"connection lost before the work, the next request":        {Drop: demeterrrtest.DropBefore},
		"reply cut short, the next request":                        {Drop: demeterrrtest.Truncate},
		"EXPIRED_API_KEY, the next request":                        {Code: "EXPIRED_API_KEY"},
		"reply delayed by 2s, the next request":                    {Delay: 2 * time.Second},
		"another body, the next request":                           {Body: "{}"},
		"query ignored, the next request":                          {IgnoreQuery: []string{"page"}},
		"other headers, the next request":                          {Header: map[string][]string{"A": {"b"}}},
	} {
		if got := what(f); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}
