package demeterrr

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
)

// wrappedTransport is what the functions of [WithTransport] made.
type wrappedTransport struct{ http.RoundTripper }

// reportingTransport is the http.Transport below them. It reports to the passage
// of the attempt.
type reportingTransport struct{ *http.Transport }

// reportTo makes rt report, if it is net/http's own.
func reportTo(rt http.RoundTripper) http.RoundTripper {
	rt = refuseRedirects(rt)
	if t, ok := rt.(*http.Transport); ok {
		return reportingTransport{t}
	}
	return rt
}

// RoundTrip sends req. The attempt is known by its context.
func (t reportingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	p, _ := req.Context().Value(passageKey{}).(*passage)
	if p != nil {
		p.begin()
	}
	resp, err := t.Transport.RoundTrip(req)
	if p != nil {
		p.end(err)
	}
	return resp, err
}

type passageKey struct{}

// passage is the way of one attempt through the transports of [WithTransport]
// down to net/http's.
type passage struct {
	attempt context.Context

	mu      sync.Mutex
	entries int   // requests that net/http was handed
	err     error // of the last one
}

func (p *passage) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries++
	p.err = nil
}

// end keeps the error, unless another transport's could be the same: the error
// of a context which ended before the attempt did.
func (p *passage) end(err error) {
	if p.attempt.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// failedWith reports whether err is the error of the only request that net/http
// was handed, and of nothing else: it may be wrapped, but not joined with others.
func (p *passage) failedWith(err error) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries != 1 || p.err == nil || !reflect.ValueOf(p.err).Comparable() {
		return false
	}
	for err = readable(err); err != nil; err = errors.Unwrap(err) {
		if err == p.err { //nolint:errorlint // errors.Is would look into joined errors too
			return true
		}
	}
	return false
}
