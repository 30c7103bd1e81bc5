// Package fakepage is the page of demeterrr fake. It shows the account as it
// changes, and its buttons make the account fail. Scripts get the same state as
// JSON. The README of the program lists the paths.
package fakepage

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Config configures a page.
type Config struct {
	// NewServer makes the account as it is at the start. It is called again for
	// each reset. The server must hand its requests to log.
	NewServer func(log func(demeterrrtest.Request)) (*demeterrrtest.Server, error)
	// Token protects the page. Without one the page answers only to the names of
	// the loopback interface.
	Token string
}

// Page serves the API of a fake account and a page about it.
type Page struct {
	config   Config
	baseURL  string
	patience time.Duration // with an open page that does not read
	now      atomic.Pointer[account]

	control  sync.Mutex // held while a person changes the account
	changed  signal
	stopped  chan struct{}
	stop     sync.Once
	watchers atomic.Int32
}

// New makes the account and its page.
func New(c Config) (*Page, error) {
	p := &Page{config: c, patience: 10 * time.Second, stopped: make(chan struct{})}
	if err := p.reset(); err != nil {
		return nil, err
	}
	return p, nil
}

// APIKey is the key of the account.
func (p *Page) APIKey() string { return p.now.Load().server.APIKey() }

// URL is the address of the page, with the token if it has one. It is known
// after Handler.
func (p *Page) URL() string {
	url := strings.TrimSuffix(p.baseURL, "/api/v1") + "/"
	for _, everywhere := range []string{"[::]", "0.0.0.0"} { // names no browser opens
		url = strings.Replace(url, "//"+everywhere, "//localhost", 1)
	}
	if p.config.Token != "" {
		url += "?token=" + p.config.Token
	}
	return url
}

// Stop tells every open page that the fake stops. Requests are still answered.
func (p *Page) Stop() { p.stop.Do(func() { close(p.stopped) }) }

// Close ends the account. Requests fail from now on.
func (p *Page) Close() {
	p.Stop()
	p.now.Load().server.Close()
}

// reset replaces the account by a new one. Requests in flight end on the old one.
func (p *Page) reset() error {
	a := newAccount(p.changed.send)
	server, err := p.config.NewServer(a.log)
	if err != nil {
		return err
	}
	a.server = server
	p.now.Store(a)
	p.changed.send()
	return nil
}

// Handler serves the page at / and below /_fake/, and the API everywhere else.
// The base URL of the API is where clients reach it. Call Handler once.
func (p *Page) Handler(baseURL string) http.Handler {
	p.baseURL = baseURL
	guard := newGuard(p.config.Token, baseURL)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.serveHTML)
	mux.HandleFunc("POST /_fake/session", guard.logIn)
	mux.HandleFunc("GET /_fake/state", p.serveState)
	mux.HandleFunc("GET /_fake/events", p.serveEvents)
	mux.HandleFunc("GET /_fake/contacts", p.serveContacts)
	mux.HandleFunc("GET /_fake/sequences", p.serveSequences)
	mux.HandleFunc("GET /_fake/sendings", p.serveSendings)
	mux.HandleFunc("GET /_fake/requests", p.serveRequests)
	mux.HandleFunc("GET /_fake/requests/{number}", p.serveRequest)
	mux.HandleFunc("POST /_fake/faults", p.injectFault)
	mux.HandleFunc("DELETE /_fake/faults", p.clearFaults)
	mux.HandleFunc("POST /_fake/key/expire", p.expireKey)
	mux.HandleFunc("POST /_fake/key/restore", p.restoreKey)
	mux.HandleFunc("POST /_fake/reset", p.resetAccount)
	mux.HandleFunc("/_fake/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, fmt.Sprintf("there is no %s %s; the README of the program lists the paths", r.Method, r.URL.Path))
	})
	guarded := guard.protect(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || r.URL.Path == "/_fake" || strings.HasPrefix(r.URL.Path, "/_fake/") {
			guarded.ServeHTTP(w, r)
			return
		}
		p.now.Load().server.Handler().ServeHTTP(w, limited(w, r))
	})
}

// maxBody is the length limit of a request's body to the API, in bytes.
// An Execute with 100 contacts has some 50 kB.
const maxBody = 16 << 20

// limited returns the request with a limit for its body. Beyond it, the fake
// closes the connection.
func limited(w http.ResponseWriter, r *http.Request) *http.Request {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return r
}

//go:embed page.html
var pageHTML string

//go:embed login.html
var loginHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// rowsOf are the places in the page for rows of a table.
var rowsOf = regexp.MustCompile(`<!-- (\d+) rows: ([a-z ]+) -->`)

// withRows puts the rows of the tables into the page. Nothing moves when the
// script fills them. The roles hold where a phone lays cells out as a grid.
func withRows(document string) string {
	return rowsOf.ReplaceAllStringFunc(document, func(place string) string {
		parts := rowsOf.FindStringSubmatch(place)
		n, _ := strconv.Atoi(parts[1]) // the pattern has digits only
		cells := ""
		for name := range strings.FieldsSeq(parts[2]) {
			cells += `<td role="cell" class="` + name + `"></td>`
		}
		return strings.Repeat(`<tr role="row" class="blank">`+cells+"</tr>", n)
	})
}

// policy allows the page its own script and style, and calls to the fake. The page
// is one reply, so it is complete even if the fake stops right after it.
var policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; connect-src 'self'; "+
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'", hash(pageJS), hash(pageCSS))

// hash is how a policy names an inline script or style.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// serveHTML serves the page with a place for each window. Nothing moves when the
// state arrives.
func (p *Page) serveHTML(w http.ResponseWriter, _ *http.Request) {
	var places strings.Builder
	for _, window := range p.now.Load().windows() {
		fmt.Fprintf(&places, windowHTML, html.EscapeString(window.text()))
	}
	writeHTML(w, http.StatusOK, strings.Replace(withRows(pageHTML), "<!-- windows -->", cmp.Or(places.String(), noWindowsHTML), 1))
}

const (
	windowHTML = `<div class="window"><div class="window-text"><b>%s</b><span class="window-state"></span></div>` +
		`<div class="bar" role="meter" aria-valuemin="0" aria-valuemax="1" aria-valuenow="0"><div class="fill"></div></div></div>`
	noWindowsHTML = `<p class="quiet">No rate limits. Start the fake with <code>--rate-limits 100/1m,1000/1h</code> to see them fill.</p>`
)

// writeHTML writes a document with the script and the style in it.
func writeHTML(w http.ResponseWriter, status int, document string) {
	document = strings.NewReplacer("/* style */", pageCSS, "/* script */", pageJS).Replace(document)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(document))
}

// loopback reports whether a host, with or without a port, names this machine only.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
