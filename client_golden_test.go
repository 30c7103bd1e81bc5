package demeterrr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// golden is one sample of the contract's section 10. If only the reply is
// documented, the request is empty.
type golden struct {
	Request struct {
		Method, URL string
		Headers     map[string]string // the required ones; others may be sent too
		Body        json.RawMessage
	}
	Reply struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	data, err := fs.ReadFile(os.DirFS("testdata/golden"), name+".json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}

// client returns a client that gets the documented reply to every request, and
// the place of its last request. The base URL is the default.
func (g *golden) client(t *testing.T) (*demeterrr.Client, *sentRequest) {
	t.Helper()
	sent := &sentRequest{golden: g}
	client, err := demeterrr.New("dem_your_key_here", demeterrr.WithHTTPClient(&http.Client{Transport: sent}), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
	if err != nil {
		t.Fatal(err)
	}
	return client, sent
}

// sentRequest is a transport that keeps the request and answers as documented.
type sentRequest struct {
	golden *golden
	*http.Request
	body []byte
}

func (s *sentRequest) RoundTrip(req *http.Request) (*http.Response, error) {
	s.Request = req
	if req.Body != nil {
		s.body, _ = io.ReadAll(req.Body)
	}
	reply := s.golden.Reply
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range reply.Headers {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: reply.Status, Header: header, Body: io.NopCloser(bytes.NewReader(reply.Body)), ContentLength: int64(len(reply.Body)), Request: req}, nil
}

func (s *sentRequest) isAsDocumented(t *testing.T) {
	t.Helper()
	want := s.golden.Request
	u, err := url.Parse(want.URL)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Method, Host, Path string
		Query              url.Values
		Headers            map[string]string
		Body               any
	}
	headers := map[string]string{}
	for name := range want.Headers {
		headers[name] = s.Header.Get(name)
	}
	if diff := cmp.Diff(
		request{want.Method, u.Host, u.EscapedPath(), u.Query(), want.Headers, tree(t, want.Body)},
		request{s.Method, s.URL.Host, s.URL.EscapedPath(), s.URL.Query(), headers, tree(t, s.body)},
	); diff != "" {
		t.Errorf("request (-documented +sent):\n%s", diff)
	}
}

// tree decodes JSON. Empty data is nil.
func tree(t *testing.T, data []byte) any {
	t.Helper()
	if len(data) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

// kept returns the members of got that are not null in want.
func kept(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		for name, value := range want {
			if member, ok := object[name]; ok && value != nil {
				out[name] = kept(value, member)
			}
		}
		return out
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return got
		}
		out := make([]any, len(want))
		for i := range want {
			out[i] = kept(want[i], list[i])
		}
		return out
	}
	return got
}

// goldenCalls are the calls of the samples. Their results have the shape of the
// reply's body.
var goldenCalls = map[string]func(context.Context, *demeterrr.Client) (any, error){
	"list": func(ctx context.Context, c *demeterrr.Client) (any, error) {
		page, err := c.Contacts.List(ctx, &demeterrr.ContactListParams{Page: 1, Limit: 50})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			page.Items[i].Extra = nil // count unknown members as lost, here and below
		}
		meta := map[string]int{"page": page.Page, "perPage": page.PerPage, "total": page.Total, "totalPages": page.TotalPages}
		return map[string]any{"data": page.Items, "meta": meta}, nil
	},
	"create": func(ctx context.Context, c *demeterrr.Client) (any, error) {
		contact, err := c.Contacts.Create(ctx, &demeterrr.ContactParams{
			Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543",
			PreferredLanguage: demeterrr.LanguageEnglish, Tags: []string{"new-customer"},
		})
		if err != nil {
			return nil, err
		}
		contact.Extra = nil
		return map[string]any{"data": contact}, nil
	},
	"update": func(ctx context.Context, c *demeterrr.Client) (any, error) {
		contact, err := c.Contacts.Update(ctx, "550e8400-e29b-41d4-a716-446655440000", &demeterrr.ContactUpdate{
			FirstName: demeterrr.Set("John"), LastName: demeterrr.Set("Doe-Smith"), Tags: demeterrr.Set([]string{"vip", "frequent-customer"}),
		})
		if err != nil {
			return nil, err
		}
		contact.Extra = nil
		return map[string]any{"data": contact}, nil
	},
	"execute": func(ctx context.Context, c *demeterrr.Client) (any, error) {
		execution, err := c.Sequences.Execute(ctx, "880e8400-e29b-41d4-a716-446655440000", &demeterrr.ExecuteParams{
			Contacts: []demeterrr.ExecuteContact{
				{Email: "customer1@example.com", FirstName: "Alice", LastName: "Johnson", Phone: "+15551234567"},
				{Email: "customer2@example.com", FirstName: "Bob", LastName: "Williams", Phone: "+15559876543"},
			},
			LocationID: "660e8400-e29b-41d4-a716-446655440000", EmployeeID: "770e8400-e29b-41d4-a716-446655440000",
		})
		if err != nil {
			return nil, err
		}
		execution.Extra = nil
		for i := range execution.Results {
			execution.Results[i].Extra = nil
		}
		return map[string]any{"data": execution}, nil
	},
}

func TestDocumentedRequestsAndReplies(t *testing.T) {
	t.Parallel()
	for name, call := range goldenCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := readGolden(t, name)
			client, sent := g.client(t)
			result, err := call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			sent.isAsDocumented(t)
			encoded, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			want := tree(t, g.Reply.Body)
			if diff := cmp.Diff(kept(want, want), kept(want, tree(t, encoded))); diff != "" {
				t.Errorf("reply (-documented +decoded and encoded again):\n%s", diff)
			}
		})
	}
}

func TestDocumentedRateLimitHeaders(t *testing.T) {
	t.Parallel()
	g := readGolden(t, "list")
	client, _ := g.client(t)
	if _, err := client.Contacts.List(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	want := demeterrr.RateLimit{Limit: 1000, Remaining: 987, Reset: time.Unix(1644518400, 0)}
	if diff := cmp.Diff(want, client.RateLimit()); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		sentinel   error
		scope      string
		retryAfter time.Duration
	}{
		"forbidden":    {sentinel: demeterrr.ErrInsufficientPermissions, scope: "contacts:write"},
		"rate_limited": {sentinel: demeterrr.ErrRateLimited, retryAfter: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := readGolden(t, name)
			client, _ := g.client(t)
			_, err := client.Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"})
			var got *demeterrr.Error
			if !errors.As(err, &got) || !errors.Is(err, want.sentinel) || got.StatusCode != g.Reply.Status || got.RequiredScope != want.scope || got.RetryAfter != want.retryAfter {
				t.Errorf("%v: %+v", err, got)
			}
			var body struct {
				Error struct {
					Code    demeterrr.Code
					Message string
					Details json.RawMessage
				}
			}
			if err := json.Unmarshal(g.Reply.Body, &body); err != nil {
				t.Fatal(err)
			}
			documented := body.Error
			if diff := cmp.Diff(
				[]any{documented.Code, documented.Message, tree(t, documented.Details)},
				[]any{got.Code, got.Message, tree(t, got.Details)},
			); diff != "" {
				t.Errorf("(-documented +got):\n%s", diff)
			}
		})
	}
}

// TestGoldenFilesAreTheContracts finds the content of each file in
// docs/api-contract.md, in whole or member by member.
func TestGoldenFilesAreTheContracts(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("docs/api-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"list", "create", "update", "execute", "forbidden", "rate_limited"} {
		g := readGolden(t, name)
		if u, err := url.Parse(g.Request.URL); err != nil || !bytes.Contains(contract, []byte(strings.TrimSpace(g.Request.Method+" "+u.RequestURI()))) {
			t.Errorf("%s: no %s %s in the contract", name, g.Request.Method, g.Request.URL)
		}
		for _, body := range []json.RawMessage{g.Request.Body, g.Reply.Body} {
			if len(body) > 0 && !documents(contract, body) {
				t.Errorf("%s: not in the contract: %s", name, body)
			}
		}
	}
}

// documents reports whether the text has this JSON, in whole or in its parts.
func documents(text []byte, body json.RawMessage) bool {
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil && bytes.Contains(text, compact.Bytes()) {
		return true
	}
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case json.Unmarshal(body, &object) == nil && len(object) > 0:
		for name, value := range object {
			if !bytes.Contains(text, []byte(`"`+name+`"`)) || !documents(text, value) {
				return false
			}
		}
		return true
	case json.Unmarshal(body, &list) == nil && len(list) > 0:
		for _, value := range list {
			if !documents(text, value) {
				return false
			}
		}
		return true
	}
	return false
}
