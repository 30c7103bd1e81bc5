package demeterrrotel_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Another's transport around the client's own keeps the connections, in bursts of
// 64 calls. This needs real connections, and so real time.
func TestOtelhttpAroundTheOwnTransportKeepsItsConnections(t *testing.T) {
	t.Parallel()
	const goroutines, rounds, most = 64, 30, 100
	fake := demeterrrtest.NewServer(demeterrrtest.WithRequestLog(func(demeterrrtest.Request) {}))
	id := fake.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"}).ID
	var connections atomic.Int64
	srv := httptest.NewUnstartedServer(fake.Handler())
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()

	o := observe(t)
	traced := func(own http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(own) }
	client, err := demeterrr.New(fake.APIKey(), demeterrr.WithBaseURL(srv.URL+"/api/v1"),
		demeterrr.WithTransport(traced), demeterrr.WithTracer(o))
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		var burst sync.WaitGroup
		for range goroutines {
			burst.Go(func() {
				if _, err := client.Contacts.Get(t.Context(), id); err != nil {
					t.Error(err)
				}
			})
		}
		burst.Wait() // so that every connection is idle
	}
	if n := connections.Load(); n > most {
		t.Errorf("%d requests took %d connections, want at most %d", goroutines*rounds, n, most)
	}
}
