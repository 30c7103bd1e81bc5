package demeterrrtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func survey(id string) map[string]string { return map[string]string{"id": id} }

func TestObjectsAreListedAndFound(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddObjects("/surveys", survey("s1"), json.RawMessage(`{ "name": "<é>", "id": "s/2" }`))
	s.AddObjects("/surveys", struct {
		ID string `json:"id"`
	}{"s3"})
	s.AddObjects("/responses")
	send(t, s, "GET", "/surveys", "").is(t, 200, `{"data":[{"id":"s1"},{"name":"<é>","id":"s/2"},{"id":"s3"}],"meta":{"page":1,"perPage":50,"total":3,"totalPages":1}}`)
	send(t, s, "GET", "/surveys?page=2&limit=2", "").is(t, 200, `{"data":[{"id":"s3"}],"meta":{"page":2,"perPage":2,"total":3,"totalPages":2}}`)
	send(t, s, "GET", "/surveys?page=3&limit=2", "").is(t, 200, `{"data":[],"meta":{"page":3,"perPage":2,"total":3,"totalPages":2}}`)
	send(t, s, "GET", "/surveys/s%2F2", "").is(t, 200, `{"data":{"name":"<é>","id":"s/2"}}`)
	send(t, s, "GET", "/responses", "").is(t, 200, `{"data":[],"meta":{"page":1,"perPage":50,"total":0,"totalPages":0}}`)
}

// Unknown methods and parameters of an endpoint are refused, with and without
// objects.
func TestObjectsAreReadOnly(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddObjects("/surveys", survey("s1"))
	for _, request := range []string{
		"GET /surveys/s2", "GET /surveys/s1/x", "GET /survey", "POST /surveys", "PATCH /surveys/s1", "PUT /surveys/s1", "DELETE /surveys/s1", "GET /reviews",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := send(t, s, method, path, ""); got.status != 404 || !strings.Contains(got.body, `"NOT_FOUND"`) {
			t.Errorf("%s: %d %s", request, got.status, got.body)
		}
	}
	if got := send(t, s, "GET", "/surveys?page=0&limit=x&status=new", "").refusals(t); !cmp.Equal(got, []string{"limit", "page", "status"}) {
		t.Errorf("refused %v", got)
	}
}

func TestObjectsNeedTheScopeOfTheirPath(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddObjects("/surveys", survey("s1"))
	s.AddObjects("/other/things", survey("o1"))
	for scope, want := range map[string][2]int{
		"surveys:read": {200, 403}, "surveys:*": {200, 403}, "surveys:write": {403, 403}, "contacts:*": {403, 403},
		"other:read": {403, 200}, "other:*": {403, 200},
	} {
		key := s.AddKey(scope)
		for i, path := range []string{"/surveys/s1", "/other/things"} {
			req := newRequest(t, s, "GET", path, "")
			req.Header.Set("X-Api-Key", key)
			if got := roundTrip(t, s, req); got.status != want[i] || want[i] == 403 && !strings.Contains(got.body, `"requiredScope":"`+[]string{"surveys", "other"}[i]+`:read"`) {
				t.Errorf("%s with %s: %d %s", path, scope, got.status, got.body)
			}
		}
	}
	s.Inject(Fault{Code: "INSUFFICIENT_PERMISSIONS"})
	if got := send(t, s, "GET", "/surveys", ""); !strings.Contains(got.body, `"requiredScope":"surveys:read"`) {
		t.Errorf("a fault says %s", got.body)
	}
}

func TestMisuseOfObjectsIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddObjects("/surveys", survey("s1"))
	for _, tt := range []struct {
		want    string
		path    string
		objects []any
	}{
		{`path "surveys": want a form like /surveys`, "surveys", nil},
		{`path "": want a form like /surveys`, "", nil},
		{`path "/": a segment is empty`, "/", nil},
		{`path "/reviews/": a segment is empty`, "/reviews/", nil},
		{`path "/reviews?page=1": leave the query out`, "/reviews?page=1", nil},
		{`path "/api/v1/reviews": leave /api/v1 out`, "/api/v1/reviews", nil},
		{`path "/re views": segment "re views" is not escaped`, "/re views", nil},
		{`path "/surveys/{id}/x": leave the placeholder out`, "/surveys/{id}/x", nil},
		{`path "/contacts": the fake has GET /contacts`, "/contacts", nil},
		{`path "/contacts/c1": the fake has GET /contacts/{id}`, "/contacts/c1", nil},
		{`path "/sequences/s1/execute": the fake has POST /sequences/{id}/execute`, "/sequences/s1/execute", nil},
		{`path "/sequences/s1": the fake has GET /sequences/{id}`, "/sequences/s1", nil},
		{`path "/surveys/s1": the fake has GET /surveys/{id}`, "/surveys/s1", nil},
		{`objects[1] is null`, "/reviews", []any{survey("r1"), nil}},
		{`objects[0] is not a JSON object: json: `, "/reviews", []any{[]string{"r1"}}},
		{`objects[0] is not a JSON object: json: `, "/reviews", []any{"r1"}},
		{`objects[0] is not a JSON object: json: `, "/reviews", []any{map[string]any{"id": func() {}}}},
		{`objects[0] needs an "id" that is a non-empty string`, "/reviews", []any{struct{ ID string }{"r1"}}},
		{`objects[0] needs an "id" that is a non-empty string`, "/reviews", []any{map[string]int{"id": 1}}},
		{`objects[0] needs an "id" that is a non-empty string`, "/reviews", []any{survey("")}},
		{`objects[1] has the id r1 of another object`, "/reviews", []any{survey("r1"), survey("r1")}},
		{`there is an object with the id s1 at /surveys`, "/surveys", []any{survey("s2"), survey("s1")}},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "demeterrrtest: AddObjects: "+tt.want) {
					t.Errorf("panic %q, want %q", got, tt.want)
				}
			}()
			s.AddObjects(tt.path, tt.objects...)
		}()
	}
	send(t, s, "GET", "/surveys", "").is(t, 200, `{"data":[{"id":"s1"}],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`)
}
