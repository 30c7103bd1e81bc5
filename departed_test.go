package demeterrr_test

import (
	"context"
	"errors"
	"net"
	"net/http"
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
