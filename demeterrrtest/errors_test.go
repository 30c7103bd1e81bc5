package demeterrrtest

import (
	"strings"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// TestDocumentedErrors provokes each of the eleven errors, all but
// INTERNAL_ERROR without a fault. It compares the messages of the contract
// (section 7) byte for byte.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	s := NewServer(WithRateLimits(FixedWindow, Limit{Requests: 100, Window: 1e18}))
	s.AddContact(demeterrr.Contact{Email: "john.doe@example.com"})
	paused := s.AddSequence(demeterrr.Sequence{Name: "Paused", Status: "paused"})
	readOnly, expired, inactive := s.AddKey("contacts:read"), s.AddKey("contacts:*"), s.AddKey("contacts:*")
	s.ExpireKey(expired)
	s.DeactivateKey(inactive)
	s.Inject(Fault{Route: "GET /sequences", Status: 500})

	for _, test := range []struct {
		name, method, path, body, key string
		status                        int
		want                          string
	}{
		{"no key", "GET", "/contacts", "", "", 401, `{"error":{"code":"MISSING_API_KEY","message":"API key required. Provide via X-API-Key header or Authorization: Bearer <key>"}}`},
		{"no prefix", "GET", "/contacts", "", strings.Repeat("k", 47), 401, `{"error":{"code":"INVALID_API_KEY_FORMAT","message":"Invalid API key format. Key must start with 'dem_'"}}`},
		{"48 characters", "GET", "/contacts", "", s.APIKey() + "0", 401, `{"error":{"code":"INVALID_API_KEY_FORMAT","message":"Invalid API key format. Key must start with 'dem_'"}}`},
		{"unknown key", "GET", "/contacts", "", "dem_" + strings.Repeat("k", 43), 401, `{"error":{"code":"INVALID_API_KEY","message":"Invalid or inactive API key"}}`},
		{"inactive key", "GET", "/contacts", "", inactive, 401, `{"error":{"code":"INVALID_API_KEY","message":"Invalid or inactive API key"}}`},
		{"expired key", "GET", "/contacts", "", expired, 401, `{"error":{"code":"EXPIRED_API_KEY","message":"API key has expired"}}`},
		{"scope", "POST", "/contacts", `{}`, readOnly, 403, `{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`},
		{"validation", "POST", "/contacts", `{"email":"x"}`, s.APIKey(), 400, `{"error":{"code":"VALIDATION_ERROR","message":"Validation failed","details":[{"field":"email","message":"must be a valid email address"},{"field":"firstName","message":"is required"}]}}`},
		{"inactive sequence", "POST", "/sequences/" + paused.ID + "/execute", `{"contacts":[{"email":"a@example.com"}]}`, s.APIKey(), 400, `{"error":{"code":"SEQUENCE_INACTIVE","message":"Sequence is not active"}}`},
		{"not found", "GET", "/contacts/nobody", "", s.APIKey(), 404, `{"error":{"code":"NOT_FOUND","message":"Contact not found"}}`},
		{"conflict", "POST", "/contacts", `{"email":"John.Doe@Example.com","firstName":"J"}`, s.APIKey(), 409, `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`},
		{"internal", "GET", "/sequences", "", s.APIKey(), 500, `{"error":{"code":"INTERNAL_ERROR","message":"An unexpected error occurred"}}`},
	} {
		req := newRequest(t, s, test.method, test.path, test.body)
		req.Header.Del("X-API-Key")
		if test.key != "" {
			req.Header.Set("X-API-Key", test.key)
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			roundTrip(t, s, req).is(t, test.status, test.want)
		})
	}
}

func TestARestoredKeyIsGoodAgain(t *testing.T) {
	t.Parallel()
	s := NewServer()
	for name, spoil := range map[string]func(string){"expired": s.ExpireKey, "inactive": s.DeactivateKey} {
		spoil(s.APIKey())
		if got := send(t, s, "GET", "/contacts", ""); got.status != 401 {
			t.Errorf("%s: %d", name, got.status)
		}
		s.RestoreKey(s.APIKey())
		if got := send(t, s, "GET", "/contacts", ""); got.status != 200 {
			t.Errorf("%s, then restored: %d", name, got.status)
		}
	}
}

func TestBearerIsAcceptedToo(t *testing.T) {
	t.Parallel()
	s := NewServer()
	req := newRequest(t, s, "GET", "/contacts", "")
	req.Header.Del("X-API-Key")
	req.Header.Set("Authorization", "Bearer "+s.APIKey())
	if got := roundTrip(t, s, req); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	t.Parallel()
	for _, r := range routes {
		s := NewServer()
		path := strings.ReplaceAll(r.path, "{id}", "x")
		for _, test := range []struct {
			scopes  []string
			allowed bool
		}{
			{[]string{r.scope}, true},
			{[]string{strings.Split(r.scope, ":")[0] + ":*"}, true},
			{nil, false},
			{[]string{"surveys:*", "reviews:read"}, false},
		} {
			req := newRequest(t, s, r.method, path, "")
			req.Header.Set("X-API-Key", s.AddKey(test.scopes...))
			got := roundTrip(t, s, req)
			if allowed := got.status != 403; allowed != test.allowed {
				t.Errorf("%s %s with scopes %q: %d %s", r.method, r.path, test.scopes, got.status, got.body)
			}
			if !test.allowed && !strings.Contains(got.body, `"requiredScope":"`+r.scope+`"`) {
				t.Errorf("%s %s: %s", r.method, r.path, got.body)
			}
		}
	}
}

func TestUnknownPathsAndMethodsAreNotFound(t *testing.T) {
	t.Parallel()
	s := NewServer()
	for _, test := range []struct{ method, path string }{
		{"GET", "/surveys"},
		{"GET", "/contacts/"},
		{"PUT", "/contacts/x"},
		{"DELETE", "/contacts"},
		{"GET", "/sequences/x/execute"},
	} {
		req := newRequest(t, s, test.method, "/x", "")
		req.URL.Path, req.URL.RawPath = "/api/v1"+test.path, ""
		roundTrip(t, s, req).is(t, 404, `{"error":{"code":"NOT_FOUND","message":"Resource not found"}}`)
	}
	req := newRequest(t, s, "GET", "/contacts", "")
	req.URL.Path = "/contacts"
	if got := roundTrip(t, s, req); got.status != 404 {
		t.Errorf("without the base path: %d", got.status)
	}
}

func TestContentTypeAndShapeOfBodiesAreChecked(t *testing.T) {
	t.Parallel()
	s := NewServer()
	contact := s.AddContact(demeterrr.Contact{Email: "a@example.com"})
	sequence := s.AddSequence(demeterrr.Sequence{Name: "S"})
	for _, test := range []struct{ method, path string }{
		{"POST", "/contacts"},
		{"PATCH", "/contacts/" + contact.ID},
		{"POST", "/sequences/" + sequence.ID + "/execute"},
	} {
		for _, contentType := range []string{"", "text/plain", "application/json; charset"} {
			req := newRequest(t, s, test.method, test.path, `{"email":"b@example.com","firstName":"B"}`)
			req.Header.Set("Content-Type", contentType)
			if got := roundTrip(t, s, req).refusals(t); len(got) != 1 || got[0] != "Content-Type" {
				t.Errorf("%s %s with %q: %q", test.method, test.path, contentType, got)
			}
		}
		for _, body := range []string{`[]`, `null`, `{`, `{} {}`, "{\"email\":\"\xff\"}", `"x"`, ` `} {
			if got := send(t, s, test.method, test.path, body).refusals(t); len(got) != 1 || got[0] != "body" {
				t.Errorf("%s %s with %q: %q", test.method, test.path, body, got)
			}
		}
	}
	if n := len(s.Contacts()); n != 1 {
		t.Errorf("%d contacts after requests that were all refused", n)
	}
}
