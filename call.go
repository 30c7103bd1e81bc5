package demeterrr

import (
	"bytes"
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

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// call is one call of the API on its way: what is asked, and what its attempts
// have met so far. It stays on the stack, unless it is repeated.
type call struct {
	client *Client
	ctx    context.Context // the caller's
	request
	callConfig
	decode func(*jsonread.Reader) error // reads the body of a 2xx; nil if nobody wants it

	attempts int           // requests sent
	last     *Error        // what the last attempt failed with; nil if it succeeded
	again    bool          // the last attempt may be repeated
	unknown  bool          // a write may have taken effect in one of the attempts
	wait     time.Duration // until the next attempt
	waiting  bool          // between two attempts

	url     url.URL
	encoded []byte // the body; nil if there is none
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

// reply is what came back for one attempt.
type reply struct {
	status    int         // 0 if nothing came
	header    http.Header // as it came: scrub what is shown of it
	body      []byte
	err       error     // why the reply is not whole
	unsent    bool      // certainly nothing of the request was sent
	at        time.Time // when it had come, or failed to
	rateLimit RateLimit
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
	cfg, err := readCallOptions(opts)
	if err != nil {
		return r.refuse(errors.New(joined(err)))
	}
	for _, resp := range cfg.responses {
		*resp = Response{}
	}
	if r.mistake != nil {
		return r.refuse(r.mistake)
	}
	encoded, err := r.encode()
	if err != nil {
		return r.refuse(err)
	}
	if cfg.maxRetries < 0 {
		cfg.maxRetries = c.policy.MaxRetries
	}
	k := call{client: c, ctx: ctx, request: r, callConfig: cfg, decode: decode, encoded: encoded}
	k.setURL(&k.url, c.base)
	// A nil *Error in an error would not be nil.
	if failed := k.run(); failed != nil { //nolint:contextcheck // the call holds it
		return failed
	}
	return nil
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
	k.last.Method, k.last.Path = k.method, k.path
	k.last.Attempts, k.last.unknown = k.attempts, k.unknown
	return k.last
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
	*values = [4]string{k.client.apiKey(), k.client.userAgent, "application/json", "application/json"}
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

// attempt makes one attempt: gate, limiter, gate again, then the time limit
// starts, the request is sent, the whole reply is read and judged.
func (k *call) attempt() {
	k.waiting = false
	if err := k.admit(); err != nil {
		k.last, k.again = k.interrupted(err), false
		return
	}
	var rep reply
	var failed *Error
	defer func() { k.done(rep.rateLimit, failed) }() // also if the transport or a Journal panics
	if err := k.announce(); err != nil {
		k.last, k.again = k.interrupted(err), false
		return
	}
	k.attempts++
	started := time.Now()
	ctx := k.ctx
	if k.uncut {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, started.Add(k.client.timeout))
	defer cancel()
	s := spaces.Get().(*space)
	transport := k.client.roundTripper()
	rep = k.exchange(transport, k.httpRequest(s.watch.begin(ctx, cancel, transport)), s)
	rep.at = time.Now()
	k.learn(&rep)
	failed, k.again = k.judge(&rep, s)
	k.last = failed
	if rep.err == nil && s.watch.reusable() {
		s.release()
	}
	if k.client.logger != nil { // asked here too, as making the attributes is not free
		k.log(slog.LevelDebug, "demeterrr: attempt", slog.Int("attempt", k.attempts), slog.Int("status", rep.status), slog.Duration("took", rep.at.Sub(started)))
	}
}

// admit waits until there is room for the attempt: at the gate, and at the
// limiter, whose place the attempt then holds.
func (k *call) admit() error {
	if k.ctx.Err() != nil {
		return contextError(k.ctx)
	}
	if err := k.passGate(); err != nil || k.client.limiter == nil {
		return err
	}
	return k.client.limiter.Wait(k.ctx)
}

// announce tells who wants to know that the attempt is sent now, and not before:
// a limiter can hold it back for an hour, in which nothing has happened yet. The
// gate may have closed in that time, so it is asked again.
func (k *call) announce() error {
	if k.client.limiter != nil {
		if err := k.passGate(); err != nil {
			return err
		}
	}
	if ended(k.ctx) { // a limiter may have ignored it
		return contextError(k.ctx)
	}
	if k.beforeAttempt == nil {
		return nil
	}
	if err := k.beforeAttempt(); err != nil || k.uncut || !ended(k.ctx) {
		return err
	}
	return contextError(k.ctx)
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
func (k *call) exchange(transport http.RoundTripper, req *http.Request, s *space) reply {
	resp, err := transport.RoundTrip(req)
	switch {
	case err != nil:
		err, unsent := s.watch.failed(err)
		return reply{err: err, unsent: unsent}
	case resp == nil || resp.StatusCode == 0:
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		return reply{err: errors.New("the transport returned neither a reply nor an error")}
	}
	if k.client.jar != nil {
		k.client.jar.SetCookies(req.URL, resp.Cookies())
	}
	rep := reply{status: resp.StatusCode, header: resp.Header}
	if resp.Body == nil { // as hand-written transports have it; http.Client lets them
		return rep
	}
	defer resp.Body.Close()
	if rep.status != http.StatusSwitchingProtocols { // what follows that is no body
		rep.body, rep.err = readAll(&s.body, resp.Body, resp.ContentLength)
	}
	return rep
}

// learn keeps what the reply says about the quota, for the whole client, and the
// reply itself for the caller who asked for it.
func (k *call) learn(rep *reply) {
	if rep.status != 0 {
		if limit, remaining, reset, ok := headers.RateLimit(rep.header, rep.at); ok {
			reported := RateLimit{Limit: limit, Remaining: remaining, Reset: reset}
			k.client.rateLimit.Store(&reported)
			rep.rateLimit = reported
		}
	}
	for _, r := range k.responses {
		if rep.status != 0 {
			h := scrub.Header(rep.header, k.client.apiKey())
			*r = Response{StatusCode: rep.status, Header: h, RateLimit: rep.rateLimit, RequestID: k.requestID(rep)}
		}
		r.Attempts = k.attempts
	}
}

// requestID is the reply's X-Request-Id, as it may be shown; empty if it has none.
func (k *call) requestID(rep *reply) string {
	if ids := rep.header["X-Request-Id"]; len(ids) > 0 {
		return scrub.Key(ids[0], k.client.apiKey())
	}
	return ""
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
	return fmt.Errorf("%w: %w", err, foreign{withoutURL(cause)})
}

// foreign is an error that came from outside this call, and may be another call's:
// errgroup cancels with it. What that call met must not be taken for what this one met.
type foreign struct{ err error }

func (f foreign) Error() string { return f.err.Error() }

func (f foreign) Is(target error) bool {
	_, ours := target.(*sentinel)
	return !ours && target != ErrUnknownOutcome && target != ErrTimeout && errors.Is(f.err, target)
}

func (f foreign) As(target any) bool {
	_, ours := target.(**Error)
	return !ours && errors.As(f.err, target)
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
	clean := scrub.Excerpt([]byte(text), all, key, k.query)
	if clean == text {
		return err
	}
	return errors.New(scrub.Cut(clean, maxExcerpt))
}
