package demeterrr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/gate"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Version is the version of this SDK, as it stands in the User-Agent header.
const Version = "0.1.0"

// Client talks to the demeterrr API. Make one with [New] and share it: it is
// safe for concurrent use, keeps connections open, and what one call learns of
// the rate limit holds for all of them. The zero Client refuses every call.
type Client struct {
	// Contacts are the people that surveys are sent to.
	Contacts *ContactsService
	// Sequences are the surveys with their steps.
	Sequences *SequencesService

	base      *url.URL
	userAgent string
	// apiKey is a function so that no way of printing a client shows the key.
	apiKey    keySource
	asksKey   bool              // of WithAPIKeyFunc
	transport http.RoundTripper // nil for http.DefaultTransport
	own       *http.Transport   // under transport; nil with WithHTTPClient
	jar       http.CookieJar
	timeout   time.Duration // of one attempt
	policy    RetryPolicy
	limiter   Limiter
	logger    *slog.Logger
	tracing   *tracing // nil without a tracer
	gate      gate.Gate
	rateLimit atomic.Pointer[RateLimit]
}

// New makes a client for the API key, which starts with dem_ (API docs, page
// "authentication"). With [WithAPIKeyFunc] the key must be empty. New sends
// nothing. The error, if any, tells everything that is wrong with the key and the
// options, and matches [ErrMissingAPIKey], [ErrInvalidAPIKeyFormat] or
// [ErrValidation].
func New(apiKey string, opts ...Option) (*Client, error) {
	cfg, base, err := readOptions(opts)
	if cfg.apiKey != nil && apiKey != "" {
		err = errors.Join(errors.New("WithAPIKeyFunc: New was given a key too; pass New an empty key"), err)
	}
	return newClient(apiKey, cfg, base, err)
}

// NewFromEnv makes a client for the key in the environment variable
// DEMETERRR_API_KEY, and for the address in DEMETERRR_BASE_URL if it is set. An
// option overrides the environment: with [WithAPIKeyFunc] the first is not read.
func NewFromEnv(opts ...Option) (*Client, error) {
	if base := os.Getenv("DEMETERRR_BASE_URL"); base != "" {
		opts = append([]Option{WithBaseURL(base)}, opts...)
	}
	cfg, base, err := readOptions(opts)
	if cfg.apiKey != nil {
		return newClient("", cfg, base, err)
	}
	key := os.Getenv("DEMETERRR_API_KEY")
	if key == "" {
		unset := errors.New("the environment variable DEMETERRR_API_KEY is not set; set it to a key from the dashboard")
		return nil, &Error{Code: CodeMissingAPIKey, Message: joined(errors.Join(unset, err))}
	}
	return newClient(key, cfg, base, err)
}

// newClient makes a client, unless err says what is wrong with its options.
func newClient(apiKey string, cfg config, base *url.URL, err error) (*Client, error) {
	source := cfg.apiKey
	if source == nil {
		if keyErr := checkKey(apiKey); keyErr != nil {
			keyErr.Message = joined(errors.Join(errors.New(keyErr.Message), err))
			return nil, keyErr
		}
		source = func(context.Context) (string, error) { return apiKey, nil }
	}
	if err != nil {
		return nil, invalid("%s", joined(err))
	}
	c := &Client{
		base:      base,
		userAgent: cfg.app + userAgent(),
		apiKey:    source,
		asksKey:   cfg.apiKey != nil,
		transport: cfg.transport,
		own:       cfg.own,
		jar:       cfg.jar,
		timeout:   cfg.timeout,
		policy:    cfg.policy,
		limiter:   cfg.limiter,
		logger:    cfg.logger,
		tracing:   newTracing(cfg.tracers, base),
	}
	c.Contacts = &ContactsService{client: c}
	c.Sequences = &SequencesService{client: c}
	return c, nil
}

// CloseIdleConnections closes the connections of the client's own transport that
// no call is using, also below [WithTransport]. The client stays usable. The
// connections of [WithHTTPClient] are the caller's to close.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// roundTripper is the transport of an attempt. A client without one takes
// http.DefaultTransport as it is at that moment, as an http.Client does.
func (c *Client) roundTripper() http.RoundTripper {
	if c.transport != nil {
		return refuseRedirects(c.transport)
	}
	return refuseRedirects(http.DefaultTransport)
}

// RateLimit is what the last reply that said anything about the quota reported;
// zero if none did.
func (c *Client) RateLimit() RateLimit {
	if c != nil {
		if r := c.rateLimit.Load(); r != nil {
			return *r
		}
	}
	return RateLimit{}
}

// BaseURL returns the address of the client's API, as [WithBaseURL] set it; empty
// for a Client that New did not make.
func (c *Client) BaseURL() string {
	if c == nil || c.base == nil {
		return ""
	}
	return c.base.String()
}

// String names the client by the address of its API. Without it, fmt would read
// what other goroutines are changing, and show a proxy's password.
func (c *Client) String() string {
	if c == nil || c.base == nil {
		return "demeterrr.Client(not made by New)"
	}
	return "demeterrr.Client(" + c.base.String() + ")"
}

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// Request is a call of an endpoint that has no method of its own.
type Request struct {
	// Method is GET, POST, PUT, PATCH or DELETE.
	Method string
	// Path is relative to the base URL and already escaped: "/surveys/" + url.PathEscape(id). It has no query and no dot segments.
	Path string
	// Route is the template of Path for tracers: "/surveys/{id}/responses". It is a constant, without ids. Empty means
	// the path with {id} in place of every segment but the first, which stays if it has letters, hyphens and underscores only.
	Route string
	// Query is added to the path; nil means none.
	Query url.Values
	// Body is encoded as JSON; nil means none. A json.RawMessage is sent as it is.
	Body any
}

// Response tells how the last reply of a call looked; see [WithResponse]. All
// but Attempts are zero if there was no reply.
type Response struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Header has the headers, without the API key if the server echoed it.
	Header http.Header
	// RateLimit is what this reply reported; zero if it did not.
	RateLimit RateLimit
	// RequestID is the reply's X-Request-Id; empty if it had none.
	RequestID string
	// Attempts is the number of requests that were sent, retries included.
	Attempts int
}

// Do calls an endpoint that has no method of its own, such as /surveys, with
// everything else that a method does: key, retries, rate limit, errors. Use [Fetch]
// for an object, [FetchAll] for a list, and Do for a reply without a body or
// outside the API's envelope.
//
// Do decodes the whole body of the reply into out, a pointer. If out is nil, Do
// looks for the API's own error only. Pass nil for an endpoint that answers without
// a body: with out, a 2xx that has none counts as a lost reply.
//
// GET, PATCH and DELETE are repeated after a lost reply; POST and PUT are not,
// except POST /contacts.
func (c *Client) Do(ctx context.Context, req *Request, out any, opts ...CallOption) error {
	r := req.request("Do")
	if out == nil {
		return c.do(ctx, r, nil, opts)
	}
	if v := reflect.ValueOf(out); v.Kind() != reflect.Pointer || v.IsNil() {
		r.mistake = cmp.Or(r.mistake, fmt.Errorf("out must be a pointer that is not nil, not %T", out))
	}
	var reply []byte
	var resp Response
	keep := func(r *jsonread.Reader) error {
		start := r.Mark()
		err := whole(r)
		reply = bytes.Clone(r.Since(start))
		return err
	}
	if err := c.do(ctx, r, keep, withResponse(opts, &resp)); err != nil {
		return err
	}
	if reply == nil {
		return nil // a repeated DELETE that met a 404: it has succeeded, and there is no result
	}
	// Decoded once, after the retries: that the caller's type does not fit is no fault of the reply.
	if err := json.Unmarshal(reply, out); err != nil {
		return misfit(r, &resp, out, err)
	}
	return nil
}

// request is the call that req describes, which may be nil. Its mistake is what is
// wrong with req.
func (req *Request) request(operation string) request {
	if req == nil {
		return request{operation: operation, mistake: errors.New("the request is nil; pass a *demeterrr.Request")}
	}
	r := request{operation: operation, path: "/" + strings.TrimPrefix(req.Path, "/"), route: req.Route, raw: true, query: req.Query, body: req.Body}
	switch req.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		r.method = req.Method
		r.mistake = cmp.Or(validate.Path(r.path), req.checkBody())
	default:
		r.mistake = errors.New("the method must be GET, POST, PUT, PATCH or DELETE")
	}
	return r
}

// checkBody refuses bodies that would not be sent as they are meant.
func (req *Request) checkBody() error {
	switch req.Body.(type) {
	case nil:
		return nil
	case io.Reader, []byte:
		return fmt.Errorf("a body of type %T would not be sent as it is; pass a value to be encoded as JSON, or a json.RawMessage", req.Body)
	}
	if req.Method == http.MethodGet {
		return errors.New("a GET request has no body; use Query")
	}
	return validate.Text(req.Body)
}

// userAgent is the SDK's own part of the header: demeterrr-go/0.1.0 (go1.26; linux/amd64).
func userAgent() string {
	goVersion := regexp.MustCompile(`go\d+\.\d+`).FindString(runtime.Version())
	if goVersion == "" {
		goVersion = "go"
	}
	return fmt.Sprintf("demeterrr-go/%s (%s; %s/%s)", Version, goVersion, runtime.GOOS, runtime.GOARCH)
}

// joined puts the lines of a joined error on one.
func joined(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
