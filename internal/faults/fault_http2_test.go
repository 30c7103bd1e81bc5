package faults

import (
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/net/http2"
)

// http2Faults returns the faults that need a server with its own frames.
func http2Faults() []fault {
	list := append(connectionFrames(), goAways()...)
	list = append(list, resets("before the body", early, onHeaders, func(s *stream, code http2.ErrCode) { s.reset(code) })...)
	list = append(list, resets("in the request body", early, inBody, func(s *stream, code http2.ErrCode) { s.reset(code) })...)
	list = append(list, resets("in place of the reply", late, onRequest, func(s *stream, code http2.ErrCode) { s.reset(code) })...)
	list = append(list, resets("after the headers", inReply, onRequest, func(s *stream, code http2.ErrCode) {
		s.headers(http.StatusOK, false)
		s.reset(code)
	})...)
	list = append(list, resets("in the reply's body", inReply, onRequest, func(s *stream, code http2.ErrCode) {
		s.half()
		s.reset(code)
	})...)
	list = append(list, resets("after the reply", afterReply, onRequest, func(s *stream, code http2.ErrCode) {
		s.reply()
		s.reset(code)
	})...)
	for i := range list {
		list[i].by, list[i].tls = "frames", true
	}
	return list
}

// The effect of a reset depends on the progress of the server.
var (
	early      = fault{class: lost, early: true}
	late       = fault{class: lost}
	inReply    = fault{class: badBody, status: http.StatusOK}
	afterReply = fault{class: noFault}
)

// resets returns a RST_STREAM with each of the error codes, the most meaningful
// one first.
func resets(where string, amounts fault, when moment, frames func(s *stream, code http2.ErrCode)) []fault {
	var list []fault
	add := func(code http2.ErrCode) *fault {
		f := amounts
		f.name, f.code = "HTTP/2: RST_STREAM "+where, code.String()
		f.when, f.bodies = when, when == inBody
		f.frames = func(s *stream) { frames(s, code) }
		list = append(list, f)
		return &list[len(list)-1]
	}
	if amounts.class != lost {
		add(http2.ErrCodeRefusedStream)
	} else if amounts.early { // after processing, a server must not say so
		add(http2.ErrCodeRefusedStream).class = refused
	}
	for code := http2.ErrCodeNo; code <= http2.ErrCodeHTTP11Required; code++ {
		if code != http2.ErrCodeRefusedStream {
			add(code)
		}
	}
	return list
}

// connectionFrames returns the connection's own faults, and one slow but
// correct reply.
func connectionFrames() []fault {
	return []fault{
		{name: "HTTP/2: the connection is dead", class: lost, stalls: true, early: true, pings: true, when: onHeaders, frames: func(s *stream) {
			s.dead = true
			s.lab.stalled()
		}},
		{name: "HTTP/2: the connection is dead once it has been used", class: lost, stalls: true, early: true, pings: true, warm: true, when: onHeaders, frames: func(s *stream) {
			s.dead = true
			s.lab.stalled()
		}},
		{name: "HTTP/2: slow reply, PINGs are not answered", class: noFault, when: onRequest, setup: func(l *lab) {
			l.transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Millisecond, PingTimeout: patient}
		}, frames: func(s *stream) {
			s.pinged = func() {
				s.pinged = func() {}
				s.reply()
			}
		}},
		{name: "HTTP/2: 413 before the body, then RST_STREAM with NO_ERROR", class: refusal, status: http.StatusRequestEntityTooLarge, bodies: true, when: inBody, frames: func(s *stream) {
			s.done = httptest.NewRecorder()
			s.headers(http.StatusRequestEntityTooLarge, true)
			s.reset(http2.ErrCodeNo)
		}},
	}
}

// goAways end the connection and report the processed streams.
func goAways() []fault {
	unprocessed := func(code http2.ErrCode) func(s *stream) {
		return func(s *stream) {
			_ = s.WriteGoAway(max(s.id, 2)-2, code, nil)
			delete(s.streams, s.id)
		}
	}
	return []fault{
		{name: "HTTP/2: GOAWAY before the body, not processed", class: refused, early: true, when: onHeaders, frames: unprocessed(http2.ErrCodeNo)},
		{name: "HTTP/2: GOAWAY before the body, not processed, on a used connection", class: refused, early: true, warm: true, when: onHeaders, frames: unprocessed(http2.ErrCodeNo)},
		{name: "HTTP/2: GOAWAY with ENHANCE_YOUR_CALM, not processed", class: refused, early: true, when: onHeaders, frames: unprocessed(http2.ErrCodeEnhanceYourCalm)},
		{name: "HTTP/2: GOAWAY with ENHANCE_YOUR_CALM, not processed, on a used connection", class: refused, early: true, warm: true, when: onHeaders, frames: unprocessed(http2.ErrCodeEnhanceYourCalm)},
		{name: "HTTP/2: GOAWAY before the body, perhaps processed", class: lost, early: true, when: onHeaders, frames: (*stream).leave},
		{name: "HTTP/2: GOAWAY in the request body, perhaps processed", class: lost, early: true, bodies: true, when: inBody, frames: (*stream).leave},
		{name: "HTTP/2: GOAWAY in place of the reply", class: lost, when: onRequest, frames: (*stream).leave},
		{name: "HTTP/2: GOAWAY in the reply's body", class: badBody, status: http.StatusOK, when: onRequest, frames: func(s *stream) {
			s.half()
			s.leave()
		}},
		{name: "HTTP/2: GOAWAY before the reply, which comes", class: noFault, when: onRequest, frames: func(s *stream) {
			_ = s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
			s.reply()
		}},
	}
}

// half writes the reply as far as the middle of its body.
func (s *stream) half() {
	body := due(s.done)
	s.headers(http.StatusOK, false)
	s.data([]byte(body[:len(body)/2]), false)
}

// leave ends the connection with a GOAWAY that counts the stream as processed.
// It reads later arrivals, or the client would get a reset in place of the
// frame.
func (s *stream) leave() {
	_ = s.WriteGoAway(s.id, http2.ErrCodeNo, nil)
	_ = s.conn.CloseWrite()
	s.dead = true
}
