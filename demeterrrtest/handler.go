package demeterrrtest

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// URL returns the base URL of the server, /api/v1 included, on a port of the
// loopback interface. The first call opens the port; Close closes it. URL
// panics if no port is available, or after Close.
func (s *Server) URL() string {
	address, err := s.listening.open(s.Handler())
	if err != nil {
		misuse("URL: %v", err)
	}
	return "http://" + address + basePath
}

// Handler returns the server as an http.Handler, for a listener of your own.
// Its paths begin with /api/v1.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client broke off
	}
	out, err := s.exchange(r.Context(), r.Method, r.URL, r.Header, body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone
	}
	switch out.drop {
	case NoConnection, DropBefore, DropAfter:
		reset(w)
		return
	case Truncate: // in the body, below
	}
	for name, values := range out.reply.header {
		w.Header()[name] = values
	}
	if len(out.reply.body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(out.reply.body)))
	}
	w.WriteHeader(out.reply.status)
	if out.drop == Truncate {
		_, _ = w.Write(out.reply.body[:len(out.reply.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(out.reply.body)
}

// reset resets the connection, so that the client sees an abrupt end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 cannot be hijacked, but its stream can end
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// listener serves a handler on a port of the loopback interface. It starts on
// first use.
type listener struct {
	mu      sync.Mutex
	closed  bool
	address string
	server  *http.Server
	done    chan struct{} // closed when the server has ended
}

func (l *listener) open(handler http.Handler) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", http.ErrServerClosed
	}
	if l.server != nil {
		return l.address, nil
	}
	port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
	if err != nil {
		return "", err
	}
	l.address = port.Addr().String()
	l.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		_ = l.server.Serve(port) // returns when the server is closed
	}()
	return l.address, nil
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil && !l.closed {
		_ = l.server.Close()
		<-l.done
	}
	l.closed = true
}
