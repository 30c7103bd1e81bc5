package fakepage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const baseURL = "http://127.0.0.1:8080/api/v1"

// fixture is a page that is served in memory, and its account.
type fixture struct {
	*Page
	handler http.Handler
}

// newPage makes a page whose account has two contacts and a sequence.
func newPage(t testing.TB, token string, options ...demeterrrtest.Option) *fixture {
	t.Helper()
	page, err := New(Config{Token: token, NewServer: func(log func(demeterrrtest.Request)) (*demeterrrtest.Server, error) {
		srv := demeterrrtest.NewServer(append(options, demeterrrtest.WithRequestLog(log))...)
		srv.AddContact(demeterrr.Contact{Email: "ann@example.com", FirstName: "Ann", Tags: []string{"vip"}})
		srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo", Unsubscribed: true})
		srv.AddSequence(demeterrr.Sequence{ID: "880e8400-e29b-41d4-a716-446655440000", Name: "Survey"})
		return srv, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	return &fixture{page, page.Handler(baseURL)}
}

func (f *fixture) server() *demeterrrtest.Server { return f.now.Load().server }

// send sends a request. Headers are such as "Origin: http://example.com".
func (f *fixture) send(t testing.TB, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, reader)
	r.Host = "127.0.0.1:8080"
	r.Header.Set("X-Api-Key", f.APIKey())
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// body reads a reply, which must have the status.
func body(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %.500s", w.Code, status, w.Body)
	}
	return w.Body.String()
}

// read decodes a reply.
func read[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return v
}

// execute sends the sequence to emails.
func (f *fixture) execute(t testing.TB, emails ...string) {
	t.Helper()
	contacts := `{"email":"` + strings.Join(emails, `"},{"email":"`) + `"}`
	body(t, f.send(t, "POST", "/api/v1/sequences/880e8400-e29b-41d4-a716-446655440000/execute", `{"contacts":[`+contacts+`]}`, "Content-Type: application/json"), 200)
}

// stateNow is the state as a script in another language reads it.
func (f *fixture) stateNow(t *testing.T) map[string]any {
	t.Helper()
	return read[map[string]any](t, f.send(t, "GET", "/_fake/state", ""))
}
