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

// call is one call of the API on its way: what is asked, and what its attempts
// have met so far. It stays on the stack, unless it is repeated.
type call struct {
	client *Client
	ctx    context.Context // the caller's
	request
	callConfig
	decode func(*jsonread.Reader) error // reads the body of a 2xx; nil if nobody wants it

	key      string        // of the last attempt
	attempts int           // requests sent
	last     *Error        // what the last attempt failed with; nil if it succeeded
	again    bool          // the last attempt may be repeated
	unknown  bool          // a write may have taken effect in one of the attempts
	wait     time.Duration // until the next attempt
	waiting  bool          // between two attempts
	pauses   int           // waits for a retryAfter that used up no retry
	place    Release       // at the limiter; nil if there is nothing to give back
	outcome  LimitOutcome  // of the attempt at that place

	neverWaits bool // for the API, because of a WithMaxRetries(0)

	// For tracers.
	status     int // of the last attempt
	waited     Waited
	tracedWait *tracedWait // the wait that they know of

	url     url.URL
	encoded []byte // the body; nil if there is none
}

// do makes one call: it checks and encodes the request, sends it as often as the
// retry policy says, and decodes the reply or the error.
func (c *Client) do(ctx context.Context, r request, decode func(*jsonread.Reader) error, opts []CallOption) error {
	if c == nil || c.apiKey == nil {
		return r.refuse(errors.New("the client was not made by New"))
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
	if failed != nil { // a nil *Error in an error would not be nil
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

// run makes the first attempt, with which nearly every call ends, and leaves it
// to go-retryablehttp to go on from there.
func (k *call) run() *Error {
	k.attempt()
	if k.again {
		k.repeat()
	}
	if k.last == nil {
		return nil
	}
	if k.waiting {
		k.last.cause = contextError(k.ctx) // the wait was cancelled: the last reply says why there was one
	}
	if !k.unknown && errors.Is(k.last.cause, ErrUnknownOutcome) {
		k.last.cause = foreign{k.last.cause} // a limiter's, say, from another call
	}
	k.last.Method, k.last.Path = k.method, k.path
	k.last.Attempts, k.last.unknown = k.attempts, k.unknown
	return k.last
}

// request is one call before it is sent: what a method of a service says about it.
type request struct {
	operation string // what asks: "Contacts.Create"
	method    string
	path      string // below the base URL, escaped
	query     url.Values
	body      any // nil, or what is encoded as JSON; it is checked first if it is a checker
	// mistake is why the request must not be sent; nil if nothing is known to be wrong with it.
	mistake error
	// route is the template of the path, for tracers. Empty means that the path is one itself, or that it is made of a raw path.
	route string
	raw   bool // the path is a caller's
}

// checker is a body that can tell before it is sent that it cannot be right.
type checker interface{ check() error }

// refuse is the error for a request that will not be sent.
func (r request) refuse(err error) *Error {
	e := invalid("%s", err)
	e.Method, e.Path = r.method, r.path
	return e
}

// withID puts an id into the one place for it in a route, escaped as one segment.
func withID(operation, method, route, id string) request {
	if err := validate.ID(id); err != nil {
		return request{operation: operation, method: method, path: route, mistake: err}
	}
	before, after, _ := strings.Cut(route, "{id}")
	return request{operation: operation, method: method, path: before + url.PathEscape(id) + after, route: route}
}

// setURL makes u the address of the request. Its path is escaped already.
func (r request) setURL(u, base *url.URL) {
	*u = *base
	plain := r.path
	if strings.Contains(plain, "%") {
		if p, err := url.PathUnescape(plain); err == nil { // it is: paths are checked before
			plain = p
		}
	}
	u.RawPath = base.RawPath + r.path // validate.BaseURL has seen to it that the base has one
	u.Path = u.RawPath
	if base.RawPath != base.Path || plain != r.path {
		u.Path = base.Path + plain
	}
	u.RawQuery = r.query.Encode()
}

// attemptRequest is the request of one attempt. A transport may keep it when the
// attempt is over, and overwrite the URL and the headers, as one does that redacts
// them before it logs. So no other attempt shares it.
type attemptRequest struct {
	http.Request
	url    url.URL
	values [4]string // of the headers
	body   bytes.Reader
}

// httpRequest is what one attempt sends. It has no GetBody: with one, net/http
// would send a body again by itself.
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
	a.Request = *req.WithContext(ctx) // copied, so that one allocation holds it all
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
		// Not left to http.Client, which would add the cookies once more with each retry.
		with := http.Request{Header: h}
		for _, cookie := range k.client.jar.Cookies(&a.url) {
			with.AddCookie(cookie)
		}
	}
	return h
}

// keySource returns the key of the next attempt, or an [*Error].
type keySource func(context.Context) (string, error)

// takeKey gets the key of the next attempt, with which it is sent and of which
// everything that comes back is cleaned.
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

// checkKey returns the error for a key that cannot be sent, or nil.
func checkKey(key string) *Error {
	if key == "" {
		return &Error{Code: CodeMissingAPIKey, Message: "no API key was given; make one in the dashboard"}
	}
	if err := validate.APIKey(key); err != nil {
		return &Error{Code: CodeInvalidAPIKeyFormat, Message: err.Error()}
	}
	return nil
}

// anyKey matches what looks like an API key.
var anyKey = regexp.MustCompile(`dem_[^\s"'<>()\[\],;:=&\\]+`)

// withoutKeys is err with a text that holds neither key nor anything like one.
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
