package demeterrr_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/demeterrr/demeterrr-go"
)

// replacedVariable makes TestOwnTransportOpensFewConnections replace
// http.DefaultTransport, in its own process.
const replacedVariable = "DEMETERRR_TEST_REPLACED_TRANSPORT"

func TestOwnTransportOpensFewConnections(t *testing.T) {
	t.Parallel()
	if os.Getenv(replacedVariable) != "" {
		http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("http.DefaultTransport was used")
		})
	}
	server, opened := connections(t, answer(200, johnBody))
	c, err := demeterrr.New(canaryKey, once, demeterrr.WithBaseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	callBy64(t, c)
	// 64 are needed, and some more if a connection comes free while another is
	// being opened. The standard transport keeps two and opens thousands.
	if n := opened.Load(); n > 200 {
		t.Errorf("64 goroutines with 50 calls each opened %d connections", n)
	}
}

// callBy64 makes 50 calls on each of 64 goroutines.
func callBy64(t *testing.T, c *demeterrr.Client) {
	t.Helper()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 50 {
				if _, err := c.Contacts.Get(t.Context(), johnID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestOwnTransportDoesNotNeedTheDefaultTransport(t *testing.T) {
	t.Parallel()
	inAProcess(t, "TestOwnTransportOpensFewConnections", replacedVariable+"=1")
}

// inAProcess runs one test of this program in another process, with more
// environment variables.
func inAProcess(t *testing.T, test string, env ...string) {
	t.Helper()
	if os.Getenv(childVariable) != "" {
		t.Skip("this is the process that the test starts")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), childVariable+"=1"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+test) {
		t.Errorf("%v\n%s", err, out)
	}
}

// childVariable is set in a process started by inAProcess.
const childVariable = "DEMETERRR_TEST_CHILD"

func TestOwnTransportSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	var proto atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		answer(200, johnBody)(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := demeterrr.New(canaryKey, once, demeterrr.WithBaseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Contacts.Get(t.Context(), johnID)
	if os.Getenv(childVariable) == "" {
		// The certificate is not trusted here: nothing may be sent.
		if err == nil || proto.Load() != nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
		return
	}
	if err != nil || proto.Load() != "HTTP/2.0" {
		t.Errorf("got %v over %v", err, proto.Load())
	}
}

func TestOwnTransportSpeaksHTTP2WhereTheCertificateIsTrusted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reads SSL_CERT_FILE")
	}
	server := httptest.NewTLSServer(answer(200, ""))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	inAProcess(t, "TestOwnTransportSpeaksHTTP2", "SSL_CERT_FILE="+file)
}

func TestOwnTransportGoesThroughTheProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	if os.Getenv(childVariable) == "" {
		var j journal
		proxy := httptest.NewServer(j.record(answer(200, johnBody)))
		t.Cleanup(proxy.Close)
		inAProcess(t, t.Name(), "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=")
		same(t, "requests through the proxy", j.lines(), []string{"GET /api/contacts/" + johnID})
		return
	}
	c, err := demeterrr.New(canaryKey, once, demeterrr.WithInsecureHTTP(), demeterrr.WithBaseURL("http://demeterrr.invalid/api"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Contacts.Get(t.Context(), johnID); err != nil {
		t.Error(err)
	}
}

func TestAContextsValuesReachTheTransport(t *testing.T) {
	t.Parallel()
	type trace struct{}
	var got any
	hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Context().Value(trace{})
		return &http.Response{StatusCode: 204}, nil
	})}
	c := serving(t, nil, demeterrr.WithHTTPClient(hc))
	if err := c.Contacts.Delete(context.WithValue(t.Context(), trace{}, "span"), "x"); err != nil {
		t.Fatal(err)
	}
	same(t, "value", got, "span")
}

// cloning is a transport like otelhttp's: it sends a copy of the request.
type cloning struct{ next http.RoundTripper }

func (c cloning) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.next.RoundTrip(req.Clone(req.Context()))
}

func clone(next http.RoundTripper) http.RoundTripper { return cloning{next} }

// connections returns a server that counts its connections.
func connections(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	opened := new(atomic.Int64)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, opened
}

func TestAWrappedTransportOpensFewConnections(t *testing.T) {
	t.Parallel()
	// The first requests wait for each other, so that no connection comes free
	// while another is being opened.
	var together sync.WaitGroup
	together.Add(64)
	var arrived atomic.Int64
	server, opened := connections(t, func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) <= 64 {
			together.Done()
			together.Wait()
		}
		answer(200, johnBody)(w, r)
	})
	c := must(demeterrr.New(canaryKey, once, demeterrr.WithBaseURL(server.URL), demeterrr.WithTransport(clone)))
	callBy64(t, c)
	if n := opened.Load(); n > 100 {
		t.Errorf("64 goroutines with 50 calls each opened %d connections", n)
	}
}

func TestCloseIdleConnectionsClosesThoseOfTheOwnTransport(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]demeterrr.Option{
		"plain":   nil,
		"wrapped": {demeterrr.WithTransport(clone)},
	} {
		server, opened := connections(t, answer(200, johnBody))
		c := must(demeterrr.New(canaryKey, append(opts, once, demeterrr.WithBaseURL(server.URL))...))
		for range 3 {
			_, err := c.Contacts.Get(t.Context(), johnID)
			wantNil(t, err)
		}
		same(t, name+": before", opened.Load(), int64(1))
		c.CloseIdleConnections()
		_, err := c.Contacts.Get(t.Context(), johnID)
		wantNil(t, err)
		same(t, name+": after", opened.Load(), int64(2))
	}
}

// A script fails the test if its idle connections are closed.
func TestCloseIdleConnectionsLeavesTheCallersTransportAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, nil)
		c.CloseIdleConnections()
		c, _ = play(t, nil, demeterrr.WithTransport(clone))
		c.CloseIdleConnections()
		c, _ = play(t, nil, demeterrr.WithTransport(func(rt http.RoundTripper) http.RoundTripper { return rt }))
		c.CloseIdleConnections()
		new(demeterrr.Client).CloseIdleConnections()
		(*demeterrr.Client)(nil).CloseIdleConnections()
	})
}

func TestTransportsWrapInTheirOrder(t *testing.T) {
	t.Parallel()
	var made, seen []string
	named := func(name string) demeterrr.Option {
		return demeterrr.WithTransport(func(next http.RoundTripper) http.RoundTripper {
			made = append(made, name)
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, name)
				return next.RoundTrip(r)
			})
		})
	}
	var j journal
	c := serving(t, j.record(answer(204, "")), named("first"), named("second"))
	for range 2 {
		wantNil(t, c.Contacts.Delete(t.Context(), "x"))
	}
	same(t, "calls of the functions", made, []string{"first", "second"})
	same(t, "requests through", seen, []string{"second", "first", "second", "first"})
	same(t, "requests", len(j.lines()), 2) // through WithHTTPClient's transport
}

// A function may return its own transport. The client then sends through it.
func TestAFunctionMayReturnAnotherTransport(t *testing.T) {
	t.Parallel()
	server, opened := connections(t, answer(200, johnBody))
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"the same":   func(next http.RoundTripper) http.RoundTripper { return next },
		"net/http's": func(http.RoundTripper) http.RoundTripper { return &http.Transport{DisableKeepAlives: true} },
		"a fake":     func(http.RoundTripper) http.RoundTripper { return handlerTransport{answer(200, johnBody)} },
	} {
		c := must(demeterrr.New(canaryKey, once, demeterrr.WithBaseURL(server.URL), demeterrr.WithTransport(wrap)))
		if _, err := c.Contacts.Get(t.Context(), johnID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	same(t, "connections", opened.Load(), int64(2))
}
