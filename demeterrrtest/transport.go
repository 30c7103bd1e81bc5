package demeterrrtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Transport returns a RoundTripper that passes every request to this server in
// memory, whatever its host. It starts no goroutine. A round trip ends with its
// context and fails like a real network (see [Drop]).
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip serves one request.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	out, err := t.server.exchange(req.Context(), req.Method, req.URL, req.Header, body)
	if err != nil {
		return nil, err
	}
	switch out.drop {
	case NoConnection:
		return nil, networkError("dial", "connect", errRefused)
	case DropBefore, DropAfter:
		return nil, networkError("read", "read", errReset)
	case Truncate: // in the body, below
	}
	return out.reply.response(req, out.drop == Truncate), nil
}

func networkError(op, call string, cause error) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, cause)}
}

// response returns the reply as a response of net/http.
func (r *reply) response(req *http.Request, truncated bool) *http.Response {
	header := r.header.Clone()
	if header.Get("Date") == "" {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	var body io.ReadCloser = http.NoBody
	if len(r.body) > 0 {
		header.Set("Content-Length", strconv.Itoa(len(r.body)))
		body = io.NopCloser(bytes.NewReader(r.body))
	}
	if truncated {
		half := bytes.NewReader(r.body[:len(r.body)/2])
		body = io.NopCloser(io.MultiReader(half, broken{}))
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)),
		StatusCode:    r.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          body,
		ContentLength: int64(len(r.body)),
		Request:       req,
	}
}

// broken is a body with a connection that ended too early.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
