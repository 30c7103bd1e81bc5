package demeterrr

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// departure is what net/http tells of the connection for the request of a write.
// If there never was one, nothing of the request can have left, however the
// attempt ended: in the TLS handshake, at a proxy that refused to connect, at the
// time limit while dialling. neverConnected reads as much from some errors; this
// is for those that do not say it.
type departure struct {
	trace     httptrace.ClientTrace
	asked     atomic.Bool // for a connection; else the request went a way that the trace does not show
	connected atomic.Bool
}

// watched is ctx with a trace that tells whether net/http got a connection; the
// departure is nil where that cannot be told. Only http.Transport is believed:
// another transport may send in ways that the trace does not show. Reads need no
// watching, as they can do no harm.
func (k *call) watched(ctx context.Context) (context.Context, *departure) {
	if _, ok := k.client.transport.(*http.Transport); !ok || k.method == http.MethodGet {
		return ctx, nil
	}
	d := new(departure)
	d.trace.GetConn = func(string) { d.asked.Store(true) }
	d.trace.GotConn = func(httptrace.GotConnInfo) { d.connected.Store(true) } // before the first byte is written
	return httptrace.WithClientTrace(ctx, &d.trace), d
}

// unsent reports that certainly nothing of the request was sent.
func (d *departure) unsent() bool {
	return d != nil && d.asked.Load() && !d.connected.Load()
}
