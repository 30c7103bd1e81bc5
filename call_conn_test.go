package demeterrr_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// onlyTransport hides the type of an http.Transport.
type onlyTransport struct{ http.RoundTripper }

func TestNothingWasSentIfThereNeverWasAConnection(t *testing.T) {
	t.Parallel()
	refused := errors.New("Forbidden") // net/http's only hint at a proxy that refuses CONNECT
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	fails := func(context.Context, string, string) (net.Conn, error) { return nil, refused }
	for _, tt := range []struct {
		name      string
		transport http.RoundTripper
		attempts  int
		want      []error
	}{
		{"dialing fails", &http.Transport{DialContext: fails}, 4, []error{refused}},
		{"dialing hangs", &http.Transport{DialContext: hangs}, 4, []error{demeterrr.ErrTimeout}},
		{"a transport that is not net/http's", onlyTransport{&http.Transport{DialContext: fails}}, 1, []error{refused, demeterrr.ErrUnknownOutcome}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hc := &http.Client{Transport: tt.transport}
				defer hc.CloseIdleConnections() // stops pending dials of net/http
				c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(hc))
				if err != nil {
					t.Fatal(err)
				}
				err = execute(t.Context(), c, demeterrr.WithAtMostOnce())
				wantError(t, err, tt.attempts, tt.want...)
				if tt.attempts > 1 {
					wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
				}
			})
		})
	}
}

func TestACallThatIsCancelledWhileDiallingSentNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		transport := &http.Transport{DialContext: dial}
		defer transport.CloseIdleConnections() // stops pending dials of net/http
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		err = execute(ctx, c)
		wantError(t, err, 1, context.Canceled)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
	})
}

// piped returns the client's own transport over pipes, with serve at each other
// end, and a function that waits for the servers.
func piped(serve func(server net.Conn), dialled func(client net.Conn) net.Conn) (*http.Transport, func()) {
	var served sync.WaitGroup
	transport := demeterrr.NewTransport(30*time.Second, func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		served.Go(func() {
			defer server.Close()
			serve(server)
		})
		return dialled(client), nil
	})
	return transport, func() {
		transport.CloseIdleConnections()
		served.Wait()
	}
}

func TestAReplyLostOnAConnectionMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		transport, wait := piped(func(server net.Conn) {
			if req, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				requests++
			}
		}, func(client net.Conn) net.Conn { return client })
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
		wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
		wait()
		same(t, "requests", requests, 1)
	})
}

// mortal is a connection that can die while it is idle.
type mortal struct {
	net.Conn
	dead *bool
}

func (m mortal) Write(p []byte) (int, error) {
	if *m.dead {
		return 0, errors.New("broken pipe")
	}
	return m.Conn.Write(p)
}

func TestABodyIsSentAgainWhereTheConnectionWasDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials, died := 0, false
		transport, wait := piped(func(server net.Conn) {
			for in := bufio.NewReader(server); ; {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				if body, _ := io.ReadAll(req.Body); !json.Valid(body) {
					t.Errorf("the body is %q", body)
				}
				fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(okExecution.body), okExecution.body)
			}
		}, func(client net.Conn) net.Conn {
			if dials++; dials == 1 {
				return mortal{client, &died}
			}
			return client
		})
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
		wantNil(t, execute(t.Context(), c))
		synctest.Wait()
		died = true
		wantNil(t, execute(t.Context(), c))
		same(t, "dials", dials, 2)
		wait()
	})
}

// twice serves two requests of a connection. It answers the first, and closes
// the connection after it has read the second.
func twice(arrived *atomic.Int32, body string) func(net.Conn) {
	return func(server net.Conn) {
		in := bufio.NewReader(server)
		for i := range 2 {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if arrived.Add(1); i == 0 {
				fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		}
	}
}

func TestEveryRequestIsAnAttempt(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]func(*http.Transport) http.RoundTripper{
		"net/http's transport":      func(tr *http.Transport) http.RoundTripper { return tr },
		"a transport that wraps it": func(tr *http.Transport) http.RoundTripper { return onlyTransport{tr} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var arrived atomic.Int32
				transport, wait := piped(twice(&arrived, okContacts.body), func(client net.Conn) net.Conn { return client })
				pacer := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Hour})
				c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithLimiter(pacer),
					demeterrr.WithHTTPClient(&http.Client{Transport: around(transport)})))
				attempts, start := 0, time.Now()
				for range 10 {
					var resp demeterrr.Response
					_, err := c.Contacts.List(t.Context(), nil, demeterrr.WithResponse(&resp))
					wantNil(t, err)
					if attempts += resp.Attempts; attempts <= 10 && time.Since(start) > time.Minute {
						t.Errorf("%d attempts took %v", attempts, time.Since(start))
					}
				}
				same(t, "attempts", attempts, int(arrived.Load()))
				if attempts <= 10 || time.Since(start) < time.Hour {
					t.Errorf("%d requests in %v, 10 an hour are allowed", attempts, time.Since(start))
				}
				wait()
			})
		})
	}
}

// renewing is a transport that sends again after a 401, like one that renews a
// token.
type renewing struct{ next http.RoundTripper }

func (r renewing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return r.next.RoundTrip(req)
}

func TestATransportMayFollowUpOnAReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport, wait := piped(func(server net.Conn) {
			in := bufio.NewReader(server)
			for _, status := range []string{"401 Unauthorized", "200 OK"} {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				fmt.Fprintf(server, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(okContacts.body), okContacts.body)
			}
		}, func(client net.Conn) net.Conn { return client })
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"), demeterrr.WithHTTPClient(&http.Client{Transport: renewing{transport}})))
		_, err := c.Contacts.List(t.Context(), nil, demeterrr.WithMaxRetries(0))
		wantNil(t, err)
		wait()
	})
}

func TestAFailedTLSHandshakeSendsNothing(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]func(*http.Transport) http.RoundTripper{
		"net/http's transport":      func(tr *http.Transport) http.RoundTripper { return tr },
		"a transport that wraps it": func(tr *http.Transport) http.RoundTripper { return onlyTransport{tr} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				transport, wait := piped(func(server net.Conn) {
					_, _ = server.Read(make([]byte, 1<<10)) // the client's hello
					_, _ = io.WriteString(server, "HTTP/1.1 400 Bad Request\r\n\r\n")
					_, _ = io.Copy(io.Discard, server)
				}, func(client net.Conn) net.Conn { return client })
				c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: around(transport)})))
				err := execute(t.Context(), c, demeterrr.WithAtMostOnce())
				wantError(t, err, 4)
				wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
				wait()
			})
		})
	}
}

// h2Frame returns an HTTP/2 frame on stream 0 or on the given stream.
func h2Frame(kind, flags byte, stream []byte, payload ...byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)) //nolint:gosec // payloads are short
	head = append(head, flags, 0, 0, 0, 0)
	copy(head[5:], stream)
	return append(head, payload...)
}

// serveH2 speaks just enough HTTP/2 to read whole requests. It calls reply with
// the stream id of each, and sends the returned frames.
func serveH2(c io.ReadWriter, reply func(stream []byte) []byte) {
	const settings, data, headers, endStream = 4, 0, 1, 1
	_, _ = io.ReadFull(c, make([]byte, 24)) // preface
	_, _ = c.Write(h2Frame(settings, 0, nil))
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
		switch {
		case head[3] == settings && head[4] == 0:
			_, _ = c.Write(h2Frame(settings, 1, nil))
		case (head[3] == data || head[3] == headers) && head[4]&endStream != 0:
			_, _ = c.Write(reply(head[5:9]))
		}
	}
}

// overH2 returns a server that answers every request with the frames of reply.
func overH2(t *testing.T, reply func(stream []byte) []byte) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.EnableHTTP2 = true
	srv.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) { serveH2(c, reply) },
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// On Go 1.26, net/http sends a request again after a reset with PROTOCOL_ERROR.
func TestNothingIsSentAgainAfterAnHTTP2Reset(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints {
		if e.name == "Contacts.Upsert" {
			continue // several calls
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var arrived atomic.Int32
			srv := overH2(t, func(stream []byte) []byte {
				arrived.Add(1)
				const resetStream, protocolError = 3, 1
				return h2Frame(resetStream, 0, stream, 0, 0, 0, protocolError)
			})
			c := must(demeterrr.New(testKey, demeterrr.WithBaseURL(srv.URL), demeterrr.WithHTTPClient(srv.Client())))
			var resp demeterrr.Response
			err := e.call(t.Context(), c, johnID, demeterrr.WithMaxRetries(0), demeterrr.WithResponse(&resp))
			if err == nil || errors.Is(err, demeterrr.ErrUnknownOutcome) != e.write {
				t.Error(err)
			}
			same(t, "requests", []int{int(arrived.Load()), resp.Attempts}, []int{1, 1})
		})
	}
}

// queued is a pipe with writes that never wait for the reader.
type queued struct {
	net.Conn
	out chan []byte
}

func newQueued(c net.Conn) queued {
	q := queued{c, make(chan []byte, 100)}
	go func() {
		for p := range q.out {
			_, _ = c.Write(p)
		}
		c.Close()
	}()
	return q
}

func (q queued) Write(p []byte) (int, error) {
	q.out <- bytes.Clone(p)
	return len(p), nil
}

// severed loses all arriving data once it is dead.
type severed struct {
	net.Conn
	dead *atomic.Bool
}

func (s severed) Read(p []byte) (n int, err error) {
	for n, err = s.Conn.Read(p); s.dead.Load() && err == nil; n, err = s.Conn.Read(p) {
	}
	return n, err
}

func TestARetryLeavesADeadHTTP2Connection(t *testing.T) {
	t.Parallel()
	cert := httptest.NewUnstartedServer(nil)
	cert.EnableHTTP2 = true
	cert.StartTLS()
	t.Cleanup(cert.Close)
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		dials := 0
		transport, wait := piped(func(server net.Conn) {
			if dials++; dials == 1 {
				server = severed{server, &dead}
			}
			q := newQueued(server)
			defer close(q.out)
			serveH2(tls.Server(q, cert.TLS), func(stream []byte) []byte {
				const data, headers, endStream, endHeaders, status200 = 0, 1, 1, 4, 0x88
				return append(h2Frame(headers, endHeaders, stream, status200), h2Frame(data, endStream, stream, []byte(okContact.body)...)...)
			})
		}, func(client net.Conn) net.Conn { return client })
		transport.TLSClientConfig = cert.Client().Transport.(*http.Transport).TLSClientConfig
		c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport}), demeterrr.WithBaseURL("https://example.com")))
		wantNil(t, get(t.Context(), c))
		dead.Store(true)
		wantNil(t, get(t.Context(), c))
		same(t, "connections", dials, 2)
		transport.CloseIdleConnections()
		wait()
	})
}
