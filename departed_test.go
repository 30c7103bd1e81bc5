package demeterrr_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/demeterrr/demeterrr-go"
)

// onlyTransport hides that a transport is net/http's.
type onlyTransport struct{ http.RoundTripper }

func TestNothingWasSentIfThereNeverWasAConnection(t *testing.T) {
	t.Parallel()
	refused := errors.New("Forbidden") // all that net/http says of a proxy which refuses to CONNECT
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
		{"dialling fails", &http.Transport{DialContext: fails}, 4, []error{refused}},
		{"dialling hangs", &http.Transport{DialContext: hangs}, 4, []error{demeterrr.ErrTimeout}},
		{"a transport that is not net/http's", onlyTransport{&http.Transport{DialContext: fails}}, 1, []error{refused, demeterrr.ErrUnknownOutcome}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hc := &http.Client{Transport: tt.transport}
				defer hc.CloseIdleConnections() // ends what net/http still dials
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
		defer transport.CloseIdleConnections() // ends what net/http still dials
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		err = execute(ctx, c)
		wantError(t, err, 1, context.Canceled)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
	})
}

// piped is a transport over pipes, each with serve at its other end, and what waits for them.
func piped(serve func(server net.Conn), dialled func(client net.Conn) net.Conn) (*http.Transport, func()) {
	var served sync.WaitGroup
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		served.Go(func() {
			defer server.Close()
			serve(server)
		})
		return dialled(client), nil
	}}
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
