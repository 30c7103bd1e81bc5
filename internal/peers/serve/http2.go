package serve

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// HTTP2 is net/http's server on a port of 127.0.0.1. It speaks HTTP/2 to those who ask for it.
type HTTP2 struct {
	server   http.Server
	listener net.Listener
	accepted atomic.Int64
}

// ListenHTTP2 starts a server.
func ListenHTTP2(replies *Replies, config *tls.Config) (*HTTP2, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s := &HTTP2{listener: l}
	s.server = http.Server{
		TLSConfig: config.Clone(), ReadHeaderTimeout: time.Minute,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.accepted.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			r := replies.route(req.Method, req.URL.Path, req.URL.RawQuery)
			for name, values := range r.header {
				w.Header()[name] = values
			}
			w.WriteHeader(r.status)
			_, _ = w.Write(r.body)
		}),
	}
	go func() { _ = s.server.ServeTLS(l, "", "") }()
	return s, nil
}

// URL is the server's address, without a path.
func (s *HTTP2) URL() string { return "https://" + s.listener.Addr().String() }

// Connections is how many there have been.
func (s *HTTP2) Connections() int { return int(s.accepted.Load()) }

// Close ends the listening and the connections.
func (s *HTTP2) Close() { _ = s.server.Close() }
