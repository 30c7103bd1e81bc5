package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// The people of the lab. Output with "canary" in it leaks personal data.
const (
	knownEmail = "canary.known@example.com"
	newEmail   = "canary.new@example.com"
)

// minWait is the wait before a retry in cells about other things.
const minWait = time.Millisecond

// maxRetries is the same for every client of the matrix: a call with every
// retry takes maxRetries+1 attempts.
const maxRetries = 2

// maxRetryAfter is the longest retryAfter for which the lab's clients wait.
const maxRetryAfter = 50 * time.Millisecond

// lab is one server, one network and one client, for one cell of the matrix.
type lab struct {
	fake     *demeterrrtest.Server
	known    demeterrr.Contact
	sequence demeterrr.Sequence
	origin   *httptest.Server
	open     *atomic.Int64 // connections to the origin and to the fault's listeners
	seen     atomic.Int64  // requests received by the origin
	once     atomic.Int64  // of these, the ones with a harmful repeat
	cleanups []func()

	connects syncBuffer   // requests to a proxy
	dialed   atomic.Int64 // the client's open connections

	fault  *fault
	left   atomic.Int64  // how many more requests or connections meet the fault; below 0: all
	stalls atomic.Int64  // how many have been stalled
	met    chan struct{} // a token for each

	base      string
	options   []demeterrr.Option
	transport *http.Transport
	faulty    string // address of connections with the fault, for faults of the connection
	client    *demeterrr.Client
	log       *syncBuffer
	spans     *tracetest.SpanRecorder
	metrics   *sdkmetric.ManualReader
}

// newLab builds everything for a fault, switched off.
func newLab(f *fault) *lab {
	l := &lab{fake: demeterrrtest.NewServer(), fault: f, open: new(atomic.Int64), met: make(chan struct{}, 64), log: new(syncBuffer)}
	l.cleanups = append(l.cleanups, l.fake.Close)
	l.known = l.fake.AddContact(demeterrr.Contact{Email: knownEmail, FirstName: "Known"})
	l.sequence = l.fake.AddSequence(demeterrr.Sequence{Name: "Welcome", Status: demeterrr.SequenceActive})
	l.origin = &httptest.Server{
		Listener: l.listen(),
		Config: &http.Server{Handler: http.HandlerFunc(l.serve), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, nth{}, new(atomic.Int64))
		}},
	}
	l.transport = &http.Transport{MaxIdleConnsPerHost: 100, TLSHandshakeTimeout: patient}
	if quick() {
		l.transport.MaxResponseHeaderBytes = 1 << 20 // the default, 10 MB, takes the race detector 10 seconds a fault
	}
	l.transport.DialContext = l.dial
	l.transport.TLSClientConfig = &tls.Config{RootCAs: authority().pool, MinVersion: tls.VersionTLS12}
	if f.tls {
		l.origin.TLS = &tls.Config{Certificates: []tls.Certificate{authority().good}, MinVersion: tls.VersionTLS12}
		if f.http2 {
			l.origin.EnableHTTP2 = true
			l.transport.ForceAttemptHTTP2 = true
		}
		if f.frames != nil {
			l.transport.ForceAttemptHTTP2 = true
			l.origin.TLS.NextProtos = []string{"h2"}
			l.origin.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
				"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { l.serveFrames(conn) },
			}
		}
		l.origin.StartTLS()
	} else {
		l.origin.Start()
	}
	l.cleanups = append(l.cleanups, l.origin.Close)
	l.base = l.origin.URL + "/api/v1"
	if f.setup != nil {
		f.setup(l)
	}
	return l
}

// nth is the context key of the number of requests on a connection.
type nth struct{}

// connect makes the lab's client. It logs at debug level into the lab, and
// calls waiting when it begins to wait for a retry.
func (l *lab) connect(timeout, wait time.Duration, waiting func()) error {
	handler := slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})
	transport := http.RoundTripper(l.transport)
	if l.fault.wrapped {
		transport = wrapper{transport}
	}
	tracer, err := l.tracer()
	if err != nil {
		return err
	}
	options := append([]demeterrr.Option{
		demeterrr.WithTracer(tracer),
		demeterrr.WithBaseURL(l.base),
		demeterrr.WithHTTPClient(&http.Client{Transport: transport}),
		demeterrr.WithTimeout(timeout),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: maxRetries, MinWait: wait, MaxWait: 2 * wait, MaxRetryAfter: maxRetryAfter}),
		demeterrr.WithLogger(slog.New(watchLog{handler, waiting})),
	}, l.options...)
	l.client, err = demeterrr.New(l.fake.APIKey(), options...)
	return err
}

// tracer returns OpenTelemetry's tracer, with spans and metrics in the lab.
func (l *lab) tracer() (demeterrr.Tracer, error) {
	l.spans, l.metrics = tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	return demeterrrotel.NewTracer(
		demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(l.spans))),
		demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.metrics))))
}

func (l *lab) close() {
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
}

// take reports whether this request or connection meets the fault.
func (l *lab) take() bool {
	for {
		n := l.left.Load()
		switch {
		case n == 0:
			return false
		case n < 0:
			return true
		case l.left.CompareAndSwap(n, n-1):
			return true
		}
	}
}

// stalled records that the fault delays a request now.
func (l *lab) stalled() {
	l.stalls.Add(1)
	select {
	case l.met <- struct{}{}:
	default:
	}
}

// dial dials for the client and counts its connections.
func (l *lab) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.connection(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.dialed.Add(1)
	return &countedConn{Conn: conn, open: &l.dialed}, nil
}

// connection dials. A fault of the connection leads it astray.
func (l *lab) connection(ctx context.Context, network, address string) (net.Conn, error) {
	if l.fault.dial != nil {
		return l.fault.dial(ctx, l, network, address)
	}
	if l.faulty != "" && l.take() {
		address = l.faulty
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// arrived counts a request when the origin has read its head.
func (l *lab) arrived(method, path string) {
	l.seen.Add(1)
	if method == http.MethodPut || method == http.MethodPost && !strings.HasSuffix(path, "/contacts") {
		l.once.Add(1)
	}
}

// answer is the API: the fake, and a PUT, which the API lacks so far.
func (l *lab) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		l.fake.Handler().ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, sample)
}

// serve is the origin: the API, or a fault of the reply.
func (l *lab) serve(w http.ResponseWriter, r *http.Request) {
	l.arrived(r.Method, r.URL.Path)
	n := r.Context().Value(nth{}).(*atomic.Int64).Add(1)
	if l.fault.reply == nil || !l.take() {
		l.answer(w, r)
		if l.fault.stalls && l.left.Load() != 0 {
			l.stalled() // a part between the origin and the client holds the reply back
		}
		return
	}
	x := &exchange{lab: l, w: w, r: r, nth: n, echo: dump(r)}
	if l.fault.works() {
		x.work()
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	l.fault.reply(x)
}

// exchange is one request that meets a fault.
type exchange struct {
	lab  *lab
	w    http.ResponseWriter
	r    *http.Request
	nth  int64  // of those on its connection
	echo string // the request as it came
	done *httptest.ResponseRecorder
}

// work lets the API do its work, and keeps its reply.
func (x *exchange) work() {
	x.done = httptest.NewRecorder()
	x.lab.answer(x.done, x.r)
}

// hold keeps the request until its client goes.
func (x *exchange) hold() {
	x.lab.stalled()
	<-x.r.Context().Done()
	panic(http.ErrAbortHandler)
}

// raw takes over the connection and writes bytes that a good server would never
// send. Then it calls end.
func (x *exchange) raw(end func(*lab, net.Conn), parts ...string) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.Join(parts, "")); err != nil {
		return
	}
	end(x.lab, conn)
}

// The ends of a connection.
func closing(*lab, net.Conn) {}

func resetting(_ *lab, conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if c, ok := conn.(*countedConn); ok {
		conn = c.Conn
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
}

func holding(l *lab, conn net.Conn) {
	l.stalled()
	_, _ = io.Copy(io.Discard, conn)
}

// listen opens a port on the loopback interface and counts its connections.
func (l *lab) listen() net.Listener {
	port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		panic(err)
	}
	return &countingListener{Listener: port, open: l.open}
}

// listenFor serves every connection to a new port with serve, until the lab
// closes.
func (l *lab) listenFor(serve func(net.Conn)) (address string) {
	port := l.listen()
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := port.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	l.cleanups = append(l.cleanups, func() { _ = port.Close(); group.Wait() })
	return port.Addr().String()
}

type countingListener struct {
	net.Listener
	open *atomic.Int64
}

func (c *countingListener) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedConn{Conn: conn, open: c.open}, nil
}

type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// settled waits up to 30 seconds until other goroutines are done.
func settled(done func() bool) bool {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}

// dump returns the request as a careless server would show it. Its body stays
// readable.
func dump(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", r.Method, r.RequestURI, r.Proto)
	_ = r.Header.Write(&b)
	fmt.Fprintf(&b, "\r\n%s", body)
	return b.String()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// watchLog calls f when the client begins to wait for a retry.
type watchLog struct {
	slog.Handler
	f func()
}

func (w watchLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "demeterrr: retry" {
		w.f()
	}
	return w.Handler.Handle(ctx, r)
}

func TestMain(m *testing.M) {
	// net/http writes findings on idle connections to the standard logger, and
	// a client cannot stop that.
	log.SetOutput(io.Discard)
	m.Run()
}
