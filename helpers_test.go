package demeterrr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

const (
	// canaryKey is a key that must appear in no text.
	canaryKey = "dem_CANARYcanaryCANARYcanaryCANARYcanaryCANARYc"

	johnID     = "550e8400-e29b-41d4-a716-446655440000"
	surveyID   = "880e8400-e29b-41d4-a716-446655440000"
	locationID = "660e8400-e29b-41d4-a716-446655440000"

	johnJSON = `{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe","phone":"+15551234567","title":"Mr.","preferredLanguage":"en","locationId":"660e8400-e29b-41d4-a716-446655440000","contactOrganizationId":null,"customFields":{"birthday":"1990-01-15","membershipTier":"Gold"},"tags":["vip","frequent-customer"],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-02-10T14:20:00.000Z"}`

	executionJSON = `{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":2,"sendingsCreated":2,"results":[{"email":"customer1@example.com","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"},{"email":"customer2@example.com","contactId":"aa0e8400-e29b-41d4-a716-446655440000","status":"queued"}]}`
)

// handlerTransport answers each request with a handler, in memory. It writes
// and reads the request line in between.
type handlerTransport struct{ handler http.Handler }

func (t handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	arrived := req.Clone(req.Context())
	target, err := url.ParseRequestURI(req.URL.RequestURI())
	if err != nil {
		return nil, fmt.Errorf("the request line cannot be read: %w", err)
	}
	arrived.URL, arrived.RequestURI = target, req.URL.RequestURI()
	if arrived.Body == nil {
		arrived.Body = http.NoBody
	}
	defer arrived.Body.Close()
	rec := httptest.NewRecorder()
	t.handler.ServeHTTP(rec, arrived)
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

// once never retries, so that a test meets the first failure.
var once = demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 0})

// serving returns a client whose requests the handler answers, in memory and
// without retries.
func serving(t testing.TB, handler http.HandlerFunc, opts ...demeterrr.Option) *demeterrr.Client {
	t.Helper()
	opts = append([]demeterrr.Option{once, demeterrr.WithHTTPClient(&http.Client{Transport: handlerTransport{handler}})}, opts...)
	c, err := demeterrr.New(canaryKey, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer returns a handler with always the same reply.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// neverSent fails the test if a request arrives.
func neverSent(t testing.TB) http.HandlerFunc {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL.EscapedPath())
	}
}

// arrival is a request as the server received it.
type arrival struct {
	Method, Path, Query string
	Header              http.Header
	Body                string
}

// journal records the requests of a handler.
type journal struct {
	mu   sync.Mutex
	list []arrival
}

func (j *journal) record(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		j.mu.Lock()
		j.list = append(j.list, arrival{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), string(body)})
		j.mu.Unlock()
		next(w, r)
	}
}

func (j *journal) arrivals() []arrival {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]arrival{}, j.list...)
}

// lines returns the requests in short.
func (j *journal) lines() []string {
	lines := []string{}
	for _, a := range j.arrivals() {
		line := a.Method + " " + a.Path
		if a.Query != "" {
			line += "?" + a.Query
		}
		lines = append(lines, line)
	}
	return lines
}

// endpoint is one method of the SDK, called with valid arguments except the id.
type endpoint struct {
	name   string
	hasID  bool
	write  bool
	body   bool // it sends a body
	method string
	path   string // with {id} in place of the id
	good   string // the body of a success
	call   func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error
}

const oneJohn = `{"data":[` + johnJSON + `],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`

var oneSequence = `{"data":[{"id":"s","name":"n","status":"active"}],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`

func john() *demeterrr.ContactParams {
	return &demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John"}
}

func twoCustomers() *demeterrr.ExecuteParams {
	return &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "customer1@example.com"}, {Email: "customer2@example.com"}}}
}

// endpoints are all methods that send requests.
var endpoints = []endpoint{
	{"Contacts.List", false, false, false, "GET", "/contacts", oneJohn, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.List(ctx, nil, opts...)
		return err
	}},
	{"Contacts.All", false, false, false, "GET", "/contacts", oneJohn, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		for _, err := range c.Contacts.All(ctx, nil, opts...) {
			return err
		}
		return nil
	}},
	{"Contacts.Get", true, false, false, "GET", "/contacts/{id}", `{"data":` + johnJSON + `}`, func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.Get(ctx, id, opts...)
		return err
	}},
	{"Contacts.FindByEmail", false, false, false, "GET", "/contacts", oneJohn, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.FindByEmail(ctx, "john.doe@example.com", opts...)
		return err
	}},
	{"Contacts.Create", false, true, true, "POST", "/contacts", `{"data":` + johnJSON + `}`, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.Create(ctx, john(), opts...)
		return err
	}},
	{"Contacts.Update", true, true, true, "PATCH", "/contacts/{id}", `{"data":` + johnJSON + `}`, func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.Update(ctx, id, &demeterrr.ContactUpdate{FirstName: demeterrr.Set("Jon")}, opts...)
		return err
	}},
	{"Contacts.Delete", true, true, false, "DELETE", "/contacts/{id}", ``, func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error {
		return c.Contacts.Delete(ctx, id, opts...)
	}},
	{"Contacts.Upsert", false, true, true, "POST", "/contacts", `{"data":` + johnJSON + `}`, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		_, _, err := c.Contacts.Upsert(ctx, john(), opts...)
		return err
	}},
	{"Sequences.List", false, false, false, "GET", "/sequences", oneSequence, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		_, err := c.Sequences.List(ctx, nil, opts...)
		return err
	}},
	{"Sequences.All", false, false, false, "GET", "/sequences", oneSequence, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		for _, err := range c.Sequences.All(ctx, nil, opts...) {
			return err
		}
		return nil
	}},
	{"Sequences.Get", true, false, false, "GET", "/sequences/{id}", `{"data":{"id":"s","name":"n","status":"active"}}`, func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error {
		_, err := c.Sequences.Get(ctx, id, opts...)
		return err
	}},
	{"Sequences.Execute", true, true, true, "POST", "/sequences/{id}/execute", `{"data":` + executionJSON + `}`, func(ctx context.Context, c *demeterrr.Client, id string, opts ...demeterrr.CallOption) error {
		_, err := c.Sequences.Execute(ctx, id, twoCustomers(), opts...)
		return err
	}},
	{"Do", false, true, true, "POST", "/surveys", `{"data":{}}`, func(ctx context.Context, c *demeterrr.Client, _ string, opts ...demeterrr.CallOption) error {
		var out any
		return c.Do(ctx, &demeterrr.Request{Method: "POST", Path: "/surveys", Body: map[string]any{"name": "n"}}, &out, opts...)
	}},
}

// shown returns every common way to print or log v.
func shown(v any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
	if err, ok := v.(error); ok {
		b.WriteString(err.Error() + "\n")
	}
	if encoded, err := json.Marshal(v); err == nil {
		b.Write(encoded)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Error("failed", "value", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", "value", v)
	return b.String()
}

// noSecret checks that no way to print v shows a secret.
func noSecret(t testing.TB, v any, secrets ...string) {
	t.Helper()
	text := shown(v)
	for _, secret := range append(secrets, canaryKey, canaryKey[4:20]) {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown in %s", secret, text)
		}
	}
}

// same compares two values.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// parsed returns JSON as encoding/json decodes it, with numbers as written.
func parsed(t testing.TB, text string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// quick retries after a microsecond, for tests of a second attempt over a real
// connection.
var quick = demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: 1, MaxWait: 1})
