package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/internal/peers/serve"
)

// recorder keeps a client's requests in one form for all clients.
type recorder struct {
	next http.RoundTripper
	sent []request
}

type request struct {
	Method, Path, Key, Accept, Type string
	Query                           map[string][]string
	Body                            any
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := request{req.Method, req.URL.Path, req.Header.Get("X-Api-Key"), req.Header.Get("Accept"), req.Header.Get("Content-Type"), req.URL.Query(), nil}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			if err := json.Unmarshal(body, &sent.Body); err != nil {
				return nil, err
			}
			if int64(len(body)) != req.ContentLength {
				sent.Type += " chunked"
			}
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	r.sent = append(r.sent, sent)
	return r.next.RoundTrip(req)
}

// plain returns a value of any client's types as JSON, without empty members,
// and with times in one form.
func plain(t *testing.T, v any) any {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(encoded, &out); err != nil {
		t.Fatal(err)
	}
	return simple(out)
}

func simple(v any) any {
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.UTC().String()
		}
	case []any:
		for i := range v {
			v[i] = simple(v[i])
		}
	case map[string]any:
		for key, e := range v {
			if v[key] = simple(e); e == nil || e == "" {
				delete(v, key)
			}
		}
	}
	return v
}

// TestAllClientsDoTheSameWork compares requests and values with those of
// net/http and encoding/json.
func TestAllClientsDoTheSameWork(t *testing.T) {
	t.Parallel()
	replies := serve.NewReplies()
	outcomes := func(c candidate) (sent []request, values []any) {
		for _, task := range tasks {
			r := &recorder{next: &serve.Memory{Replies: replies}}
			p := c.make("http://127.0.0.1:9"+task.path, r, task.retry)
			if err := call(task, p); err != nil {
				t.Fatalf("%s, %s: %v", c.name, task.title, err)
			}
			sent = append(sent, r.sent...)
		}
		p := c.make("http://127.0.0.1:9"+serve.Plain, &serve.Memory{Replies: replies}, false)
		for _, v := range []func() (any, error){
			func() (any, error) { return p.Get(t.Context()) },
			func() (any, error) { return p.Create(t.Context()) },
			func() (any, error) { return p.Execute(t.Context()) },
			func() (any, error) { return p.List(t.Context(), 50) },
		} {
			value, err := v()
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, plain(t, value))
		}
		list, ok := values[3].(map[string]any)
		for _, name := range []string{"data", "Items"} { // the names in a page differ; the content must not
			if items, found := list[name]; ok && found {
				values[3] = items
			}
		}
		return sent, values
	}
	wantSent, wantValues := outcomes(candidates[baseline])
	if len(wantSent) != 50+1+1+1+1+1+2+1 {
		t.Fatalf("net/http sent %d requests", len(wantSent))
	}
	for _, c := range candidates[:len(candidates)-1] { // the last decodes nothing
		sent, values := outcomes(c)
		for i := range sent {
			sent[i].Accept = wantSent[i].Accept // the generated clients leave it to the caller
		}
		if diff := cmp.Diff(wantSent, sent); diff != "" {
			t.Errorf("%s sends (-net/http):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(wantValues, values); diff != "" {
			t.Errorf("%s returns (-net/http):\n%s", c.name, diff)
		}
	}
}

// TestTheServersAgree compares the replies of the loopback server with those in
// memory.
func TestTheServersAgree(t *testing.T) {
	t.Parallel()
	replies := serve.NewReplies()
	server, err := serve.Listen(replies, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, path := range []string{serve.Plain + "/contacts?page=3&limit=100", serve.Plain + "/contacts?limit=100&page=51", serve.Plain + "/none"} {
		var bodies [2][]byte
		for i, hc := range []http.Client{{}, {Transport: &serve.Memory{Replies: replies}}} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			bodies[i], err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(bodies[1]), string(bodies[0])); diff != "" {
			t.Errorf("%s, in memory (-), over loopback (+):\n%s", path, diff)
		}
	}
}
