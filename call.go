package demeterrr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// call is one call of the API in progress: the request, and the results of its
// attempts so far. It stays on the stack, unless it is retried.
type call struct {
	client *Client
	ctx    context.Context // the caller's
	request
	callConfig
	decode func(*jsonread.Reader) error // reads the body of a 2xx; nil to ignore it

	key      string        // of the last attempt
	attempts int           // requests sent
	last     *Error        // the last attempt's error; nil if it succeeded
	again    bool          // the last attempt may be retried
	unknown  bool          // a write may have taken effect in some attempt
	wait     time.Duration // until the next attempt
	waiting  bool          // between two attempts
	pauses   int           // waits for a retryAfter that used up no retry
	place    Release       // at the limiter; nil if there is none to release
	outcome  LimitOutcome  // of the attempt at that place

	neverWaits bool // set by WithMaxRetries(0): never wait for the API

	// For tracers.
	status     int // of the last attempt
	waited     Waited
	tracedWait *tracedWait // the current wait, as the tracers know it

	url     url.URL
	encoded []byte // the body; nil if there is none
}

// do makes one call. It checks and encodes the request, sends it within the
// retry policy, and decodes the reply or the error.
func (c *Client) do(ctx context.Context, r request, decode func(*jsonread.Reader) error, opts []CallOption) error {
	if c == nil || c.apiKey == nil {
		return r.refuse(errors.New("the client was not made by New; make it with New or NewFromEnv"))
	}
	if ctx == nil {
		return r.refuse(errors.New("the context is nil; pass context.Background() if there is no other"))
	}
	k := call{client: c, ctx: ctx, request: r, decode: decode}
	var failed *Error
	if c.tracing != nil {
		failed = k.traced(opts) //nolint:contextcheck // the call holds it
	} else {
		failed = k.prepareAndRun(opts) //nolint:contextcheck // the call holds it
	}
	if failed != nil { // a nil *Error in an error would be non-nil
		return failed
	}
	return nil
}

// prepareAndRun checks and encodes the request, and runs the call.
func (k *call) prepareAndRun(opts []CallOption) *Error {
	var err error
	if k.callConfig, err = readCallOptions(opts); err != nil {
		return k.refuse(errors.New(joined(err)))
	}
	for _, resp := range k.responses {
		*resp = Response{}
	}
	if k.mistake != nil {
		return k.refuse(k.mistake)
	}
	if k.encoded, err = k.encode(); err != nil {
		return k.refuse(err)
	}
	k.neverWaits = k.maxRetries == 0
	if k.maxRetries < 0 {
		k.maxRetries = k.client.policy.MaxRetries
	}
	k.atMostOnce = k.atMostOnce || k.client.policy.AtMostOnce
	k.setURL(&k.url, k.client.base)
	return k.run()
}

// run makes the first attempt, the only one of most calls. go-retryablehttp
// takes over from the second.
func (k *call) run() *Error {
	k.attempt()
	if k.again {
		k.repeat()
	}
	if k.last == nil {
		return nil
	}
	if k.waiting {
		k.last.cause = contextError(k.ctx) // the wait was canceled; the last reply is the reason for it
	}
	if !k.unknown && errors.Is(k.last.cause, ErrUnknownOutcome) {
		k.last.cause = foreign{k.last.cause} // from outside, such as a limiter: it may be about another call
	}
	k.last.Method, k.last.Path = k.method, k.path
	k.last.Attempts, k.last.unknown = k.attempts, k.unknown
	return k.last
}

// request describes one call before it is sent. The methods of the services
// fill it in.
type request struct {
	operation string // the caller: "Contacts.Create"
	method    string
	path      string // below the base URL, escaped
	query     url.Values
	body      any // nil, or a value to encode as JSON; a checker is checked first
	// mistake is the reason to reject the request, or nil.
	mistake error
	// route is the template of the path, for tracers. Empty means that path is
	// a template itself, or that the route is derived from a raw path.
	route string
	raw   bool // the caller gave the path
}

// checker is a body that can find its own mistakes before sending.
type checker interface{ check() error }

// refuse returns the error for a request that is rejected before sending.
func (r request) refuse(err error) *Error {
	e := invalid("%s", err)
	e.Method, e.Path = r.method, r.path
	return e
}

// withID puts an id into the {id} of a route, escaped as one segment.
func withID(operation, method, route, id string) request {
	if err := validate.ID(id); err != nil {
		return request{operation: operation, method: method, path: route, mistake: err}
	}
	before, after, _ := strings.Cut(route, "{id}")
	return request{operation: operation, method: method, path: before + url.PathEscape(id) + after, route: route}
}

// setURL sets u to the address of the request. The path is already escaped.
func (r request) setURL(u, base *url.URL) {
	*u = *base
	plain := r.path
	if strings.Contains(plain, "%") {
		if p, err := url.PathUnescape(plain); err == nil { // always: paths are checked before
			plain = p
		}
	}
	u.RawPath = base.RawPath + r.path // validate.BaseURL has set base.RawPath
	u.Path = u.RawPath
	if base.RawPath != base.Path || plain != r.path {
		u.Path = base.Path + plain
	}
	u.RawQuery = r.query.Encode()
}

// attemptRequest is the request of one attempt. Attempts never share one: a
// transport may keep it after the attempt, and overwrite its URL and headers,
// for example to redact them before logging.
type attemptRequest struct {
	http.Request
	url    url.URL
	values [4]string // of the headers
	body   bytes.Reader
}

// httpRequest makes the request of one attempt. It has no GetBody. With
// GetBody, net/http could send the body again by itself.
func (k *call) httpRequest(ctx context.Context) *http.Request {
	a := &attemptRequest{url: k.url}
	req := http.Request{
		Method: k.method, URL: &a.url, Host: a.url.Host, Header: k.header(a),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if k.encoded != nil {
		a.body.Reset(k.encoded)
		req.Body, req.ContentLength = io.NopCloser(&a.body), int64(len(k.encoded))
	}
	a.Request = *req.WithContext(ctx) // copied, so that one allocation holds everything
	return &a.Request
}

func (k *call) header(a *attemptRequest) http.Header {
	values := &a.values
	*values = [4]string{k.key, k.client.userAgent, "application/json", "application/json"}
	h := make(http.Header, 4)
	h["X-Api-Key"] = values[0:1:1]
	h["User-Agent"] = values[1:2:2]
	h["Accept"] = values[2:3:3]
	if k.encoded != nil {
		h["Content-Type"] = values[3:4:4]
	}
	if k.client.jar != nil {
		// http.Client would add the cookies again with each retry.
		with := http.Request{Header: h}
		for _, cookie := range k.client.jar.Cookies(&a.url) {
			with.AddCookie(cookie)
		}
	}
	return h
}

// keySource returns the key of the next attempt, or an [*Error].
type keySource func(context.Context) (string, error)

// takeKey gets the key of the next attempt. The attempt is sent with this key,
// and replies and errors are scrubbed of it.
func (k *call) takeKey() error {
	key, err := k.client.apiKey(k.ctx)
	if err != nil {
		return err
	}
	k.key = key
	return nil
}

// askKey asks the function of [WithAPIKeyFunc] for a key, and checks it.
func askKey(ctx context.Context, f func(context.Context) (string, error)) (string, error) {
	key, err := callKeyFunc(ctx, f)
	if err != nil {
		return "", &Error{Code: CodeMissingAPIKey, Message: "WithAPIKeyFunc: the function gave no key", cause: withoutKeys(err, key)}
	}
	if failed := checkKey(key); failed != nil {
		failed.Message = "WithAPIKeyFunc: " + failed.Message
		return "", failed
	}
	return key, nil
}

func callKeyFunc(ctx context.Context, f func(context.Context) (string, error)) (key string, err error) {
	defer scrub.Panic(&err)
	return f(ctx)
}

// checkKey returns the error for an unusable key, or nil.
func checkKey(key string) *Error {
	if key == "" {
		return &Error{Code: CodeMissingAPIKey, Message: "no API key was given; make one in the dashboard"}
	}
	if err := validate.APIKey(key); err != nil {
		return &Error{Code: CodeInvalidAPIKeyFormat, Message: err.Error()}
	}
	return nil
}

// anyKey matches text that looks like an API key.
var anyKey = regexp.MustCompile(`dem_[^\s"'<>()\[\],;:=&\\]+`)

// withoutKeys returns err with key, and anything like a key, removed from its
// text.
func withoutKeys(err error, key string) error {
	err = scrub.Readable(err)
	text := err.Error()
	if key = strings.TrimSpace(key); key != "" {
		text = scrub.Key(text, key)
	}
	return foreign{&cleanText{err, anyKey.ReplaceAllString(text, scrub.Gone)}}
}

// cleanText is an error with another text.
type cleanText struct {
	err  error
	text string
}

func (c *cleanText) Error() string { return c.text }

func (c *cleanText) Unwrap() error { return c.err }
