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

// connWatch follows one attempt inside net/http. It tells whether anything of the
// request left, and it keeps net/http from sending a request again by itself: a
// repeat is the retry policy's decision, and takes a place of its own at the
// limiter.
//
// A watch of a transport other than http.Transport is believed less: such a
// transport may send in ways that the hooks do not show. One of [WithTransport] is
// believed where it passes on the one failure of the http.Transport below it.
type connWatch struct {
	hooks httptrace.ClientTrace // bound once, as binding allocates
	own   bool                  // the transport is an http.Transport

	mu        sync.Mutex
	stop      context.CancelFunc // of the attempt
	asked     bool               // net/http looked for a connection
	connected bool               // and got one
	answered  bool               // and a reply began on it
	repeated  bool               // net/http was about to send the request again
	conn      *countedConn       // the connection, if it is one of newTransport's
	before    int64              // bytes written to conn before the request
	handshake error              // why a TLS handshake failed
	passage   *passage           // through the transports of WithTransport; nil without them
}

func newConnWatch() *connWatch {
	w := new(connWatch)
	w.hooks = httptrace.ClientTrace{
		GetConn:              w.getConn,
		GotConn:              w.gotConn,
		GotFirstResponseByte: w.gotFirstByte,
		TLSHandshakeDone:     w.handshakeDone,
	}
	return w
}

// begin returns ctx with the hooks, for an attempt that stop cancels.
func (w *connWatch) begin(ctx context.Context, stop context.CancelFunc, transport http.RoundTripper) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, w.own = transport.(*http.Transport)
	w.stop, w.asked, w.connected, w.answered, w.repeated = stop, false, false, false, false
	w.conn, w.before, w.handshake, w.passage = nil, 0, nil, nil
	if _, ok := transport.(wrappedTransport); ok {
		w.passage = &passage{attempt: ctx}
		ctx = context.WithValue(ctx, passageKey{}, w.passage)
	}
	hooks := &w.hooks
	if httptrace.ContextClientTrace(ctx) != nil {
		hooks = new(w.hooks) // the caller has hooks too, and WithClientTrace adds them to ours
	}
	return httptrace.WithClientTrace(ctx, hooks)
}

func (w *connWatch) getConn(string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = true
}

// gotConn runs before the first byte is written. A second connection, where the
// first one took the request and gave no reply, is for a repeat.
func (w *connWatch) gotConn(info httptrace.GotConnInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left() && (w.own || !w.answered) { // a transport around net/http may follow up on a reply
		w.repeated = true
		w.stop() // HTTP/2 looks at the context before it writes, HTTP/1 does not
		if !speaksHTTP2(info.Conn) {
			_ = info.Conn.SetWriteDeadline(time.Unix(1, 0))
		}
		return
	}
	w.connected, w.answered = true, false
	if w.conn = counted(info.Conn); w.conn != nil {
		w.before = w.conn.written.Load()
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

// left reports whether bytes of the request may be on their way.
func (w *connWatch) left() bool {
	return w.connected && (w.conn == nil || w.conn.written.Load() != w.before)
}

var errNoRepeat = errors.New("the connection failed before the reply")

// failed classifies the error of a RoundTrip: unsent means that certainly nothing
// of the request left.
func (w *connWatch) failed(err error) (_ error, unsent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repeated {
		return errNoRepeat, false
	}
	known := w.own || w.handshake != nil && errors.Is(err, w.handshake) || w.passage.failedWith(err)
	return err, known && w.asked && !w.left()
}

// end drops what belongs to the attempt.
func (w *connWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop, w.conn, w.handshake, w.passage = nil, nil, nil, nil
}

// reusable reports whether no hook can still run for the attempt.
func (w *connWatch) reusable() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.own || !w.asked && !w.connected
}

// countedConn counts the bytes written to a connection.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p))) // before the other side can see them
	n, err := c.Conn.Write(p)
	if err != nil && n == 0 {
		c.written.Add(-int64(len(p)))
	}
	return n, err
}

// counted finds the countedConn under a connection, and under its TLS.
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

func speaksHTTP2(conn net.Conn) bool {
	c, ok := conn.(*tls.Conn)
	return ok && c.ConnectionState().NegotiatedProtocol == "h2"
}
