package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
	config, err := serve.TLS(filepath.Join(t.TempDir(), "roots.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trusting := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // its own server
	defer trusting.CloseIdleConnections()
	for _, protocol := range protocols {
		server, err := protocol.listen(replies, config)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for _, path := range []string{serve.Plain + "/contacts?page=3&limit=100", serve.Plain + "/contacts?limit=100&page=51", serve.Plain + "/none"} {
			resp, body := fetch(t, trusting, server.URL()+path) //nolint:bodyclose // fetch has closed it
			if (resp.ProtoMajor == 2) != (protocol.name == "HTTP/2") {
				t.Errorf("%s: it speaks %s", protocol.name, resp.Proto)
			}
			want, wantBody := fetch(t, &serve.Memory{Replies: replies}, server.URL()+path) //nolint:bodyclose // fetch has closed it
			if diff := cmp.Diff(wantBody, body); diff != "" || resp.StatusCode != want.StatusCode {
				t.Errorf("%s, in memory (-), over %s (+): %d and %d\n%s", path, protocol.name, want.StatusCode, resp.StatusCode, diff)
			}
		}
		if n := server.Connections(); n != 1 {
			t.Errorf("%s: %d connections were counted", protocol.name, n)
		}
	}
}

func fetch(t *testing.T, rt http.RoundTripper, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestTheDocumentHoldsEveryRelease measures little, and sends it through JSON as the command does.
func TestTheDocumentHoldsEveryRelease(t *testing.T) { //nolint:paralleltest // it changes http.DefaultTransport
	measured, err := measure(size{rounds: 2, batch: time.Millisecond, only: "AGH", crowd: 128, crowds: 1})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(measured)
	if err != nil {
		t.Fatal(err)
	}
	var all []*measurement
	for _, release := range []string{"go1.2", "go1.1"} {
		m := new(measurement)
		if err := json.Unmarshal(encoded, m); err != nil {
			t.Fatal(err)
		}
		m.Go = release
		m.Binaries = make([]binary, len(candidates))
		all = append(all, m)
	}
	document := markdown("-out x", all)
	titles := map[string]int{}
	for line := range strings.Lines(document) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			titles[strings.TrimSpace(title)]++
		}
	}
	want := map[string]int{"The cost of a tracer": 1, "The cost of a Pacer": 1, "What a program carries that gets one contact": 1}
	for _, m := range all {
		for _, title := range []string{"Time in memory", "Time over loopback", "Allocations in memory", "Allocations over loopback", "H: 64 goroutines share a client over loopback"} {
			want[title+", on "+m.Go] = 1
		}
	}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
	// Each row has as many cells as its head, and none is empty but those of works without an aim.
	columns := 0
	for line := range strings.Lines(document) {
		switch {
		case !strings.HasPrefix(line, "|"):
			columns = 0
		case columns == 0:
			columns = strings.Count(line, "|")
		case strings.Count(line, "|") != columns || strings.Contains(line, "|  |") || strings.Contains(line, "NaN"):
			t.Errorf("a row is not as its head: %s", line)
		}
	}
	if n := strings.Count(document, "| G: 429, then 200 |"); n != 8 {
		t.Errorf("work G is in %d tables", n)
	}
}

// TestAMissedAimIsSaid compares what the tables show, cut to two digits.
func TestAMissedAimIsSaid(t *testing.T) {
	t.Parallel()
	for measured, missed := range map[float64]bool{0.39: false, 0.404: false, 0.406: true, 1.2: true} {
		m := &measurement{Works: []row{{Letter: "A", Place: memory, Ratios: []spread{{measured, measured, measured}}}, {Letter: "I", Place: memory}}}
		var with, without strings.Builder
		m.timeTable(&with, memory, true)
		m.timeTable(&without, memory, false)
		if strings.Contains(with.String(), "A misses its aim") != missed || strings.Contains(without.String(), "aim") {
			t.Errorf("%v:\n%s\n%s", measured, with.String(), without.String())
		}
	}
}

func TestTheSectionOfAnotherCommandStays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "performance.md")
	if text := growth(file); !strings.Contains(text, "<!-- scale: begin -->\n<!-- scale: end -->") {
		t.Errorf("a new file has the section %q", text)
	}
	const section = "<!-- scale: begin -->\n\na table\n\n<!-- scale: end -->"
	if err := os.WriteFile(file, []byte("# Performance\n\n"+section+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := growth(file); !strings.Contains(text, section) {
		t.Errorf("the section became %q", text)
	}
}
