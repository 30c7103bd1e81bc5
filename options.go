package demeterrr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// DefaultBaseURL is where the API lives.
const DefaultBaseURL = "https://app.demeterrr.com/api/v1"

const defaultTimeout = 30 * time.Second

// Option changes how a [Client] works. Options are checked together in [New],
// so that their order does not matter.
type Option func(*config)

type config struct {
	baseURL    string
	insecure   bool
	apiKey     keySource // nil without WithAPIKeyFunc
	httpClient *http.Client
	wrappers   []func(http.RoundTripper) http.RoundTripper
	timeout    time.Duration
	policy     RetryPolicy
	limiter    Limiter
	logger     *slog.Logger
	tracers    []Tracer
	app        string
	mistakes   []error

	transport http.RoundTripper // nil for http.DefaultTransport
	own       *http.Transport   // nil with WithHTTPClient
	jar       http.CookieJar
}

func (c *config) mistake(format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf(format, args...))
}

// WithBaseURL sets the address of the API; the default is [DefaultBaseURL]. It
// must be https, except for a loopback host, and have no user, query or fragment.
func WithBaseURL(baseURL string) Option {
	return func(c *config) { c.baseURL = baseURL }
}

// WithInsecureHTTP allows a base URL with plain http for any host. The API key
// is then sent unencrypted.
func WithInsecureHTTP() Option {
	return func(c *config) { c.insecure = true }
}

// WithAPIKeyFunc asks f for the API key of each attempt, so that a rotated key
// takes effect without a new client. Pass [New] an empty key then. f is called
// before the [Limiter] and before [WithBeforeSend], in the context of the call.
// Its time does not count in [WithTimeout]. It must be safe for concurrent use,
// and should keep the key for a while.
//
// If f fails or panics, the call sends nothing more and returns an [*Error] that
// wraps the error and matches [ErrMissingAPIKey]. An empty key matches
// ErrMissingAPIKey too, a malformed one [ErrInvalidAPIKeyFormat].
func WithAPIKeyFunc(f func(context.Context) (string, error)) Option {
	return func(c *config) {
		if f == nil {
			c.mistake("WithAPIKeyFunc: the function is nil; leave the option out to use the key of New")
			return
		}
		c.apiKey = func(ctx context.Context) (string, error) { return askKey(ctx, f) }
	}
}

// WithTimeout limits one attempt, from sending it to the last byte of the reply;
// waiting for a rate limit or for a retry does not count. The default is 30
// seconds, or the Timeout of the client given to [WithHTTPClient]; if both are
// given, the shorter one counts. d must be positive. To limit a whole call, with
// its retries, give its context a deadline.
func WithTimeout(d time.Duration) Option {
	return func(c *config) {
		if d <= 0 {
			c.mistake("WithTimeout: the timeout must be positive; leave the option out for the default of 30 seconds")
		}
		c.timeout = d
	}
}

// WithRetryPolicy sets how often and how long the client waits to try again. The
// default is [DefaultRetryPolicy]; start from it to change single fields.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(c *config) { c.policy = p }
}

// WithLimiter takes a place at l for every attempt. The default is to send at once.
func WithLimiter(l Limiter) Option {
	return func(c *config) {
		if isNil(l) {
			c.mistake("WithLimiter: the limiter is nil; leave the option out for none")
			return
		}
		if own, ok := l.(interface{ check() string }); ok && own.check() != "" {
			c.mistake("WithLimiter: %s", own.check())
		}
		c.limiter = l
	}
}

// WithLogger logs every attempt at debug level and every wait before a retry at
// warn level, with its reason: method, path, status, durations. Other waits of a
// second and more are logged at info level when they begin. A wait at a [Limiter]
// that does not call [ReportWait] is logged when it is over. Neither the key nor a
// query nor a body is logged. The default is to log nothing.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) {
		if l == nil {
			c.mistake("WithLogger: the logger is nil; leave the option out for none")
		} else if isNil(l.Handler()) {
			c.mistake("WithLogger: the logger has no handler; make it with slog.New")
		}
		c.logger = l
	}
}

// WithAppInfo names the calling program in the User-Agent header, in front of
// the SDK. The version may be empty.
func WithAppInfo(name, version string) Option {
	return func(c *config) {
		if err := validate.Token(name); err != nil {
			c.mistake("WithAppInfo: the name cannot be sent: %w", err)
			return
		}
		c.app = name + " "
		if version == "" {
			return
		}
		if err := validate.Token(version); err != nil {
			c.mistake("WithAppInfo: the version cannot be sent: %w", err)
			return
		}
		c.app = name + "/" + version + " "
	}
}

// isNil reports whether v is nil, or holds a nil that cannot be called.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan:
		return r.IsNil()
	default:
		return false
	}
}

// readOptions applies the options to the defaults and checks the result as a whole.
func readOptions(opts []Option) (config, *url.URL, error) {
	c := config{baseURL: DefaultBaseURL, policy: DefaultRetryPolicy()}
	for i, opt := range opts {
		if opt == nil {
			c.mistake("option %d is nil; leave it out", i+1)
			continue
		}
		opt(&c)
	}
	base, err := validate.BaseURL(c.baseURL, c.insecure)
	if err != nil {
		c.mistakes = append(c.mistakes, err)
	}
	c.policy, err = c.policy.complete()
	if err != nil {
		c.mistakes = append(c.mistakes, err)
	}
	c.setTransport()
	return c, base, errors.Join(c.mistakes...)
}

// CallOption changes one call.
type CallOption func(*callConfig)

type callConfig struct {
	responses  []*Response
	maxRetries int // -1: as the client's policy says
	atMostOnce bool
	mistakes   []error

	sendHooks    []func(context.Context) error
	uncancelable bool
	waitHooks    []func(WaitStart)
}

// WithResponse fills r with the status, headers and attempts of the call's last
// reply, also when the call fails. A method that takes several calls leaves the
// last one's there.
func WithResponse(r *Response) CallOption {
	return func(c *callConfig) {
		if r == nil {
			c.mistakes = append(c.mistakes, errors.New("WithResponse: the response is nil; pass a pointer to one"))
			return
		}
		c.responses = append(c.responses, r)
	}
}

// withResponse adds a response of our own to the caller's options.
func withResponse(opts []CallOption, r *Response) []CallOption {
	return append(opts[:len(opts):len(opts)], WithResponse(r))
}

// WithMaxRetries limits how often this call is repeated, instead of the client's
// [RetryPolicy]. With 0 it is never repeated and never waits for the API, also with
// [LowPriority]: while an earlier 429 holds the client back, it fails at once. It
// still waits for its turn at a [Limiter].
func WithMaxRetries(n int) CallOption {
	return func(c *callConfig) {
		if n < 0 {
			c.mistakes = append(c.mistakes, errors.New("WithMaxRetries: the number must not be negative; 0 means no retry"))
		}
		c.maxRetries = n
	}
}

// WithAtMostOnce repeats this call only where the request cannot have taken
// effect: after a 429, or if no connection was made. Use it for an Execute that
// must not be repeated even though the API documents its 500 as "retry".
func WithAtMostOnce() CallOption {
	return func(c *callConfig) { c.atMostOnce = true }
}

// WithBeforeSend calls f before each attempt, when nothing stands between the
// request and the network: after the waits for retries, for a 429 and for the
// [Limiter]. An error of f stops the call, which sends nothing more and returns an
// [*Error] that wraps it. Given several times, all are called in order. Use it to
// record that something is about to be sent, or to refuse it at the last moment.
func WithBeforeSend(f func(context.Context) error) CallOption {
	return func(c *callConfig) {
		if f == nil {
			c.mistakes = append(c.mistakes, errors.New("WithBeforeSend: the function is nil; leave the option out"))
			return
		}
		c.sendHooks = append(c.sendHooks, f)
	}
}

// WithUncancelableSend lets an attempt that has been sent finish when the context
// ends, for as long as [WithTimeout] allows, so that its outcome is known. The
// context still ends every wait before that, and no further attempt is made.
func WithUncancelableSend() CallOption {
	return func(c *callConfig) { c.uncancelable = true }
}

// WithOnWait calls f when the call begins to wait: for the [Limiter], after a 429,
// or before a retry. Use it to show what a program waits for, and until when. A
// limiter that does not call [ReportWait] is known to have waited only afterwards.
// f runs on the caller's goroutine. Given several times, all are called in order.
// To follow all calls of a client, use a [WaitTracer].
func WithOnWait(f func(WaitStart)) CallOption {
	return func(c *callConfig) {
		if f == nil {
			c.mistakes = append(c.mistakes, errors.New("WithOnWait: the function is nil; leave the option out"))
			return
		}
		c.waitHooks = append(c.waitHooks, f)
	}
}

// readCallOptions applies the options of one call.
func readCallOptions(opts []CallOption) (callConfig, error) {
	if len(opts) == 0 {
		return callConfig{maxRetries: -1}, nil // c is on the heap, as an option may keep it
	}
	c := callConfig{maxRetries: -1}
	for i, opt := range opts {
		if opt == nil {
			c.mistakes = append(c.mistakes, fmt.Errorf("call option %d is nil; leave it out", i+1))
			continue
		}
		opt(&c)
	}
	return c, errors.Join(c.mistakes...)
}
