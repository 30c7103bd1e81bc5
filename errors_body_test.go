package demeterrr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go"
)

// failWith returns the error for a reply with this status and body.
func failWith(t testing.TB, status int, body string) *demeterrr.Error {
	t.Helper()
	_, err := serving(t, answer(status, body)).Contacts.List(t.Context(), &demeterrr.ContactListParams{Search: "Zoë & Søn", Phone: "+15551234567"})
	var e *demeterrr.Error
	if !errors.As(err, &e) {
		t.Fatalf("%d %q: %v is no *Error", status, body, err)
	}
	return e
}

func TestAReplyOfAProxyIsKeptAsAScrubbedExcerpt(t *testing.T) {
	t.Parallel()
	secrets := canaryKey + ` Zoë &amp; Søn Zo%C3%AB+%26+S%C3%B8n Zo%C3%AB%20&%20S%C3%B8n +15551234567 %2B15551234567 jane@example.com jane%40example.com <b>bob@example.com</b> `
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{413, "<html><h1>413 Request Entity Too Large</h1></html>", "413 Request Entity Too Large"},
		{422, "unprocessable: ask admin@example.com", "unprocessable: ask [removed]"},
		{502, "<html>\r\n<h1>502 Bad Gateway</h1>\r\n</html>", "<html> <h1>502 Bad Gateway</h1> </html>"},
		{503, secrets + strings.Repeat("é", 1000), "[removed] [removed]"},
		{504, "", ""},
		{404, `{"message":"no Route matched with those values"}`, "no Route matched"},
		{500, "\xff\xfe\x00", "\uFFFD"},
	} {
		e := failWith(t, test.status, test.body)
		if e.StatusCode != test.status || e.Code != "" || !strings.Contains(e.Message, test.want) {
			t.Errorf("%d: got %d, code %q, message %q", test.status, e.StatusCode, e.Code, e.Message)
		}
		if len(e.Message) > 200 || !utf8.ValidString(e.Message) {
			t.Errorf("%d: the excerpt has %d bytes: %q", test.status, len(e.Message), e.Message)
		}
		if text := http.StatusText(test.status); !strings.Contains(e.Error(), fmt.Sprintf("%d %s", test.status, text)) {
			t.Errorf("%d: the text does not name the status: %s", test.status, e)
		}
		noSecret(t, e, "Søn", "S%C3%B8n", "5551234567", "@example.com", "%40example.com", "jane", "bob")
	}
}

func TestShortQueryValuesDoNotSwellTheExcerpt(t *testing.T) {
	t.Parallel()
	query := url.Values{"q": {"r", "e", "m", "o", "v", "d", "re", "movie"}}
	err := serving(t, answer(502, strings.Repeat("removed movie ", 1000))).Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/reviews", Query: query}, nil)
	var e *demeterrr.Error
	if !errors.As(err, &e) || len(e.Message) > 200 || strings.Count(e.Message, "[")-strings.Count(e.Message, "]") > 1 || strings.Contains(e.Message, "[[") {
		t.Errorf("got %v", err)
	}
}

func TestErrorBodiesOfOddTypesStillTellSomething(t *testing.T) {
	t.Parallel()
	type want struct {
		code    demeterrr.Code
		message string
		details string
	}
	for body, want := range map[string]want{
		`{"error":{"code":42,"message":"number"}}`:                {"", "number", ""},
		`{"error":{"code":"NOT_FOUND","message":null}}`:           {"NOT_FOUND", "", ""},
		`{"error":{"code":null,"message":["a"]}}`:                 {"", "", ""},
		`{"error":{"code":"A","details":null}}`:                   {"A", "", ""},
		`{"error":{"code":"A","details":[1, 2]}}`:                 {"A", "", `[1, 2]`},
		`{"error":{"code":"A","details":"text"}}`:                 {"A", "", `"text"`},
		`{"error":{"code":"A","details":7}}`:                      {"A", "", `7`},
		`{"error":{}}`:                                            {"", "", ""},
		`{"error":{"code":"A"},"error":{"code":"B"}}`:             {"B", "", ""},
		`{"id":1,"error":{"code":"A","message":"m"},"status":9}`:  {"A", "m", ""},
		`{"error":"Bad Request"}`:                                 {"", `{"error":"Bad Request"}`, ""},
		`{"error":null}`:                                          {"", `{"error":null}`, ""},
		`{"data":{"code":"A","message":"m"}}`:                     {"", `{"data":{"code":"A","message":"m"}}`, ""},
		`null`:                                                    {"", `null`, ""},
		`[]`:                                                      {"", `[]`, ""},
		`"text"`:                                                  {"", `"text"`, ""},
		`{"error":{"code":"A","message":"cut`:                     {"", `{"error":{"code":"A","message":"cut`, ""},
		`{"error":{"code":"A"}} trailing`:                         {"", `{"error":{"code":"A"}} trailing`, ""},
		`{"error":{"code":"A","message":"` + "\xff" + `"}}`:       {"A", "\uFFFD", ""},
		`{"error":{"code":"A","message":"line\nbreak\u009b31m"}}`: {"A", "line\nbreak\u009b31m", ""},
	} {
		e := failWith(t, 400, body)
		if body == `{"error":{"code":"A","message":"line\nbreak\u009b31m"}}` {
			if strings.ContainsFunc(e.Error(), unicode.IsControl) {
				t.Errorf("a control character of the server's stands in %q", e.Error())
			}
		}
		got := [3]string{string(e.Code), e.Message, string(e.Details)}
		same(t, body, got, [3]string{string(want.code), want.message, want.details})
		same(t, body+": by status", errors.Is(e, demeterrr.ErrBadRequest), true)
	}
}

func TestAnEchoedKeyIsRemovedFromTheAPIsOwnError(t *testing.T) {
	t.Parallel()
	escaped := `\u0064` + canaryKey[1:]
	for _, body := range []string{
		`{"error":{"code":"INVALID_API_KEY","message":"no such key: ` + canaryKey + `","details":{"key":"` + canaryKey + `"}}}`,
		`{"error":{"code":"INVALID_API_KEY","message":"no such key: ` + escaped + `"}}`,
		`{"error":{"code":"` + escaped + `","requiredScope":"` + escaped + `"}}`,
	} {
		e := failWith(t, 401, body)
		noSecret(t, e)
		if strings.Contains(string(e.Details), canaryKey) {
			t.Errorf("the details hold the key: %s", e.Details)
		}
	}
}

func TestAWriteIsNotRedirected(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{"https://elsewhere.example/contacts", "/other", "://bad", ""} {
			var j journal
			c := serving(t, j.record(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			_, err := c.Contacts.Create(t.Context(), john())
			var e *demeterrr.Error
			if !errors.As(err, &e) || e.StatusCode != status || !strings.Contains(e.Message, "redirects are refused") {
				t.Errorf("%d to %q: got %v", status, location, err)
			}
			same(t, "requests", j.lines(), []string{"POST /api/v1/contacts"})
		}
	}
}

func TestTheCauseOfALostReplyHasNoURL(t *testing.T) {
	t.Parallel()
	lost := &url.Error{Op: "Get", URL: "https://x/?email=jane@example.com", Err: io.ErrUnexpectedEOF}
	hc := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("proxy: %w", lost) })}
	c, err := demeterrr.New(canaryKey, once, demeterrr.WithHTTPClient(hc))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Contacts.FindByEmail(t.Context(), "jane@example.com")
	var e *demeterrr.Error
	var u *url.Error
	if !errors.As(err, &e) || errors.As(err, &u) || !errors.Is(err, io.ErrUnexpectedEOF) || e.StatusCode != 0 || e.Attempts != 1 {
		t.Errorf("got %#v", err)
	}
	noSecret(t, err, "jane")
}

// roundTripper makes a transport from a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAHandWrittenTransportMayLeaveOutTheBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reply *http.Response
		want  error
	}{
		{&http.Response{StatusCode: 204}, nil},
		{&http.Response{StatusCode: 404}, demeterrr.ErrNotFound},
		{&http.Response{}, demeterrr.ErrUnknownOutcome},
		{nil, demeterrr.ErrUnknownOutcome},
	} {
		hc := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return test.reply, nil })}
		c, err := demeterrr.New(canaryKey, once, demeterrr.WithHTTPClient(hc))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Contacts.Delete(t.Context(), johnID); !errors.Is(err, test.want) {
			t.Errorf("%+v: got %v", test.reply, err)
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, d := range documented {
		f.Add(d.status, d.body)
	}
	f.Add(502, "<html>")
	f.Add(400, `{"error":{"code":1,"details":{"details":{"retryAfter":"1"}},"retryAfter":1e9}}`)
	f.Add(404, `{"error":{"message":"\u2028\ud800 dem_CANARYcanaryCANARYcanaryCANARYcanaryCANARYc"}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 300 || status > 599 {
			return
		}
		_, err := serving(t, answer(status, body)).Contacts.List(context.Background(), &demeterrr.ContactListParams{Email: "who@example.com"})
		var e *demeterrr.Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *Error", err)
		}
		if e.StatusCode != status || e.RetryAfter < 0 || e.Attempts != 1 {
			t.Errorf("got %#v", e)
		}
		if len(e.Details) > 0 && !json.Valid(e.Details) {
			t.Errorf("details are no JSON: %q", e.Details)
		}
		text := e.Error()
		if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Errorf("not one clean line: %q", text)
		}
		if strings.Contains(shown(err), canaryKey) {
			t.Errorf("the key is shown: %s", shown(err))
		}
		var own struct{ Error *struct{} }
		if json.Unmarshal([]byte(body), &own) != nil && (len(e.Message) > 200 || strings.Contains(e.Message, "who@example.com")) {
			t.Errorf("a bad excerpt: %q", e.Message)
		}
	})
}
