package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// tunnels are ways in which net/http fails before anything is sent, all but the
// first of which only a watch of net/http's own transport can tell.
func tunnels() map[string]func(ctx context.Context, network, address string) (net.Conn, error) {
	return map[string]func(context.Context, string, string) (net.Conn, error){
		"dialling fails": func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		},
		"a proxy refuses to CONNECT": func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("Forbidden") },
		"dialling hangs": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
}

// A transport that forwards, as otelhttp's does, leaves the client to know what
// was sent.
func TestNothingWasSentBelowAWrappedTransport(t *testing.T) {
	t.Parallel()
	for way, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"a clone": clone,
		"two":     func(next http.RoundTripper) http.RoundTripper { return clone(onlyTransport{next}) },
		"its own error": func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					err = fmt.Errorf("traced: %w", err)
				}
				return resp, err
			})
		},
	} {
		for name, dial := range tunnels() {
			t.Run(way+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					transport := demeterrr.NewTransport(30*time.Second, dial)
					defer transport.CloseIdleConnections()
					c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport}), demeterrr.WithTransport(wrap)))
					err := execute(t.Context(), c, demeterrr.WithAtMostOnce())
					wantError(t, err, 4)
					wantIsNot(t, err, demeterrr.ErrUnknownOutcome)

					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					wantIsNot(t, execute(ctx, c), demeterrr.ErrUnknownOutcome)
				})
			})
		}
	}
}

// A transport that may have sent by other means is not believed.
func TestAWrappedTransportThatMaySendElsewhereIsNotBelieved(t *testing.T) {
	t.Parallel()
	send := func(next http.RoundTripper, r *http.Request) error {
		resp, err := next.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for name, try := range map[string]func(next http.RoundTripper, r *http.Request) error{
		"its error is another one": func(next http.RoundTripper, r *http.Request) error {
			_ = send(next, r)
			return io.ErrUnexpectedEOF
		},
		"its error is joined with another": func(next http.RoundTripper, r *http.Request) error {
			return errors.Join(send(next, r), io.ErrUnexpectedEOF)
		},
		"it sends twice": func(next http.RoundTripper, r *http.Request) error {
			_ = send(next, r)
			return send(next, r)
		},
		"it gives up sooner, and another transport times out": func(next http.RoundTripper, r *http.Request) error {
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			_ = send(next, r.WithContext(ctx))
			return context.DeadlineExceeded
		},
		"it hides the attempt's context": func(next http.RoundTripper, r *http.Request) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return send(next, r.WithContext(ctx))
		},
		"its error panics": func(next http.RoundTripper, r *http.Request) error {
			_ = send(next, r)
			return (*sealed)(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
					select {
					case <-ctx.Done():
					case <-time.After(2 * time.Second):
					}
					return nil, errors.New("Forbidden")
				}
				transport := demeterrr.NewTransport(30*time.Second, dial)
				defer transport.CloseIdleConnections()
				wrap := demeterrr.WithTransport(func(next http.RoundTripper) http.RoundTripper {
					return roundTripper(func(r *http.Request) (*http.Response, error) { return nil, try(next, r) })
				})
				c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport}), wrap))
				wantError(t, execute(t.Context(), c, demeterrr.WithAtMostOnce()), 1, demeterrr.ErrUnknownOutcome)
			})
		})
	}
}

// several is an error that cannot be compared.
type several []string

func (s several) Error() string { return fmt.Sprint([]string(s)) }

func TestAnErrorThatCannotBeComparedIsNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial := func(context.Context, string, string) (net.Conn, error) { return nil, several{"no", "route"} }
		hc := &http.Client{Transport: demeterrr.NewTransport(30*time.Second, dial)}
		c := must(demeterrr.New(testKey, demeterrr.WithHTTPClient(hc), demeterrr.WithTransport(clone)))
		wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
	})
}

// What left below a wrapped transport is known to have left.
func TestAReplyLostBelowAWrappedTransportMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport, wait := piped(func(server net.Conn) { _, _ = server.Read(make([]byte, 1<<10)) }, func(client net.Conn) net.Conn { return client })
		c := must(demeterrr.New(testKey, demeterrr.WithBaseURL("http://localhost"),
			demeterrr.WithHTTPClient(&http.Client{Transport: transport}), demeterrr.WithTransport(clone)))
		wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
		wait()
	})
}
