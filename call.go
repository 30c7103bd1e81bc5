package demeterrr

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
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

func (k *call) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if l := k.client.logger; l != nil && l.Enabled(k.ctx, level) {
		l.LogAttrs(k.ctx, level, msg, append([]slog.Attr{slog.String("method", k.method), slog.String("path", k.path)}, attrs...)...)
	}
}
