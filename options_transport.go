package demeterrr

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"time"
)

// WithHTTPClient sends requests through the transport and the cookie jar of hc.
// The client copies hc and leaves its idle connections open. hc.Timeout, if
// set, limits one attempt; see [WithTimeout]. A nil Transport means
// http.DefaultTransport, as in hc.
//
// Redirects are refused, so that the API key stays with its host. CheckRedirect
// is ignored. A transport may send a request again before its reply, for
// example to hedge. The client stops such a repeat: only the [RetryPolicy]
// repeats requests.
//
// Without this option the client has its own transport, tuned for one host.
// Under js/wasm it sends with the Fetch API, which follows redirects. There, a
// transport around http.Transport must refuse redirects itself.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) {
		switch {
		case hc == nil:
			c.mistake("WithHTTPClient: the client is nil; leave the option out to use the default")
		case hc.Transport != nil && isNil(hc.Transport):
			c.mistake("WithHTTPClient: the client's Transport is a nil %T; leave it unset for http.DefaultTransport", hc.Transport)
		case hc.Jar != nil && isNil(hc.Jar):
			c.mistake("WithHTTPClient: the client's Jar is a nil %T; leave it unset for no cookies", hc.Jar)
		default:
			c.httpClient = hc
		}
	}
}

// WithTransport wraps the client's own transport, or the transport of
// [WithHTTPClient]. Use it for traces, metrics or headers. [New] calls wrap
// once, and wrap must return a RoundTripper that is safe for concurrent use.
// Several functions apply in order: the first wraps the transport itself, and
// the last sees each attempt first.
//
// To send through another proxy or with a client certificate, use
// WithHTTPClient.
func WithTransport(wrap func(http.RoundTripper) http.RoundTripper) Option {
	return func(c *config) {
		if wrap == nil {
			c.mistake("WithTransport: the function is nil; leave the option out to send without it")
			return
		}
		c.wrappers = append(c.wrappers, wrap)
	}
}

// setTransport sets the transport and the time limit of one attempt.
func (c *config) setTransport() {
	if hc := c.httpClient; hc != nil {
		c.transport, c.jar, c.timeout = hc.Transport, hc.Jar, shorter(c.timeout, hc.Timeout)
	} else {
		c.timeout = shorter(c.timeout, 0)
		dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
		c.own = newTransport(c.timeout, dialer.DialContext)
		if runtime.GOOS == "js" {
			c.own.DialContext = nil // lets net/http send with the Fetch API
		}
		c.transport = c.own
	}
	if len(c.wrappers) > 0 {
		c.transport = c.wrap(c.transport)
	}
}

// wrap applies the functions of WithTransport to rt.
func (c *config) wrap(rt http.RoundTripper) http.RoundTripper {
	if rt == nil {
		rt = defaultTransport{}
	}
	rt = refuseRedirects(rt)
	for _, wrapper := range c.wrappers {
		if rt = wrapper(rt); isNil(rt) {
			c.mistake("WithTransport: the function returned a nil transport (%T); return the transport it was given to send without a wrapper", rt)
			return nil
		}
	}
	return rt
}

// defaultTransport sends each request through the current
// http.DefaultTransport.
type defaultTransport struct{}

func (defaultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return refuseRedirects(http.DefaultTransport).RoundTrip(req)
}

// shorter returns the shorter of two time limits, or the default if both are 0.
// A single 0 means no limit.
func shorter(a, b time.Duration) time.Duration {
	switch {
	case a <= 0 && b <= 0:
		return defaultTimeout
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}

// newTransport makes a transport for many goroutines that talk to one host. The
// standard transport keeps two idle connections to a host and closes the others
// after each burst. newTransport starts from scratch, as a program may have
// replaced http.DefaultTransport. The number of connections has no limit: over
// HTTP/2, MaxConnsPerHost can hang (golang/go#34941).
//
// HTTP/2 pings find a dead connection. A ping and its time-out together last as
// long as an attempt. So a slow Execute keeps its connection.
func newTransport(attempt time.Duration, dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	const connections = 100
	ping := max(attempt-attempt/2, time.Second)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: ping, PingTimeout: ping},
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          connections,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}
