package demeterrr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// lastBody answers everything with a conflict and keeps the body of the last
// request.
type lastBody struct{ body []byte }

func (l *lastBody) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	l.body = body
	return &http.Response{StatusCode: http.StatusConflict, Body: io.NopCloser(strings.NewReader(someTaken))}, err
}

// oddTexts are texts that an encoder can get wrong.
var oddTexts = []string{
	"Zoë", `"quoted" \ back`, "line\nfeed\ttab\r\b\f", "\x00\x01\x1f\x7f", "<script>&amp;</script>", "\u2028 and \u2029", "😀", "\uFFFD", strings.Repeat("é\\", 200),
}

func TestBodiesMeanWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	sent := new(lastBody)
	c, err := demeterrr.New("dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", demeterrr.WithHTTPClient(&http.Client{Transport: sent}))
	if err != nil {
		t.Fatal(err)
	}
	check := func(body any, send func(context.Context) error) {
		t.Helper()
		sent.body = nil
		if err := send(t.Context()); sent.body == nil {
			t.Fatalf("nothing was sent: %v", err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parsed(t, want.String()), parsed(t, string(sent.body))); diff != "" {
			t.Errorf("encoding/json (-), ours (+):\n%s", diff)
		}
	}
	creates := []*demeterrr.ContactParams{{
		Email: "a@b", FirstName: "A", LastName: "B", Phone: "+1", Title: "Dr.", PreferredLanguage: "fr", LocationID: "l", ContactOrganizationID: "o",
		CustomFields: map[string]any{"b": 1.5, "a": []any{nil, true, "<&>"}, "": map[string]any{}}, Tags: []string{"x", "", "y"},
	}, {Email: "a@b", FirstName: "A", CustomFields: map[string]any{}, Tags: []string{}}}
	updates := []*demeterrr.ContactUpdate{{
		Email: demeterrr.Set("a@b"), FirstName: demeterrr.Set(""), LastName: demeterrr.Null[string](), Phone: demeterrr.Set("+1"), Title: demeterrr.Null[string](),
		PreferredLanguage: demeterrr.Set(demeterrr.LanguageFrench), CustomFields: demeterrr.Set(map[string]any{"<": "&"}), Tags: demeterrr.Set([]string{"x"}),
	}, {
		Email: demeterrr.Null[string](), PreferredLanguage: demeterrr.Null[demeterrr.Language](), CustomFields: demeterrr.Null[map[string]any](), Tags: demeterrr.Null[[]string](),
	}, {CustomFields: demeterrr.Set[map[string]any](nil), Tags: demeterrr.Set[[]string](nil)}, {Tags: demeterrr.Set([]string{})}}
	executions := []*demeterrr.ExecuteParams{hundredContacts(), {Contacts: []demeterrr.ExecuteContact{{Email: "a@b"}}}}
	for _, text := range oddTexts {
		creates = append(creates, &demeterrr.ContactParams{Email: "a@b", FirstName: text, Title: text, Tags: []string{text, text}, CustomFields: map[string]any{text: text}})
		updates = append(updates, &demeterrr.ContactUpdate{LastName: demeterrr.Set(text), Tags: demeterrr.Set([]string{text})})
		executions = append(executions, &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "a@b", FirstName: text, LastName: text, Phone: text}}, LocationID: text})
	}
	for _, p := range creates {
		check(p, func(ctx context.Context) error { _, err := c.Contacts.Create(ctx, p); return err })
	}
	for _, p := range updates {
		check(p, func(ctx context.Context) error { _, err := c.Contacts.Update(ctx, "1", p); return err })
	}
	for _, p := range executions {
		check(p, func(ctx context.Context) error { _, err := c.Sequences.Execute(ctx, "1", p); return err })
	}
}

func TestWhatACallReturnsOutlivesTheBufferItWasReadFrom(t *testing.T) {
	t.Parallel()
	first := `200 {"data":{"id":"1","firstName":"John","tags":["vip"],"customFields":{"tier":"Gold"},"new":{"member":"kept"}}}`
	other := `409 {"error":{"code":"CONTACT_EXISTS","message":"Taken already","details":{"field":"email"},"requiredScope":"s"}}`
	transport := newCanned(first, other)
	overwrite := "200 " + strings.Repeat("#", 600)                                 // in the same buffer, if it is reused
	transport.replies = append(transport.replies, newCanned(overwrite).replies...) //nolint:bodyclose // they have no bodies yet
	transport.bodies = append(transport.bodies, newCanned(overwrite).bodies...)
	c, err := demeterrr.New("dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", demeterrr.WithHTTPClient(&http.Client{Transport: transport}),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
	if err != nil {
		t.Fatal(err)
	}
	raw := json.RawMessage(nil)
	for range 20 { // the pool may sometimes give another buffer
		contact, err := c.Contacts.Get(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		_, conflict := c.Contacts.Get(t.Context(), "1")
		_ = c.Do(t.Context(), &demeterrr.Request{Method: http.MethodGet, Path: "/x"}, &raw)
		want := &demeterrr.Contact{
			ID: "1", FirstName: "John", Tags: []string{"vip"}, CustomFields: map[string]any{"tier": "Gold"},
			Extra: map[string]json.RawMessage{"new": json.RawMessage(`{"member":"kept"}`)},
		}
		if diff := cmp.Diff(want, contact); diff != "" {
			t.Fatalf("the contact (-want +got):\n%s", diff)
		}
		if got, want := shown(conflict), `Taken already`; !strings.Contains(got, want) {
			t.Fatalf("the error is %s, want %q in it", got, want)
		}
		var e *demeterrr.Error
		if !errors.As(conflict, &e) || string(e.Details) != `{"field":"email"}` || e.RequiredScope != "s" {
			t.Fatalf("the error's details are %s", e.Details)
		}
	}
}
