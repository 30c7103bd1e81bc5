package faults

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// moment is the point of a stream at which the server acts.
type moment int

const (
	onHeaders moment = iota // the headers have come; the body is unread
	inBody                  // a part of the body has come; a request without a body never gets there
	onRequest               // the whole request has come, and its work is done
)

// frameWindow is the part of a body that a client may send at once.
const frameWindow = 16

// frameConn is a connection of a server that speaks HTTP/2 frame by frame. It
// makes the faults that net/http's server cannot make.
type frameConn struct {
	*http2.Framer

	lab     *lab
	conn    *tls.Conn
	streams map[uint32]*stream
	pinged  func() // the reaction to a PING; nil: the answer
	dead    bool   // from now on, everything that arrives is swallowed
}

// stream is one request on a frameConn.
type stream struct {
	*frameConn

	id    uint32
	r     *http.Request
	body  bytes.Buffer
	meets bool // the fault
	done  *httptest.ResponseRecorder
}

// serveFrames serves one connection until the client closes it.
func (l *lab) serveFrames(conn *tls.Conn) {
	c := &frameConn{Framer: http2.NewFramer(conn, conn), lab: l, conn: conn, streams: map[uint32]*stream{}}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	defer func() { _ = conn.Close() }()
	_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: frameWindow})
	_, _ = io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface)))
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return
		}
		switch headers, ok := f.(*http2.MetaHeadersFrame); {
		case !c.dead:
			c.handle(f)
		case ok: // the network has swallowed it, but it was sent
			c.lab.arrived(headers.PseudoValue("method"), headers.PseudoValue("path"))
			c.lab.stalled()
		}
	}
}

func (c *frameConn) handle(f http2.Frame) {
	s := c.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = c.WriteSettingsAck()
		}
	case *http2.PingFrame:
		switch {
		case f.IsAck():
		case c.pinged != nil:
			c.pinged()
		default:
			_ = c.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		s = c.open(f)
		s.reach(onHeaders)
		if f.StreamEnded() {
			s.reach(onRequest)
		} else if !s.closed() {
			_ = c.WriteWindowUpdate(s.id, 1<<20)
		}
	case *http2.DataFrame:
		if len(f.Data()) > 0 {
			_ = c.WriteWindowUpdate(0, uint32(len(f.Data()))) //nolint:gosec // a frame is small
		}
		if s == nil {
			return
		}
		_, _ = s.body.Write(f.Data())
		s.reach(inBody)
		if f.StreamEnded() {
			s.reach(onRequest)
		}
	case *http2.RSTStreamFrame:
		delete(c.streams, f.StreamID)
	}
}

// open makes a stream from the headers of a request, and counts it as arrived.
func (c *frameConn) open(f *http2.MetaHeadersFrame) *stream {
	r := &http.Request{
		Method: f.PseudoValue("method"), RequestURI: f.PseudoValue("path"), Host: f.PseudoValue("authority"),
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{},
	}
	r.URL = must(url.ParseRequestURI(r.RequestURI))
	for _, field := range f.RegularFields() {
		r.Header.Add(field.Name, field.Value)
	}
	c.lab.arrived(r.Method, r.URL.Path)
	s := &stream{frameConn: c, id: f.StreamID, r: r, meets: c.lab.take()}
	c.streams[s.id] = s
	return s
}

// closed reports whether the server has finished the stream.
func (s *stream) closed() bool { return s.streams[s.id] == nil || s.dead }

// reach acts at that moment: it plays the fault, or sends the reply.
func (s *stream) reach(now moment) {
	f := s.lab.fault
	if s.closed() {
		return
	}
	if now == onRequest {
		s.r.Body = io.NopCloser(&s.body)
		s.done = httptest.NewRecorder()
		s.lab.answer(s.done, s.r)
	}
	switch {
	case s.meets && now == f.when:
		f.frames(s)
	case now == onRequest:
		s.reply()
	}
}

// reply answers as without a fault.
func (s *stream) reply() {
	s.headers(s.done.Code, s.done.Body.Len() == 0)
	s.data(s.done.Body.Bytes(), true)
	delete(s.streams, s.id)
}

// headers writes the head of the reply; end means that it has no body.
func (s *stream) headers(status int, end bool) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	e.SetMaxDynamicTableSizeLimit(0) // each block stands alone
	_ = e.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)})
	for name, values := range s.done.Header() {
		for _, value := range values {
			_ = e.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: value})
		}
	}
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

// data writes a part of the reply's body; it may be empty.
func (s *stream) data(part []byte, end bool) {
	if len(part) > 0 {
		_ = s.WriteData(s.id, end, part)
	}
}

// reset ends the stream with an error code.
func (s *stream) reset(code http2.ErrCode) {
	_ = s.WriteRSTStream(s.id, code)
	delete(s.streams, s.id)
}
