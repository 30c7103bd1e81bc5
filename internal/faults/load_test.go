package faults

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/internal/marked"
)

var (
	requests = flag.Int64("requests", 20_000, "requests of the load test")
	soak     = flag.Duration("soak", 0, "how long the load test lasts, instead of counting requests; with -out, its figures are written")
)

const workers = 256

// maxCalls is the largest number of calls that a run can record.
const maxCalls = 1 << 24

// load is one client under 256 goroutines, and a server that fails one time in
// ten.
type load struct {
	t        *testing.T
	fake     *demeterrrtest.Server
	sequence demeterrr.Sequence
	client   *demeterrr.Client

	served, faulty, open, peak                     atomic.Int64
	calls, repeated, sent, doubled, unknown, wrong atomic.Int64
	performed                                      [maxCalls / 64]atomic.Uint64 // a bit for each execution performed by the server
}

// TestLoad makes many calls at once. Every call must have its own result, once:
// a read the requested contact, a write its own change, an execution one
// sending.
func TestLoad(t *testing.T) { //nolint:paralleltest // it measures the process
	l := newLoad(t)
	begin, before := time.Now(), memory()
	stop := make(chan struct{})
	var sampling sync.WaitGroup
	var samples []string
	if *soak > 0 {
		sampling.Go(func() {
			for tick := time.NewTicker(*soak / 10); ; {
				select {
				case <-stop:
					return
				case <-tick.C:
					samples = append(samples, fmt.Sprintf("| %v | %d | %.1f | %d | %d |", time.Since(begin).Round(time.Second), l.served.Load(), float64(memory())/1e6, runtime.NumGoroutine(), l.open.Load()))
				}
			}
		})
	}
	var group sync.WaitGroup
	for i := range workers {
		me := l.fake.AddContact(demeterrr.Contact{Email: fmt.Sprintf("w%d@example.com", i), FirstName: "W"})
		group.Go(func() {
			for l.more(begin) {
				l.call(me)
			}
		})
	}
	group.Wait()
	close(stop)
	sampling.Wait()
	took := time.Since(begin)
	after := memory()
	if n := len(l.fake.Contacts()); n != workers {
		t.Errorf("%d contacts are left, want the %d that were there", n, workers)
	}
	if l.doubled.Load() != 0 || l.wrong.Load() != 0 {
		t.Errorf("%d executions were performed twice, %d results were wrong", l.doubled.Load(), l.wrong.Load())
	}
	// The server is late to notice a closed connection, and net/http dials
	// before it knows of a free one.
	if l.peak.Load() > 3*workers {
		t.Errorf("%d connections were open for %d goroutines", l.peak.Load(), workers)
	}
	if !settled(func() bool { return l.open.Load() <= 100 }) {
		t.Errorf("%d connections are left open; the client keeps 100", l.open.Load())
	}
	if after > before+32e6 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	text := fmt.Sprintf("%d goroutines, one client: %d calls, %d requests, %d of them with a fault. The client repeated %d calls. %d executions, %d of them with an unknown outcome. "+
		"Lost or wrong results: %d. Executions performed twice: %d. Most connections open at once: %d, afterwards %d. Heap: %.1f MB before, %.1f MB after. It took %v.",
		workers, l.calls.Load(), l.served.Load(), l.faulty.Load(), l.repeated.Load(), l.sent.Load(), l.unknown.Load(),
		l.wrong.Load(), l.doubled.Load(), l.peak.Load(), l.open.Load(), float64(before)/1e6, float64(after)/1e6, took.Round(time.Second))
	t.Log(text)
	if *soak > 0 && *out != "" && !t.Failed() {
		text = fmt.Sprintf("Made on %s with %s, %s/%s, client and server in one process, by\n\n    go test ./internal/faults -run Load -args -soak %v -out ../../docs/reliability.md\n\n",
			time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, *soak) + text +
			"\n\n| after | requests | heap, MB | goroutines | connections |\n|---:|---:|---:|---:|---:|\n" + strings.Join(samples, "\n") + "\n"
		if err := marked.Replace(*out, "load", text); err != nil {
			t.Fatal(err)
		}
	}
}

func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{t: t, fake: demeterrrtest.NewServer(demeterrrtest.WithRequestLog(func(demeterrrtest.Request) {}))}
	l.sequence = l.fake.AddSequence(demeterrr.Sequence{Name: "Welcome", Status: demeterrr.SequenceActive})
	server := httptest.NewUnstartedServer(http.HandlerFunc(l.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			n := l.open.Add(1)
			for peak := l.peak.Load(); n > peak && !l.peak.CompareAndSwap(peak, n); peak = l.peak.Load() {
			}
		case http.StateClosed, http.StateHijacked:
			l.open.Add(-1)
		case http.StateActive, http.StateIdle: // still open
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(l.fake.Close)
	l.client = must(demeterrr.New(l.fake.APIKey(), demeterrr.WithBaseURL(server.URL+"/api/v1"),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 12, MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond})))
	return l
}

func (l *load) more(begin time.Time) bool {
	if l.calls.Load() > maxCalls-2*workers {
		return false
	}
	if *soak > 0 {
		return time.Since(begin) < *soak
	}
	return l.served.Load() < *requests
}

// serve fails one time in ten, in one of ten ways, before or after the work.
func (l *load) serve(w http.ResponseWriter, r *http.Request) {
	l.served.Add(1)
	way := rand.IntN(100)
	if way >= 10 {
		l.work(w, r)
		return
	}
	l.faulty.Add(1)
	reply := func(status int, body string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	switch way {
	case 0:
		reply(500, apiError)
	case 1:
		reply(429, apiLimit)
	case 2:
		reply(503, proxyPage)
	case 3: // failed half-way
		l.work(httptest.NewRecorder(), r)
		reply(502, proxyPage)
	case 4, 5: // reset before or after the work
		if way == 5 {
			l.work(httptest.NewRecorder(), r)
		}
		conn, _, _ := http.NewResponseController(w).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	case 6: // cut short
		done := httptest.NewRecorder()
		l.work(done, r)
		w.Header().Set("Content-Length", strconv.Itoa(done.Body.Len()+10))
		reply(done.Code, done.Body.String())
		panic(http.ErrAbortHandler)
	case 7: // orderly, and the connection closes
		w.Header().Set("Connection", "close")
		l.work(w, r)
	case 8: // the connection closes without a word, perhaps under the next request
		done := httptest.NewRecorder()
		l.work(done, r)
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", done.Code, done.Body.Len(), done.Body)
		_ = conn.Close()
	case 9: // slow
		time.Sleep(5 * time.Millisecond)
		l.work(w, r)
	}
}

// work passes requests to the fake, apart from executions: the fake would keep
// every one.
func (l *load) work(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/execute") {
		l.fake.Handler().ServeHTTP(w, r)
		return
	}
	var body struct{ EmployeeID string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	n, _ := strconv.ParseUint(body.EmployeeID, 10, 64)
	bit := uint64(1) << (n % 64)
	if l.performed[n/64].Or(bit)&bit != 0 {
		l.doubled.Add(1)
	}
	fmt.Fprintf(w, `{"data":{"sequenceId":%q,"sequenceName":"Welcome","contactsProcessed":1,"sendingsCreated":1,"results":[{"email":"%d@example.com","contactId":"x","status":"queued"}]}}`, l.sequence.ID, n)
}

// call makes one call of many sorts and looks whether its result is its own.
func (l *load) call(me demeterrr.Contact) {
	ctx, n := context.Background(), l.calls.Add(1)
	var resp demeterrr.Response
	with := demeterrr.WithResponse(&resp)
	var c *demeterrr.Contact
	var err error
	var ok bool
	switch sort := n % 10; sort {
	case 0, 1, 2:
		c, err = l.client.Contacts.Get(ctx, me.ID, with)
		ok = err == nil && c.Email == me.Email
	case 3:
		c, err = l.client.Contacts.FindByEmail(ctx, me.Email, with)
		ok = err == nil && c.ID == me.ID
	case 4, 5:
		name := strconv.FormatInt(n, 10)
		c, err = l.client.Contacts.Update(ctx, me.ID, &demeterrr.ContactUpdate{LastName: demeterrr.Set(name)}, with)
		ok = err == nil && c.LastName == name
	case 6:
		ok, err = l.createAndDelete(ctx, n, with)
	case 7:
		page, listed := l.client.Contacts.List(ctx, &demeterrr.ContactListParams{Email: me.Email}, with)
		ok, err = listed == nil && len(page.Items) == 1 && page.Items[0].ID == me.ID, listed
	default:
		ok, err = l.execute(ctx, uint64(n), with) //nolint:gosec // a count
	}
	if resp.Attempts > 1 {
		l.repeated.Add(1)
	}
	if !ok {
		if l.wrong.Add(1) < 20 {
			l.t.Errorf("call %d, sort %d: %+v, %v", n, n%10, c, err)
		}
	}
}

func (l *load) createAndDelete(ctx context.Context, n int64, with demeterrr.CallOption) (bool, error) {
	email := fmt.Sprintf("new%d@example.com", n)
	c, err := l.client.Contacts.Create(ctx, &demeterrr.ContactParams{Email: email, FirstName: "N"}, with)
	if errors.Is(err, demeterrr.ErrContactExists) && errors.Is(err, demeterrr.ErrUnknownOutcome) {
		c, err = l.client.Contacts.FindByEmail(ctx, email) // its own, after a lost reply
	}
	if err != nil || c.Email != email {
		return false, err
	}
	l.calls.Add(1)
	err = l.client.Contacts.Delete(ctx, c.ID)
	return err == nil, err
}

// execute carries the number of the call in a form that the lab's server can
// read.
func (l *load) execute(ctx context.Context, n uint64, with demeterrr.CallOption) (bool, error) {
	email := fmt.Sprintf("%d@example.com", n)
	l.sent.Add(1)
	params := &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: email}}, EmployeeID: strconv.FormatUint(n, 10)}
	e, err := l.client.Sequences.Execute(ctx, l.sequence.ID, params, with)
	performed := l.performed[n/64].Load()&(1<<(n%64)) != 0
	switch {
	case err == nil:
		return performed && len(e.Results) == 1 && e.Results[0].Email == email, nil
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		l.unknown.Add(1)
		return true, nil
	}
	return false, err
}

// memory returns the size of the heap in use.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
