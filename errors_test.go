package demeterrr_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// documented are the eleven errors of the contract, section 7, with their
// documented bodies.
var documented = []struct {
	status   int
	code     demeterrr.Code
	body     string
	byCode   error
	byStatus error
}{
	{401, "MISSING_API_KEY", `{"error":{"code":"MISSING_API_KEY","message":"API key required. Provide via X-API-Key header or Authorization: Bearer <key>"}}`, demeterrr.ErrMissingAPIKey, demeterrr.ErrUnauthorized},
	{401, "INVALID_API_KEY_FORMAT", `{"error":{"code":"INVALID_API_KEY_FORMAT","message":"Invalid API key format. Key must start with 'dem_'"}}`, demeterrr.ErrInvalidAPIKeyFormat, demeterrr.ErrUnauthorized},
	{401, "INVALID_API_KEY", `{"error":{"code":"INVALID_API_KEY","message":"Invalid or inactive API key"}}`, demeterrr.ErrInvalidAPIKey, demeterrr.ErrUnauthorized},
	{401, "EXPIRED_API_KEY", `{"error":{"code":"EXPIRED_API_KEY","message":"API key has expired"}}`, demeterrr.ErrExpiredAPIKey, demeterrr.ErrUnauthorized},
	{403, "INSUFFICIENT_PERMISSIONS", `{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`, demeterrr.ErrInsufficientPermissions, demeterrr.ErrForbidden},
	{400, "VALIDATION_ERROR", `{"error":{"code":"VALIDATION_ERROR","message":"Validation failed","details":{"email":"Invalid email: secret@example.com"}}}`, demeterrr.ErrValidation, demeterrr.ErrBadRequest},
	{400, "SEQUENCE_INACTIVE", `{"error":{"code":"SEQUENCE_INACTIVE","message":"Sequence is not active"}}`, demeterrr.ErrSequenceInactive, demeterrr.ErrBadRequest},
	{404, "NOT_FOUND", `{"error":{"code":"NOT_FOUND","message":"Resource not found"}}`, demeterrr.ErrNotFound, demeterrr.ErrNotFound},
	{409, "CONTACT_EXISTS", `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`, demeterrr.ErrContactExists, demeterrr.ErrConflict},
	{429, "RATE_LIMIT_EXCEEDED", `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":60,"limit":1000,"window":"1 hour"}}}`, demeterrr.ErrRateLimited, demeterrr.ErrRateLimited},
	{500, "INTERNAL_ERROR", `{"error":{"code":"INTERNAL_ERROR","message":"An unexpected error occurred"}}`, demeterrr.ErrInternal, demeterrr.ErrServer},
}

// sentinels are all sentinels by name.
var sentinels = map[string]error{
	"ErrMissingAPIKey": demeterrr.ErrMissingAPIKey, "ErrInvalidAPIKeyFormat": demeterrr.ErrInvalidAPIKeyFormat,
	"ErrInvalidAPIKey": demeterrr.ErrInvalidAPIKey, "ErrExpiredAPIKey": demeterrr.ErrExpiredAPIKey,
	"ErrInsufficientPermissions": demeterrr.ErrInsufficientPermissions, "ErrValidation": demeterrr.ErrValidation,
	"ErrSequenceInactive": demeterrr.ErrSequenceInactive, "ErrNotFound": demeterrr.ErrNotFound,
	"ErrContactExists": demeterrr.ErrContactExists, "ErrRateLimited": demeterrr.ErrRateLimited,
	"ErrInternal": demeterrr.ErrInternal, "ErrBadRequest": demeterrr.ErrBadRequest,
	"ErrUnauthorized": demeterrr.ErrUnauthorized, "ErrForbidden": demeterrr.ErrForbidden,
	"ErrConflict": demeterrr.ErrConflict, "ErrServer": demeterrr.ErrServer,
	"ErrTimeout": demeterrr.ErrTimeout, "ErrUnknownOutcome": demeterrr.ErrUnknownOutcome,
}

// matched returns the names of the sentinels that err matches.
func matched(err error) map[string]bool {
	names := map[string]bool{}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			names[name] = true
		}
	}
	return names
}

// canMeet reports whether a method can return a documented error.
func canMeet(e endpoint, code demeterrr.Code) bool {
	switch code {
	case "CONTACT_EXISTS":
		return e.name == "Contacts.Create" || e.name == "Contacts.Update" || e.name == "Do"
	case "SEQUENCE_INACTIVE":
		return e.name == "Sequences.Execute" || e.name == "Do"
	default:
		return true
	}
}

func TestEachDocumentedErrorIsItsSentinelThroughEveryMethod(t *testing.T) {
	t.Parallel()
	for _, d := range documented {
		t.Run(string(d.code), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req-7")
				w.Header().Set("Content-Type", "application/json")
				answer(d.status, d.body)(w, r)
			}))
			t.Cleanup(server.Close)
			for _, e := range endpoints {
				if !canMeet(e, d.code) {
					continue
				}
				c, err := demeterrr.New(canaryKey, demeterrr.WithBaseURL(server.URL), once) // a 429 closes a client's gate
				if err != nil {
					t.Fatal(err)
				}
				err = e.call(t.Context(), c, johnID)
				var apiError *demeterrr.Error
				if !errors.As(err, &apiError) {
					t.Fatalf("%s: %v is no *Error", e.name, err)
				}
				want := map[string]bool{}
				for name, sentinel := range sentinels {
					if sentinel == d.byCode || sentinel == d.byStatus || d.status >= 500 && e.write && sentinel == demeterrr.ErrUnknownOutcome { //nolint:errorlint // the very same
						want[name] = true
					}
				}
				same(t, e.name+": sentinels", matched(err), want)
				same(t, e.name+": sentinels when wrapped", matched(fmt.Errorf("sync: %w", err)), want)
				got := []any{apiError.StatusCode, apiError.Code, apiError.RequestID, apiError.Method, apiError.Path, apiError.Attempts}
				same(t, e.name+": fields", got, []any{d.status, d.code, "req-7", e.method, strings.Replace(e.path, "{id}", johnID, 1), 1})
				oneActionableLine(t, err)
				noSecret(t, err.Error())
				if text := shown(apiError.LogValue()); strings.Contains(text, "secret@example.com") {
					t.Errorf("the details are logged: %s", text)
				}
			}
		})
	}
}

// oneActionableLine checks the text for people.
func oneActionableLine(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if strings.ContainsAny(text, "\n\r\t") || !strings.HasPrefix(text, "demeterrr: ") || strings.Contains(text, "secret@example.com") {
		t.Errorf("not one line without details: %q", text)
	}
}

func TestErrorTextsAreActionable(t *testing.T) {
	t.Parallel()
	want := []string{
		"demeterrr: GET /contacts/x: 401 MISSING_API_KEY: API key required. Provide via X-API-Key header or Authorization: Bearer <key>",
		"demeterrr: GET /contacts/x: 401 INVALID_API_KEY_FORMAT: Invalid API key format. Key must start with 'dem_'",
		"demeterrr: GET /contacts/x: 401 INVALID_API_KEY: Invalid or inactive API key: make a new key in the dashboard",
		"demeterrr: GET /contacts/x: 401 EXPIRED_API_KEY: API key has expired: make a new key in the dashboard",
		"demeterrr: GET /contacts/x: 403 INSUFFICIENT_PERMISSIONS: This API key does not have the required scope: contacts:write: add the scope to the key in the dashboard",
		"demeterrr: GET /contacts/x: 400 VALIDATION_ERROR: Validation failed: fields email; see Error.Details",
		"demeterrr: GET /contacts/x: 400 SEQUENCE_INACTIVE: Sequence is not active: activate the sequence first",
		"demeterrr: GET /contacts/x: 404 NOT_FOUND: Resource not found",
		"demeterrr: GET /contacts/x: 409 CONTACT_EXISTS: A contact with this email already exists: update the existing contact, or use Upsert",
		"demeterrr: GET /contacts/x: 429 RATE_LIMIT_EXCEEDED: Rate limit exceeded. Please try again later. (retry after 1m0s)",
		"demeterrr: GET /contacts/x: 500 INTERNAL_ERROR: An unexpected error occurred: temporary; contact support if it persists",
	}
	got := []string{}
	for _, d := range documented {
		_, err := serving(t, answer(d.status, d.body)).Contacts.Get(t.Context(), "x")
		got = append(got, err.Error())
	}
	same(t, "texts", got, want)
}

func TestUnknownCodeStillMatchesByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]map[string]bool{
		400: {"ErrBadRequest": true},
		401: {"ErrUnauthorized": true},
		402: {},
		403: {"ErrForbidden": true},
		404: {"ErrNotFound": true},
		409: {"ErrConflict": true},
		418: {},
		429: {"ErrRateLimited": true},
		500: {"ErrServer": true},
		503: {"ErrServer": true},
		599: {"ErrServer": true},
	} {
		c := serving(t, answer(status, `{"error":{"code":"QUOTA_OF_THE_MOON","message":"no"}}`))
		_, err := c.Contacts.Get(t.Context(), "x")
		same(t, fmt.Sprint(status), matched(err), want)
		var e *demeterrr.Error
		if !errors.As(err, &e) || e.Code != "QUOTA_OF_THE_MOON" || e.Message != "no" {
			t.Errorf("%d: got %#v", status, e)
		}
	}
}

func TestACodeMatchesUnderAnotherStatus(t *testing.T) {
	t.Parallel()
	_, err := serving(t, answer(422, `{"error":{"code":"VALIDATION_ERROR","message":"no"}}`)).Contacts.Get(t.Context(), "x")
	same(t, "sentinels", matched(err), map[string]bool{"ErrValidation": true})
}

func TestScopeAndRetryAfterAreReadInBothPlaces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body  string
		scope string
		wait  time.Duration
	}{
		{`{"error":{"code":"X","requiredScope":"contacts:write","retryAfter":30}}`, "contacts:write", 30 * time.Second},
		{`{"error":{"code":"X","details":{"requiredScope":"contacts:read","retryAfter":45}}}`, "contacts:read", 45 * time.Second},
		{`{"error":{"requiredScope":"a","retryAfter":30,"details":{"requiredScope":"b","retryAfter":45}}}`, "a", 45 * time.Second},
		{`{"error":{"details":{"requiredScope":"b","retryAfter":30},"requiredScope":"a","retryAfter":45}}`, "a", 45 * time.Second},
		{`{"error":{"retryAfter":"30"}}`, "", 30 * time.Second},
		{`{"error":{"retryAfter":1.5}}`, "", 1500 * time.Millisecond},
		{`{"error":{"retryAfter":-30,"details":{"retryAfter":null}}}`, "", 0},
		{`{"error":{"retryAfter":1e300,"details":{"retryAfter":99999999999999999999}}}`, "", 0},
		{`{"error":{"retryAfter":"soon","requiredScope":["contacts:write"]}}`, "", 0},
		{`{"error":{"details":{"details":{"retryAfter":45,"requiredScope":"deep"}}}}`, "", 0},
		{`{"error":{"details":[{"retryAfter":45}]}}`, "", 0},
		{`{"error":{"requiredScope":7,"retryAfter":30}}`, "", 30 * time.Second},
		{`{"error":{"retryAfter":[30],"details":{"retryAfter":{"seconds":30}}}}`, "", 0},
	} {
		_, err := serving(t, answer(403, test.body)).Contacts.Get(t.Context(), "x")
		var e *demeterrr.Error
		if !errors.As(err, &e) || e.RequiredScope != test.scope || e.RetryAfter != test.wait {
			t.Errorf("%s: got scope %q and %s", test.body, e.RequiredScope, e.RetryAfter)
		}
	}
}

func TestDetailsDecodeAsObjectOrArray(t *testing.T) {
	t.Parallel()
	read := func(body string) *demeterrr.Error {
		_, err := serving(t, answer(400, body)).Contacts.Get(t.Context(), "x")
		var e *demeterrr.Error
		errors.As(err, &e)
		return e
	}
	var object map[string]string
	if err := read(`{"error":{"code":"VALIDATION_ERROR","details":{"email":"taken"}}}`).DecodeDetails(&object); err != nil {
		t.Error(err)
	}
	same(t, "object", object, map[string]string{"email": "taken"})
	var array []struct{ Field string }
	if err := read(`{"error":{"code":"VALIDATION_ERROR","details":[{"field":"email"}]}}`).DecodeDetails(&array); err != nil {
		t.Error(err)
	}
	same(t, "array", array, []struct{ Field string }{{"email"}})
	if err := read(`{"error":{"code":"VALIDATION_ERROR","details":[1]}}`).DecodeDetails(&object); err == nil {
		t.Error("an array was decoded into a map")
	}
	for _, v := range []any{new(map[string]int), new(struct{ Email time.Time }), object} {
		err := read(`{"error":{"code":"VALIDATION_ERROR","details":{"canary@x.com":"taken","email":"canary@x.org"}}}`).DecodeDetails(v)
		if err == nil {
			t.Errorf("details were decoded into %T", v)
		}
		noSecret(t, err, "canary@")
	}
	for _, body := range []string{`{"error":{"code":"X"}}`, `{"error":{"code":"X","details":null}}`, `<html>`} {
		if err := read(body).DecodeDetails(&object); err == nil || !strings.Contains(err.Error(), "no details") {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestAnErrorThatAUserMakesMatchesByItsCode(t *testing.T) {
	t.Parallel()
	for _, d := range documented {
		want := map[string]bool{}
		for name, sentinel := range sentinels {
			if sentinel == d.byCode || sentinel == d.byStatus { //nolint:errorlint // the very same
				want[name] = true
			}
		}
		same(t, string(d.code), matched(&demeterrr.Error{Code: d.code}), want)
		noSecret(t, &demeterrr.Error{Code: d.code})
	}
	same(t, "empty", matched(&demeterrr.Error{}), map[string]bool{})
	same(t, "its text", (&demeterrr.Error{}).Error(), "demeterrr: request failed")
	same(t, "of no Error", errors.Is(demeterrr.ErrBadRequest, demeterrr.ErrValidation), false)
}

func TestSentinelsHaveATextOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, sentinel := range sentinels {
		text := sentinel.Error()
		if other, ok := seen[text]; ok || !strings.HasPrefix(text, "demeterrr: ") {
			t.Errorf("%s says %q, as does %s", name, text, other)
		}
		seen[text] = name
	}
	same(t, "by code", demeterrr.ErrContactExists.Error(), "demeterrr: CONTACT_EXISTS")
	same(t, "by status", demeterrr.ErrConflict.Error(), "demeterrr: 409 Conflict")
	same(t, "of the server", demeterrr.ErrServer.Error(), "demeterrr: 5xx server error")
}
