package demeterrr

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// watched makes net/http tell whether there ever was a connection for the
// request of a write. If there was none, nothing of it can have left, however
// the attempt ended: in the TLS handshake, at a proxy that refused to connect, at
// the time limit while dialling. unsent reports that this is certain.
//
// Only http.Transport is believed: another transport may send in ways that the
// trace does not show. Reads need no watching, as they can do no harm.
func (k *call) watched(req *http.Request) (_ *http.Request, unsent func() bool) {
	if _, ok := k.client.transport.(*http.Transport); !ok || k.method == http.MethodGet {
		return req, func() bool { return false }
	}
	var asked, connected atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }, // before the first byte is written
	})
	return req.WithContext(ctx), func() bool { return asked.Load() && !connected.Load() }
}
