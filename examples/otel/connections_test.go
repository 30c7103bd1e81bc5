package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Tracing leaves the client all of its tuned connections.
func TestOtelhttpKeepsTheTunedConnections(t *testing.T) {
	t.Parallel()
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	// The first requests wait for each other, so each of them opens a
	// connection.
	var together sync.WaitGroup
	together.Add(64)
	var opened, arrived atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) <= 64 {
			together.Done()
			together.Wait()
		}
		fake.Handler().ServeHTTP(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	provider := sdktrace.NewTracerProvider()
	client, err := demeterrr.New(fake.APIKey(), demeterrr.WithBaseURL(server.URL+"/api/v1"),
		demeterrr.WithTransport(func(next http.RoundTripper) http.RoundTripper {
			return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(provider))
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20 {
				if _, err := client.Contacts.List(t.Context(), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > 100 {
		t.Errorf("64 goroutines with 20 calls each opened %d connections", n)
	}
}
