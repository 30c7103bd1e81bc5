package fakepage

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// guard refuses other sites in the same browser. With a token it refuses other
// people too.
type guard struct {
	token, session string // no token: loopback only
	cookie         string
	crossOrigin    *http.CrossOriginProtection
}

func newGuard(token, baseURL string) *guard {
	g := &guard{token: token, cookie: "demeterrr_fake", crossOrigin: http.NewCrossOriginProtection()}
	if u, err := url.Parse(baseURL); err == nil && u.Port() != "" {
		g.cookie += "_" + u.Port() // cookies know no ports, and there may be two fakes
	}
	if token != "" {
		g.session = rand.Text() // the cookie does not give the token away
	}
	return g
}

// protect refuses other sites and everybody without the token.
func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin") // no-referrer would hide the origin of a form
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		switch {
		case g.token == "" && !loopback(r.Host):
			writeError(w, http.StatusForbidden, "the page answers to 127.0.0.1, [::1] and localhost only; start the fake with --public for another name")
		case g.crossOrigin.Check(r) != nil || fromOtherSite(r):
			writeError(w, http.StatusForbidden, "the request comes from another site; open the page itself")
		case g.token != "" && r.URL.Path == "/" && g.is(g.token, r.URL.Query().Get("token")):
			g.welcome(w, r)
		case g.token == "" || g.known(r) || r.URL.Path == "/_fake/session":
			next.ServeHTTP(w, r)
		case r.URL.Path == "/":
			writeHTML(w, http.StatusUnauthorized, loginHTML)
		default:
			writeError(w, http.StatusUnauthorized, "the token is missing or wrong; send Authorization: Bearer with the token that the fake printed")
		}
	})
}

// fromOtherSite reports whether a browser asks for another site. A link to the
// page is fine: a person follows it.
func fromOtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	link := r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !link
}

// known reports whether a request carries the token or the cookie for it.
func (g *guard) known(r *http.Request) bool {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") && g.is(g.token, token) {
		return true
	}
	cookie, err := r.Cookie(g.cookie)
	return err == nil && g.is(g.session, cookie.Value)
}

// is compares in constant time.
func (g *guard) is(want, have string) bool {
	return subtle.ConstantTimeCompare([]byte(want), []byte(have)) == 1
}

// welcome swaps the token for a cookie. The token leaves the address bar.
func (g *guard) welcome(w http.ResponseWriter, r *http.Request) {
	//nolint:gosec // not Secure: the fake speaks HTTP, and a proxy before it may speak HTTPS
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logIn takes the token from the form of the page.
func (g *guard) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxControl)
	if g.token != "" && !g.is(g.token, strings.TrimSpace(r.PostFormValue("token"))) {
		writeHTML(w, http.StatusUnauthorized, strings.Replace(loginHTML, "<!-- problem -->", "That is not the token of this fake.", 1))
		return
	}
	g.welcome(w, r)
}
