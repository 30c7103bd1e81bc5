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

// DefaultBaseURL is the address of the API.
const DefaultBaseURL = "https://app.demeterrr.com/api/v1"

const defaultTimeout = 30 * time.Second

// Option changes how a [Client] works. Options work in any order: [New] checks
// them together.
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
// must be https and have no user, query or fragment. A loopback host may use
// http.
func WithBaseURL(baseURL string) Option {
	return func(c *config) { c.baseURL = baseURL }
}

// WithInsecureHTTP allows a base URL with plain http for any host. The API key
// is then sent unencrypted.
func WithInsecureHTTP() Option {
	return func(c *config) { c.insecure = true }
}

// WithAPIKeyFunc asks f for the API key of each attempt, so a rotated key needs
// no new client. Pass [New] an empty key then. The client calls f with the
// context of the call, before the [Limiter] and [WithBeforeSend]. [WithTimeout]
// starts after f. f must be safe for concurrent use, and should cache the key
// for a while.
//
// If f fails or panics, the call sends nothing more. It returns an [*Error]
// that wraps f's error and matches [ErrMissingAPIKey]. An empty key matches
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

// WithTimeout limits one attempt, from its start to the last byte of the reply.
// Waits for a rate limit or a retry come on top. The default is 30 seconds, or
// the Timeout of the client in [WithHTTPClient]. If both are set, the shorter
// one applies. d must be positive. To limit a whole call with its retries, give
// its context a deadline.
func WithTimeout(d time.Duration) Option {
	return func(c *config) {
		if d <= 0 {
			c.mistake("WithTimeout: the timeout must be positive; leave the option out for the default of 30 seconds")
		}
		c.timeout = d
	}
}

// WithRetryPolicy sets the number of retries and the waits between them. The
// default is [DefaultRetryPolicy]; start from it to change single fields.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(c *config) { c.policy = p }
}

// WithLimiter acquires a place from l for every attempt, retries included. New
// rejects a nil limiter and a [Pacer] with invalid limits. The default is no
// limiter: the client sends at once.
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

// WithLogger logs every attempt at debug level, and every wait before a retry
// at warn level with its reason. The entries have method, path, status and
// durations. Other waits of a second or more are logged at info level when they
// begin. If a [Limiter] never calls [ReportWait], its wait is logged at the
// end. Keys, queries and bodies are never logged. The default is no log.
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

// isNil reports whether v is nil or holds a nil value.
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

// readOptions applies the options to the defaults and checks the result as a
// whole.
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
	maxRetries int // -1: use the client's policy
	atMostOnce bool
	mistakes   []error

	sendHooks    []func(context.Context) error
	uncancelable bool
	waitHooks    []func(WaitStart)
}

// WithResponse fills r with the status, headers and attempts of the call's last
// reply, also if the call fails. A method with several calls keeps only the
// last one.
func WithResponse(r *Response) CallOption {
	return func(c *callConfig) {
		if r == nil {
			c.mistakes = append(c.mistakes, errors.New("WithResponse: the response is nil; pass a pointer to one"))
			return
		}
		c.responses = append(c.responses, r)
	}
}

// withResponse adds the SDK's own response to the caller's options.
func withResponse(opts []CallOption, r *Response) []CallOption {
	return append(opts[:len(opts):len(opts)], WithResponse(r))
}

// WithMaxRetries limits the retries of this call and overrides the client's
// [RetryPolicy]. With 0 the call never retries and never waits for the API,
// also with [LowPriority]. While an earlier 429 pauses the client, such a call
// fails at once. It still waits at a [Limiter].
func WithMaxRetries(n int) CallOption {
	return func(c *callConfig) {
		if n < 0 {
			c.mistakes = append(c.mistakes, errors.New("WithMaxRetries: the number must not be negative; 0 means no retry"))
		}
		c.maxRetries = n
	}
}

// WithAtMostOnce retries this call only if the request cannot have taken
// effect: after a 429, or if no connection was made. Use it for an Execute that
// must never repeat, even after the API's own INTERNAL_ERROR.
func WithAtMostOnce() CallOption {
	return func(c *callConfig) { c.atMostOnce = true }
}

// WithBeforeSend calls f just before each attempt leaves, after all waits for
// retries, a 429 and the [Limiter]. An error from f stops the call: it sends
// nothing more and returns an [*Error] that wraps the error. Several functions
// run in order. Use it to record an attempt, or to stop it at the last moment.
func WithBeforeSend(f func(context.Context) error) CallOption {
	return func(c *callConfig) {
		if f == nil {
			c.mistakes = append(c.mistakes, errors.New("WithBeforeSend: the function is nil; leave the option out"))
			return
		}
		c.sendHooks = append(c.sendHooks, f)
	}
}

// WithUncancelableSend lets an attempt in flight finish after the context ends,
// so that its outcome is known. [WithTimeout] still limits it. The end of the
// context still cuts short every wait before an attempt, and no further attempt
// follows.
func WithUncancelableSend() CallOption {
	return func(c *callConfig) { c.uncancelable = true }
}

// WithOnWait calls f when the call begins to wait: for the [Limiter], after a
// 429, or before a retry. Use it to show the reason for a wait and its expected
// end. If a limiter never calls [ReportWait], its wait is reported at the end.
// f runs on the caller's goroutine. Several functions run in order. To follow
// all calls of a client, use a [WaitTracer].
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
		// Below, c escapes to the heap, as an option may keep it.
		return callConfig{maxRetries: -1}, nil
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
