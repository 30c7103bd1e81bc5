package serve

import (
	"bytes"
	"io"
	"net/http"
)

// Memory is a transport that answers in memory. It allocates only a response
// and its body, like any transport.
type Memory struct{ Replies *Replies }

// RoundTrip reads the whole body of the request, like a server, and answers.
func (m *Memory) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, err := io.Copy(io.Discard, req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := m.Replies.route(req.Method, req.URL.Path, req.URL.RawQuery)
	both := &struct {
		http.Response
		body
	}{}
	both.Reset(r.body)
	both.Response = http.Response{
		Status: http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: &both.body, ContentLength: int64(len(r.body)), Request: req,
	}
	return &both.Response, nil
}

type body struct{ bytes.Reader }

func (*body) Close() error { return nil }
