package demeterrr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxReply is the size in bytes beyond which the body of a reply is not read.
const maxReply = 10 << 20

// call is one call of the API on its way: what is asked, and what its attempts
// have met so far. It is the http.RoundTripper of its own http.Client, because
// that is where go-retryablehttp makes an attempt.
type call struct {
	client *Client
	ctx    context.Context // the caller's
	request
	callConfig
	decode func(body []byte) error // reads the body of a 2xx; nil if nobody wants it

	attempts int           // requests sent
	last     *Error        // what the last attempt failed with; nil if it succeeded
	again    bool          // the last attempt may be repeated
	unknown  bool          // a write may have taken effect in one of the attempts
	wait     time.Duration // until the next attempt
	waiting  bool          // between two attempts
}

// reply is what came back for one attempt.
type reply struct {
	status    int // 0 if nothing came
	header    http.Header
	body      []byte
	err       error // why the reply is not whole
	unsent    bool  // certainly nothing of the request was sent
	rateLimit RateLimit
}

// do makes one call: it checks and encodes the request, sends it as often as the
// retry policy says, and decodes the reply or the error.
func (c *Client) do(ctx context.Context, r request, decode func([]byte) error, opts []CallOption) error {
	if c == nil || c.apiKey == nil {
		return r.refuse(errors.New("the client was not made by New"))
	}
	if ctx == nil {
		return r.refuse(errors.New("the context is nil; pass context.Background() if there is no other"))
	}
	cfg, err := readCallOptions(opts)
	if err != nil {
		return r.refuse(errors.New(joined(err)))
	}
	body, err := r.encode()
	if err != nil {
		return r.refuse(err)
	}
	k := &call{client: c, ctx: ctx, request: r, callConfig: cfg, decode: decode}
	if k.maxRetries < 0 {
		k.maxRetries = c.policy.MaxRetries
	}
	for _, r := range k.responses {
		*r = Response{}
	}
	if failed := k.run(body); failed != nil { // a nil *Error in an error would not be nil
		return failed
	}
	return nil
}

// run lets go-retryablehttp make the attempts. A light client for each call keeps
// the state of the call out of everybody else's way; what it returns is not
// looked at, because the call itself has kept all that it met.
func (k *call) run(body []byte) *Error {
	req := &retryablehttp.Request{Request: k.httpRequest()}
	if body != nil {
		if err := req.SetBody(body); err != nil {
			return k.refuse(err)
		}
	}
	loop := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: k, CheckRedirect: stayHere},
		Logger:       nil, // it would log URLs, which hold emails
		RetryMax:     k.maxRetries,
		CheckRetry:   k.checkRetry,
		Backoff:      k.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler, // else it drops the last reply
	}
	k.last = errNotSent // until an attempt says otherwise
	_, _ = loop.Do(req) //nolint:bodyclose // the attempt has read and closed it
	if k.last == nil {
		return nil
	}
	failed := *k.last
	if k.waiting {
		failed.cause = contextError(k.ctx) // the wait was cancelled: the last reply says why there was one
	}
	failed.Method, failed.Path = k.method, k.path
	failed.Attempts, failed.unknown = k.attempts, k.unknown
	return &failed
}

var errNotSent = &Error{Message: "the request could not be made"}

// stayHere refuses redirects. The API documents none, and a followed one would
// take the key to another host and make a GET of a POST.
func stayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (k *call) httpRequest() *http.Request {
	u := k.request.url(k.client.base)
	h := make(http.Header, 4)
	h["X-Api-Key"] = []string{k.client.apiKey()}
	h["User-Agent"] = k.client.userAgent
	h["Accept"] = acceptJSON
	if k.body != nil {
		h["Content-Type"] = acceptJSON
	}
	req := &http.Request{
		Method: k.method, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return req.WithContext(k.ctx)
}

var acceptJSON = []string{"application/json"}

// RoundTrip makes one attempt: gate, limiter, gate again, then the time limit
// starts, the request is sent, the whole reply is read and judged.
func (k *call) RoundTrip(req *http.Request) (*http.Response, error) {
	k.waiting = false
	if err := k.admit(); err != nil {
		k.last, k.again = k.interrupted(err), false
		return nil, err
	}
	k.attempts++
	started := time.Now()
	ctx, cancel := context.WithTimeout(req.Context(), k.client.timeout)
	defer cancel()
	rep := k.exchange(req.WithContext(ctx))
	k.learn(&rep)
	k.last, k.again = k.judge(&rep)
	k.done(rep.rateLimit, k.last)
	k.log(slog.LevelDebug, "demeterrr: attempt", slog.Int("attempt", k.attempts), slog.Int("status", rep.status), slog.Duration("took", time.Since(started)))
	if rep.status == 0 {
		return nil, rep.err
	}
	// The body is read already. http.Client still looks at the status, to refuse redirects.
	return &http.Response{StatusCode: rep.status, Header: rep.header, Body: http.NoBody, Request: req}, nil
}

// admit waits until the attempt may be sent. The gate may have closed while the
// limiter held the attempt back, so it is asked twice.
func (k *call) admit() error {
	if k.ctx.Err() != nil {
		return contextError(k.ctx)
	}
	if err := k.passGate(); err != nil {
		return err
	}
	if k.client.limiter == nil {
		return nil
	}
	if err := k.client.limiter.Wait(k.ctx); err != nil {
		return err
	}
	if err := k.passGate(); err != nil {
		k.done(RateLimit{}, nil) // gives the limiter's place back
		return err
	}
	return nil
}

// done tells the limiter that the attempt which it let pass is over, and what it
// failed with.
func (k *call) done(reported RateLimit, failed *Error) {
	observer, ok := k.client.limiter.(LimitObserver)
	if !ok {
		return
	}
	var retryAfter time.Duration
	if failed != nil && failed.StatusCode == http.StatusTooManyRequests {
		retryAfter = failed.RetryAfter
	}
	observer.Done(reported, retryAfter)
}

// exchange sends the request and reads the whole reply, so that its connection
// can be used again.
func (k *call) exchange(req *http.Request) reply {
	if k.client.jar != nil {
		// Not left to http.Client, which would add the cookies once more with each retry.
		req.Header = req.Header.Clone()
		for _, cookie := range k.client.jar.Cookies(req.URL) {
			req.AddCookie(cookie)
		}
	}
	req, unsent := k.watched(req)
	resp, err := k.client.transport.RoundTrip(req)
	switch {
	case err != nil:
		return reply{err: err, unsent: unsent()}
	case resp == nil || resp.StatusCode == 0:
		return reply{err: errors.New("the transport returned neither a reply nor an error")}
	}
	if k.client.jar != nil {
		k.client.jar.SetCookies(req.URL, resp.Cookies())
	}
	rep := reply{status: resp.StatusCode, header: scrub.Header(resp.Header, k.client.apiKey())}
	if resp.Body == nil { // as hand-written transports have it; http.Client lets them
		return rep
	}
	defer resp.Body.Close()
	if rep.status != http.StatusSwitchingProtocols { // what follows that is no body
		rep.body, rep.err = readAll(resp.Body, resp.ContentLength)
	}
	return rep
}

// errTooLarge is final: asking again would only read as much again.
var errTooLarge = fmt.Errorf("the reply is larger than %d MiB", maxReply>>20)

func readAll(body io.Reader, size int64) ([]byte, error) {
	if size > maxReply {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(body, maxReply+1))
	if len(data) > maxReply {
		return nil, errTooLarge
	}
	return data, err
}

// learn keeps what the reply says about the quota, for the whole client, and the
// reply itself for the caller who asked for it.
func (k *call) learn(rep *reply) {
	if rep.status != 0 {
		if limit, remaining, reset, ok := headers.RateLimit(rep.header, time.Now()); ok {
			rep.rateLimit = RateLimit{Limit: limit, Remaining: remaining, Reset: reset}
			k.client.rateLimit.Store(&rep.rateLimit)
		}
	}
	for _, r := range k.responses {
		if rep.status != 0 {
			*r = Response{StatusCode: rep.status, Header: rep.header, RateLimit: rep.rateLimit, RequestID: requestID(rep.header)}
		}
		r.Attempts = k.attempts
	}
}

func (k *call) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if l := k.client.logger; l != nil && l.Enabled(k.ctx, level) {
		l.LogAttrs(k.ctx, level, msg, append([]slog.Attr{slog.String("method", k.method), slog.String("path", k.path)}, attrs...)...)
	}
}

// contextError is the error of a context that has ended, with its cause where it has one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		err, cause = context.DeadlineExceeded, nil // the deadline has passed, its timer has not fired yet
	}
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, withoutURL(cause))
}

// withoutURL takes off every *url.Error: it carries the URL, and with it emails.
func withoutURL(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// withoutEcho is err without what the other side sent. net/http quotes what it
// cannot make sense of, and a server that echoes sends the request itself.
func (k *call) withoutEcho(err error) error {
	const all = 16 << 10 // of a text that is as it should be, nothing is cut
	text, key := err.Error(), k.client.apiKey()
	var protocol textproto.ProtocolError
	if !strings.Contains(text, `"`) && !strings.Contains(text, key) && !errors.As(err, &protocol) {
		return err
	}
	shown := scrub.Excerpt([]byte(text), all, key, k.query)
	if shown == text {
		return err
	}
	return errors.New(scrub.Cut(shown, maxExcerpt))
}
