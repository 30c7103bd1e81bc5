package demeterrrtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// objectStore is the list of an endpoint with objects of any shape.
type objectStore struct {
	inOrder []object
	byID    map[string]object
}

// object is an object of any shape.
type object struct {
	id   string
	json json.RawMessage
}

// AddObjects plays an endpoint that the client has no methods for. GET path
// lists the objects, with page and limit. GET path/{id} returns one.
//
//	srv.AddObjects("/surveys", map[string]any{"id": "s1"}, map[string]any{"id": "s2"})
//
// Each object is a value that encoding/json encodes as a JSON object with an
// "id". Further calls add to the list. A call without objects starts an empty
// list. A key needs the scope <first segment>:read, here surveys:read. For
// filters, other methods and objects without an id, use a [Fault] with Status
// and Body.
//
// AddObjects panics, and adds nothing, in these cases: no client can request
// the path, the path belongs to another endpoint, an object is not a JSON
// object, or its id is taken.
func (s *Server) AddObjects(path string, objects ...any) {
	added, err := readObjects(objects)
	if err != nil {
		misuse("AddObjects: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	store, err := s.objectsAt(path)
	if err != nil {
		misuse("AddObjects: path %q: %v", path, err)
	}
	for _, o := range added {
		if _, taken := store.byID[o.id]; taken {
			misuse("AddObjects: there is an object with the id %s at %s", o.id, path)
		}
	}
	for _, o := range added {
		store.inOrder = append(store.inOrder, o)
		store.byID[o.id] = o
	}
}

// readObjects encodes the objects of a test.
func readObjects(objects []any) ([]object, error) {
	out := make([]object, 0, len(objects))
	for i, v := range objects {
		var members map[string]json.RawMessage
		encoded, err := encode(v)
		if err == nil {
			err = json.Unmarshal(encoded, &members)
		}
		o := object{json: encoded}
		switch {
		case err != nil:
			return nil, fmt.Errorf("objects[%d] is not a JSON object: %w", i, err)
		case members == nil:
			return nil, fmt.Errorf("objects[%d] is null, want a JSON object", i)
		case json.Unmarshal(members["id"], &o.id) != nil || o.id == "":
			return nil, fmt.Errorf(`objects[%d] needs an "id" that is a non-empty string`, i)
		case slices.ContainsFunc(out, func(other object) bool { return other.id == o.id }):
			return nil, fmt.Errorf("objects[%d] has the id %s of another object", i, o.id)
		}
		out = append(out, o)
	}
	return out, nil
}

// objectsAt returns the list at a path. It adds the routes of a new one.
func (s *Server) objectsAt(path string) (*objectStore, error) {
	if store := s.objects[path]; store != nil {
		return store, nil
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if strings.Contains(path, "{") {
		return nil, errors.New("leave the placeholder out, the fake adds /{id}")
	}
	item := path + "/{id}"
	for _, r := range s.routes {
		if overlap(r.path, path) || overlap(r.path, item) {
			return nil, fmt.Errorf("the fake has %s %s", r.method, r.path)
		}
	}
	store := &objectStore{byID: map[string]object{}}
	s.objects[path] = store
	resource, _, _ := strings.Cut(path[1:], "/")
	scope := resource + ":read"
	s.routes = append(s.routes,
		route{"GET", path, scope, []string{"page", "limit"}, func(_ *Server, c *call) *reply { return store.list(c) }},
		route{"GET", item, scope, nil, func(_ *Server, c *call) *reply { return store.get(c) }})
	own := s.keys[s.apiKey]
	own.scopes = append(own.scopes, scope)
	return store, nil
}

// overlap reports whether a request can match both paths.
func overlap(a, b string) bool {
	return slices.EqualFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(a, b string) bool {
		return a == b || strings.HasPrefix(a, "{") || strings.HasPrefix(b, "{")
	})
}

func (o *objectStore) list(c *call) *reply {
	return pageReply(o.inOrder, pagingOf(c.query), func(o object) any { return o.json })
}

func (o *objectStore) get(c *call) *reply {
	found, ok := o.byID[c.id]
	if !ok {
		return documentedError(demeterrr.CodeNotFound)
	}
	return dataReply(http.StatusOK, found.json)
}
