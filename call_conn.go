package demeterrr

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// connWatch follows one attempt inside net/http. It records whether any of the
// request left. It also keeps net/http from sending a request again by itself.
// Retries belong to the retry policy, and each takes its own place at the
// limiter.
//
// A connWatch of a transport other than http.Transport proves less: such a
// transport may send without calling the hooks.
type connWatch struct {
	hooks httptrace.ClientTrace // bound once, as binding allocates
	own   bool                  // the transport is an http.Transport

	mu        sync.Mutex
	stop      context.CancelFunc // of the attempt
	asked     bool               // net/http asked for a connection
	connected bool               // it got one
	answered  bool               // a reply began on it
	repeated  bool               // net/http was about to send the request again
	conn      *countedConn       // the connection, if newTransport made it
	before    int64              // bytes written to conn before the request
	refused   net.Conn           // the connection for the repeat
	handshake error              // the error of a TLS handshake
}

func newConnWatch() *connWatch {
	w := new(connWatch)
	w.hooks = httptrace.ClientTrace{
		GetConn:              w.getConn,
		GotConn:              w.gotConn,
		WroteHeaders:         w.wroteHeaders,
		GotFirstResponseByte: w.gotFirstByte,
		TLSHandshakeDone:     w.handshakeDone,
	}
	return w
}

// begin returns the hooks for an attempt. They also call the hooks in ctx. stop
// cancels the attempt.
func (w *connWatch) begin(ctx context.Context, stop context.CancelFunc, own bool) *httptrace.ClientTrace {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own, w.stop = own, stop
	w.asked, w.connected, w.answered, w.repeated = false, false, false, false
	w.conn, w.before, w.refused, w.handshake = nil, 0, nil, nil
	if httptrace.ContextClientTrace(ctx) == nil {
		return &w.hooks
	}
	return httptrace.ContextClientTrace(httptrace.WithClientTrace(ctx, new(w.hooks)))
}

// watchedContext is the context of an attempt, with the hooks of a connWatch.
// For an http.Transport the connWatch is reused. Any other transport may keep
// the context after the attempt, for example to refresh a cache. It gets its
// own connWatch, made when it looks for hooks.
//
// The cancel function is made when somebody waits for Done or looks for hooks.
// Before that, it would only cost.
type watchedContext struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc // of ctx; nil until it is needed
	watch  *connWatch
	hooks  *httptrace.ClientTrace
}

// start makes c the context of an attempt. cancel cancels ctx; nil if ctx is the
// caller's.
func (c *watchedContext) start(ctx context.Context, cancel context.CancelFunc, transport http.RoundTripper, shared *connWatch) {
	c.ctx, c.cancel = ctx, cancel
	if _, own := transport.(*http.Transport); own {
		c.begin(shared, own)
	}
}

func (c *watchedContext) begin(watch *connWatch, own bool) {
	c.makeCancelable()
	c.watch, c.hooks = watch, watch.begin(c.ctx, c.cancel, own)
}

func (c *watchedContext) makeCancelable() {
	if c.cancel == nil {
		c.ctx, c.cancel = context.WithCancel(c.ctx)
	}
}

// end cancels the context.
func (c *watchedContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *watchedContext) current() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctx
}

// Deadline returns the deadline of the attempt.
func (c *watchedContext) Deadline() (time.Time, bool) { return c.current().Deadline() }

// Err returns the reason for the end of the context, or nil.
func (c *watchedContext) Err() error { return c.current().Err() }

// Done returns a channel that is closed at the end of the context.
func (c *watchedContext) Done() <-chan struct{} {
	c.mu.Lock()
	c.makeCancelable()
	c.mu.Unlock()
	return c.current().Done()
}

// keyOfHooks is the key of hooks, which is private to httptrace.
var keyOfHooks = func() any {
	asked := askedContext{Context: context.Background()}
	httptrace.ContextClientTrace(&asked)
	return asked.key
}()

// askedContext keeps the key that it was asked for.
type askedContext struct {
	context.Context
	key any
}

func (c *askedContext) Value(key any) any {
	c.key = key
	return nil
}

// Value returns the hooks for the key of httptrace.
func (c *watchedContext) Value(key any) any {
	if key != keyOfHooks {
		return c.current().Value(key)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch == nil {
		c.begin(newConnWatch(), false)
	}
	return c.hooks
}

// failed returns the reply for an attempt whose RoundTrip failed.
func (c *watchedContext) failed(err error) reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch == nil {
		return reply{err: err}
	}
	return c.watch.failed(err)
}

func (w *connWatch) getConn(string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = true
}

// gotConn runs before the first byte is written. A second connection is for a
// repeat, if the first one took the request and gave no reply.
func (w *connWatch) gotConn(info httptrace.GotConnInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left() && (w.own || !w.answered) { // other transports may follow up on a reply
		w.repeated = true
		w.refused = info.Conn
		w.stop()
		return
	}
	w.connected, w.answered = true, false
	if w.conn = counted(info.Conn); w.conn != nil {
		w.before = w.conn.written.Load()
	}
}

// wroteHeaders runs when the headers are in HTTP/1's buffer. It closes the
// connection of a repeat before they leave. HTTP/2 never gets here with a
// repeat: it checks the context first, and its connection may carry other
// calls.
func (w *connWatch) wroteHeaders() {
	w.mu.Lock()
	refused := w.refused
	w.mu.Unlock()
	if refused != nil {
		_ = refused.Close()
	}
}

func (w *connWatch) gotFirstByte() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = true
}

func (w *connWatch) handshakeDone(_ tls.ConnectionState, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handshake = err
}

// left reports whether bytes of the request may have left.
func (w *connWatch) left() bool {
	return w.connected && (w.conn == nil || w.conn.written.Load() != w.before)
}

var errNoRepeat = errors.New("the connection failed before the reply")

// failed returns the reply for an attempt whose RoundTrip failed.
func (w *connWatch) failed(err error) reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repeated {
		return reply{err: errNoRepeat, left: true}
	}
	known := w.own || w.handshakeFailed(err)
	return reply{err: err, left: w.left(), unsent: known && w.asked && !w.left()}
}

// handshakeFailed reports whether err is the error of a TLS handshake. The end
// of the context proves nothing: it is the error of everything in flight.
func (w *connWatch) handshakeFailed(err error) bool {
	return w.handshake != nil && errors.Is(err, w.handshake) &&
		!errors.Is(w.handshake, context.Canceled) && !errors.Is(w.handshake, context.DeadlineExceeded)
}

// end drops the references to the attempt.
func (w *connWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop, w.conn, w.refused, w.handshake = nil, nil, nil, nil
}

// countedConn counts the bytes written to a connection.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p))) // count before the other side can see them
	n, err := c.Conn.Write(p)
	if err != nil && n == 0 {
		c.written.Add(-int64(len(p)))
	}
	return n, err
}

// counted returns the countedConn below a connection and its TLS, or nil.
func counted(conn net.Conn) *countedConn {
	for {
		switch c := conn.(type) {
		case *countedConn:
			return c
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
