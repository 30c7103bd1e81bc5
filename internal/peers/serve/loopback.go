package serve

import (
	"bytes"
	"crypto/tls"
	"net"
	"strconv"
	"sync/atomic"
	"unsafe"
)

// Loopback is an HTTP/1.1 server on a port of 127.0.0.1 with one buffer for
// each connection. It reads only the requests of the comparison: without
// chunked bodies and pipelining.
type Loopback struct {
	replies  *Replies
	listener net.Listener
	scheme   string
	accepted atomic.Int64
}

// Listen starts a server. A config turns on TLS.
func Listen(replies *Replies, config *tls.Config) (*Loopback, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s := &Loopback{replies: replies, listener: l, scheme: "http://"}
	if config != nil {
		s.listener, s.scheme = tls.NewListener(l, config), "https://"
	}
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			go s.serve(conn)
		}
	}()
	return s, nil
}

// URL returns the server's address, without a path.
func (s *Loopback) URL() string { return s.scheme + s.listener.Addr().String() }

// Connections returns the number of connections so far.
func (s *Loopback) Connections() int { return int(s.accepted.Load()) }

// Close stops listening. Connections end when the clients close them.
func (s *Loopback) Close() { s.listener.Close() }

var (
	headEnd  = []byte("\r\n\r\n")
	lineEnd  = []byte("\r\n")
	lengthIs = []byte("\r\nContent-Length: ")
)

func (s *Loopback) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 64<<10)
	n := 0
	for {
		head := bytes.Index(buf[:n], headEnd)
		need := n + 1
		if head >= 0 {
			need = head + len(headEnd) + contentLength(buf[:head+2])
		}
		if n >= need {
			if _, err := conn.Write(s.answer(buf[:head]).wire); err != nil {
				return
			}
			n = copy(buf, buf[need:n])
			continue
		}
		if need > len(buf) {
			return // larger than any request here
		}
		more, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		n += more
	}
}

func contentLength(head []byte) int {
	at := bytes.Index(head, lengthIs)
	if at < 0 {
		return 0
	}
	value := head[at+len(lengthIs):]
	n, _ := strconv.Atoi(text(value[:bytes.Index(value, lineEnd)]))
	return n
}

// answer reads the request line.
func (s *Loopback) answer(head []byte) *reply {
	method, rest, _ := bytes.Cut(head, []byte(" "))
	target, _, _ := bytes.Cut(rest, []byte(" "))
	path, query, _ := bytes.Cut(target, []byte("?"))
	return s.replies.route(text(method), text(path), text(query))
}

// text returns b as a string for immediate use, without a copy.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // routing keeps nothing of it
