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

// Version is the version of this SDK in the User-Agent header.
const Version = "0.1.0"

// Client talks to the demeterrr API. Make one with [New] and share it. It is
// safe for concurrent use and keeps connections open. All its calls share the
// reported rate limit and the pause after a 429. The zero Client fails every
// call.
type Client struct {
	// Contacts manages the recipients of surveys.
	Contacts *ContactsService
	// Sequences lists and sends sequences, which are surveys with their steps.
	Sequences *SequencesService

	base      *url.URL
	userAgent string
	// apiKey is a function, so that printing a client never shows the key.
	apiKey    keySource
	asksKey   bool              // set by WithAPIKeyFunc
	transport http.RoundTripper // nil for http.DefaultTransport
	own       *http.Transport   // below transport; nil with WithHTTPClient
	jar       http.CookieJar
	timeout   time.Duration // for one attempt
	policy    RetryPolicy
	limiter   Limiter
	logger    *slog.Logger
	tracing   *tracing // nil without a tracer
	gate      gate.Gate
	rateLimit atomic.Pointer[RateLimit]
}

// New makes a client for an API key, which starts with dem_ (API docs, page
// "authentication"). With [WithAPIKeyFunc] the key must be empty. New sends
// nothing. Its error lists every mistake in the key and the options. It matches
// [ErrMissingAPIKey], [ErrInvalidAPIKeyFormat] or [ErrValidation].
func New(apiKey string, opts ...Option) (*Client, error) {
	cfg, base, err := readOptions(opts)
	if cfg.apiKey != nil && apiKey != "" {
		err = errors.Join(errors.New("WithAPIKeyFunc: New was given a key too; pass New an empty key"), err)
	}
	return newClient(apiKey, cfg, base, err)
}

// NewFromEnv makes a client for the key in the environment variable
// DEMETERRR_API_KEY. DEMETERRR_BASE_URL, if set, is the address of the API.
// Options override the environment: with [WithAPIKeyFunc], DEMETERRR_API_KEY is
// ignored.
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

// newClient makes a client, or returns the error for the key or for err, the
// mistakes in the options.
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

// CloseIdleConnections closes the idle connections of the client's own
// transport, also below [WithTransport]. The client stays usable. The
// connections of [WithHTTPClient] stay open: closing them is up to you.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// roundTripper returns the transport of an attempt. A client without one uses
// the current http.DefaultTransport, like an http.Client.
func (c *Client) roundTripper() http.RoundTripper {
	if c.transport != nil {
		return refuseRedirects(c.transport)
	}
	return refuseRedirects(http.DefaultTransport)
}

// RateLimit returns the most recently reported quota, or the zero value.
func (c *Client) RateLimit() RateLimit {
	if c != nil {
		if r := c.rateLimit.Load(); r != nil {
			return *r
		}
	}
	return RateLimit{}
}

// BaseURL returns the address of the API, as [WithBaseURL] set it. It is empty
// for a nil or zero Client.
func (c *Client) BaseURL() string {
	if c == nil || c.base == nil {
		return ""
	}
	return c.base.String()
}

// String names the client by the address of its API. Without this method, fmt
// would race with other goroutines and print a proxy's password.
func (c *Client) String() string {
	if c == nil || c.base == nil {
		return "demeterrr.Client(not made by New)"
	}
	return "demeterrr.Client(" + c.base.String() + ")"
}

// GoString returns the same text as String.
func (c *Client) GoString() string { return c.String() }

// Request describes a call to an endpoint without a method of its own.
type Request struct {
	// Method is GET, POST, PUT, PATCH or DELETE.
	Method string
	// Path is relative to the base URL and already escaped: "/surveys/" +
	// url.PathEscape(id). It has no query and no dot segments.
	Path string
	// Route is the template of Path for tracers: "/surveys/{id}/responses". It
	// is a constant without ids. Empty means the path with {id} in place of
	// each segment. The first segment stays if it has only letters, hyphens and
	// underscores.
	Route string
	// Query is added to the path; nil means none.
	Query url.Values
	// Body is encoded as JSON; nil means none. A json.RawMessage is sent
	// unchanged.
	Body any
}

// Response describes the last reply of a call; see [WithResponse]. Without a
// reply, all fields but Attempts are zero.
type Response struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Header holds the headers. An API key echoed by the server is removed.
	Header http.Header
	// RateLimit is the quota in this reply's headers; zero if they had none.
	RateLimit RateLimit
	// RequestID is the reply's X-Request-Id; empty if it had none.
	RequestID string
	// Attempts is the number of requests sent, retries included.
	Attempts int
}

// Do calls an endpoint without a method of its own, such as /surveys. Key,
// retries, rate limit and errors work as in every method. Use [Fetch] for an
// object, [FetchAll] for a list, and Do for a reply without a body or outside
// the API's envelope.
//
// Do decodes the whole body of the reply into out, a pointer. If out is nil, Do
// reads only the API's own errors. Pass nil for an endpoint that replies
// without a body. With out, a 2xx without a body counts as a lost reply.
//
// After a lost reply, Do retries GET, PATCH, DELETE and POST /contacts. Any
// other POST or PUT fails.
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
		return nil // a retried DELETE got a 404: it succeeded, without a result
	}
	// Decode once, after the retries. A wrong type of the caller is no reason
	// to send the call again.
	if err := json.Unmarshal(reply, out); err != nil {
		return misfit(r, &resp, out, err)
	}
	return nil
}

// request returns the call that req describes. Its mistake says why req is
// invalid, also if req is nil.
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

// checkBody rejects the body of a GET, and bodies that JSON encoding would
// alter.
func (req *Request) checkBody() error {
	switch req.Body.(type) {
	case nil:
		return nil
	case io.Reader, []byte:
		return fmt.Errorf("a body of type %T cannot be sent as it is; pass a value to be encoded as JSON, or a json.RawMessage", req.Body)
	}
	if req.Method == http.MethodGet {
		return errors.New("a GET request has no body; use Query")
	}
	return validate.Text(req.Body)
}

// userAgent returns the SDK's part of the header: demeterrr-go/0.1.0 (go1.26;
// linux/amd64).
func userAgent() string {
	goVersion := regexp.MustCompile(`go\d+\.\d+`).FindString(runtime.Version())
	if goVersion == "" {
		goVersion = "go"
	}
	return fmt.Sprintf("demeterrr-go/%s (%s; %s/%s)", Version, goVersion, runtime.GOOS, runtime.GOARCH)
}

// joined returns the text of a joined error on one line.
func joined(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
