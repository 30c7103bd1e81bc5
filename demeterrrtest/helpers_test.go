package demeterrrtest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer is a reply with its body.
type answer struct {
	status int
	header http.Header
	body   string
}

// newRequest returns a request with the server's key. An empty body sends none.
func newRequest(t testing.TB, s *Server, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://demeterrr.test/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", s.APIKey())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

func roundTrip(t *testing.T, s *Server, req *http.Request) answer {
	t.Helper()
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// send sends one request in memory.
func send(t *testing.T, s *Server, method, path, body string) answer {
	t.Helper()
	return roundTrip(t, s, newRequest(t, s, method, path, body))
}

func (a answer) is(t *testing.T, status int, body string) {
	t.Helper()
	if diff := cmp.Diff(answer{status: status, body: body}, answer{status: a.status, body: a.body}, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// data returns the data of the reply.
func (a answer) data(t *testing.T) map[string]any {
	t.Helper()
	var envelope struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return envelope.Data
}

// refusals returns the fields named by a VALIDATION_ERROR.
func (a answer) refusals(t *testing.T) []string {
	t.Helper()
	var envelope struct {
		Error struct {
			Code    string
			Details []struct{ Field, Message string }
		}
	}
	if err := json.Unmarshal([]byte(a.body), &envelope); err != nil || envelope.Error.Code != "VALIDATION_ERROR" || a.status != 400 {
		t.Fatalf("want a validation error, have %d %s (%v)", a.status, a.body, err)
	}
	var fields []string
	for _, d := range envelope.Error.Details {
		if d.Message == "" {
			t.Errorf("%s: no message", d.Field)
		}
		fields = append(fields, d.Field)
	}
	return fields
}
