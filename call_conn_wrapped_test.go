package demeterrr_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// refreshing is a cache. It answers at once, and fetches the next answer on
// demand.
type refreshing struct {
	next http.RoundTripper
	tell chan struct{}
	done chan error
}

func (r refreshing) RoundTrip(req *http.Request) (*http.Response, error) {
	later := req.Clone(context.WithoutCancel(req.Context()))
	go func() {
		<-r.tell
		resp, err := r.next.RoundTrip(later)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		r.done <- err
	}()
	rec := httptest.NewRecorder()
	_, _ = rec.WriteString(okContact.body)
	return rec.Result(), nil
}

func TestATransportMayGoOnAfterTheReply(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			close(arrived)
			<-release
		}
		_, _ = io.WriteString(w, okExecution.body)
	}))
	t.Cleanup(srv.Close)
	cache := refreshing{srv.Client().Transport, make(chan struct{}), make(chan error, 1)}
	cached := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(&http.Client{Transport: cache})))
	plain := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(srv.Client())))
	wantNil(t, get(t.Context(), cached))
	executed := make(chan error, 1)
	go func() { executed <- execute(t.Context(), plain) }()
	<-arrived
	close(cache.tell)
	refreshed := <-cache.done
	close(release)
	wantNil(t, errors.Join(refreshed, <-executed))
}

// retrying is a transport that tries twice.
type retrying struct{ next http.RoundTripper }

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var resp *http.Response
	for range 2 {
		again := req.Clone(req.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		if resp, err = r.next.RoundTrip(again); err == nil {
			break
		}
	}
	return resp, err
}

// first dials once and then fails.
func first(dials *atomic.Int32) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) > 1 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

func TestAFailedDialAfterTheRequestWasSentLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	var arrived, dials atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(srv.Close)
	transport := retrying{&http.Transport{DialContext: first(&dials)}}
	c := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
	wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
	same(t, "requests and dials", []int32{arrived.Load(), dials.Load()}, []int32{1, 2})
}

func TestABadCertificateAfterTheRequestWasSentLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	var arrived, dials atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) > 1 {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	transport := retrying{&http.Transport{DialContext: dial}}
	c := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
	wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
	same(t, "requests and dials", []int32{arrived.Load(), dials.Load()}, []int32{1, 2})
}

// sendsUnseen is a transport that sends without calling hooks. It then calls
// them for a handshake that ends with the context.
type sendsUnseen struct{ cancel context.CancelFunc }

func (s sendsUnseen) RoundTrip(req *http.Request) (*http.Response, error) {
	hooks := httptrace.ContextClientTrace(req.Context())
	hooks.GetConn("localhost")
	s.cancel()
	<-req.Context().Done()
	hooks.TLSHandshakeDone(tls.ConnectionState{}, req.Context().Err())
	return nil, req.Context().Err()
}

func TestAHandshakeThatEndsWithTheContextProvesNothing(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(context.CancelFunc) context.CancelFunc{
		"the caller cancels":         func(cancel context.CancelFunc) context.CancelFunc { return cancel },
		"the attempt takes too long": func(context.CancelFunc) context.CancelFunc { return func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				transport := sendsUnseen{stop(cancel)}
				c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
				wantError(t, execute(ctx, c), 1, demeterrr.ErrUnknownOutcome)
			})
		})
	}
}

// On Go 1.26, net/http dials for its own request after PROTOCOL_ERROR.
func TestAFailedDialAfterAnHTTP2ResetLeavesTheWriteInDoubt(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	srv := overH2(t, func(stream []byte) []byte {
		const resetStream, goAway, protocolError = 3, 7, 1
		return append(h2Frame(goAway, 0, nil, make([]byte, 8)...), h2Frame(resetStream, 0, stream, 0, 0, 0, protocolError)...)
	})
	hc := srv.Client()
	hc.Transport.(*http.Transport).DialContext = first(&dials)
	c := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(hc)))
	err := c.Contacts.Delete(t.Context(), johnID, demeterrr.WithMaxRetries(0))
	wantError(t, err, 1, demeterrr.ErrUnknownOutcome)
}

func TestARepeatThatIsStoppedSparesOtherCallsOfItsConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		arrived, stopped := make(chan struct{}), make(chan struct{})
		requests := 0
		transport, wait := piped(func(server net.Conn) {
			q := newQueued(server)
			defer close(q.out)
			serveH2(rw{server, q}, func(stream []byte) []byte {
				const data, headers, resetStream, endStream, endHeaders, status200 = 0, 1, 3, 1, 4, 0x88
				if requests++; requests == 1 { // of the Execute
					close(arrived)
					return nil
				}
				const refusedStream = 7 // makes net/http send the request again
				go func() {
					<-stopped
					_, _ = q.Write(append(h2Frame(headers, endHeaders, []byte{0, 0, 0, 1}, status200), h2Frame(data, endStream, []byte{0, 0, 0, 1}, []byte(okExecution.body)...)...))
				}()
				return h2Frame(resetStream, 0, stream, 0, 0, 0, refusedStream)
			})
		}, func(client net.Conn) net.Conn { return client })
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
		executed := make(chan error, 1)
		go func() { executed <- execute(t.Context(), c) }()
		<-arrived
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1)
		close(stopped)
		wantNil(t, <-executed)
		same(t, "requests", requests, 2)
		wait()
	})
}

// rw reads from one stream and writes to another.
type rw struct {
	io.Reader
	io.Writer
}

// timeless is a connection without deadlines, like one through SSH.
type timeless struct{ net.Conn }

func (timeless) SetWriteDeadline(time.Time) error { return fmt.Errorf("deadline not supported") }

func TestARepeatIsStoppedOnAConnectionWithoutDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var arrived atomic.Int32
		transport, wait := piped(twice(&arrived, okContact.body), func(client net.Conn) net.Conn { return timeless{client} })
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
		wantNil(t, get(t.Context(), c))
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1)
		wait()
		same(t, "requests", arrived.Load(), int32(2))
	})
}
