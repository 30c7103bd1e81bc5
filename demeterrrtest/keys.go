package demeterrrtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// keyLength is the documented length of a key: dem_ and 43 characters
// (contract, section 2).
const keyLength = 47

type key struct {
	scopes   []string
	expired  bool
	inactive bool
}

// may reports whether the key has the scope, by name or by wildcard.
func (k *key) may(scope string) bool {
	resource, _, _ := strings.Cut(scope, ":")
	return slices.Contains(k.scopes, scope) || slices.Contains(k.scopes, resource+":*")
}

// AddKey adds a key to the organization and returns it. A scope looks like
// "contacts:read" or "sequences:*". A key without scopes is refused everywhere.
// AddKey panics on a scope that no endpoint of the API uses.
func (s *Server) AddKey(scopes ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		if !s.isScope(scope) {
			misuse("AddKey: scope %q is unknown; use one like contacts:read or sequences:*", scope)
		}
	}
	name := fmt.Sprintf("dem_fake%0*d", keyLength-len("dem_fake"), len(s.keys)+1)
	s.keys[name] = &key{scopes: slices.Clone(scopes)}
	return name
}

// isScope reports whether an endpoint uses a scope. The scopes of surveys,
// responses and reviews are undocumented, so any action of these passes.
func (s *Server) isScope(scope string) bool {
	resource, action, _ := strings.Cut(scope, ":")
	switch resource {
	case "surveys", "responses", "reviews":
		return action != ""
	}
	return slices.ContainsFunc(s.routes, func(r route) bool {
		return r.scope == scope || action == "*" && strings.HasPrefix(r.scope, resource+":")
	})
}

// ExpireKey expires a key of this server. From now on, its requests fail with
// EXPIRED_API_KEY.
func (s *Server) ExpireKey(apiKey string) {
	s.changeKey("ExpireKey", apiKey, func(k *key) { k.expired = true })
}

// DeactivateKey deactivates a key of this server. From now on, its requests
// fail with INVALID_API_KEY.
func (s *Server) DeactivateKey(apiKey string) {
	s.changeKey("DeactivateKey", apiKey, func(k *key) { k.inactive = true })
}

// RestoreKey makes an expired or inactive key of this server valid again.
func (s *Server) RestoreKey(apiKey string) {
	s.changeKey("RestoreKey", apiKey, func(k *key) { k.expired, k.inactive = false, false })
}

func (s *Server) changeKey(method, apiKey string, change func(*key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[apiKey]
	if !ok {
		misuse("%s: the key is unknown to this server", method)
	}
	change(k)
}

// authenticate finds the key of a request, or returns the reply that refuses it
// (contract, sections 2 and 7).
func (s *Server) authenticate(header http.Header) (*key, *reply) {
	name := header.Get("X-API-Key")
	if name == "" {
		scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			name = token
		}
	}
	if name == "" {
		return nil, documentedError(demeterrr.CodeMissingAPIKey)
	}
	if !strings.HasPrefix(name, "dem_") || len(name) != keyLength {
		return nil, documentedError(demeterrr.CodeInvalidAPIKeyFormat)
	}
	k, ok := s.keys[name]
	switch {
	case !ok || k.inactive:
		return nil, documentedError(demeterrr.CodeInvalidAPIKey)
	case k.expired:
		return nil, documentedError(demeterrr.CodeExpiredAPIKey)
	}
	return k, nil
}
