package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/servers"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

var (
	full = flag.Bool("full", false, "run TestFleet and TestCampaign in full, for some minutes")
	out  = flag.String("out", "", "the document to write the counts to")
)

// fleetSize is the size of TestFleet. orders is a multiple of 4.
type fleetSize struct {
	orders    int
	killEvery time.Duration
	inFlight  time.Duration // of the shops
	slow      time.Duration // the longest delay of a reply
}

func newFleetSize() fleetSize {
	if *full {
		// A claim is live for longer than a request and its record take. A slow
		// reply counts as lost.
		return fleetSize{orders: 2000, killEvery: 2 * time.Second, inFlight: attemptTimeout + recordTimeout + 5*time.Second, slow: attemptTimeout + time.Second}
	}
	return fleetSize{orders: 120, killEvery: 1500 * time.Millisecond, inFlight: 4 * time.Second, slow: 2 * time.Second}
}

const (
	fleetProcesses = 4
	fleetLimit     = 50 // requests a second
)

// fleet is a number of shops behind a round-robin, with their servers, and a
// fake with occasional failures.
type fleet struct {
	size       fleetSize
	srv        *demeterrrtest.Server
	sequenceID string
	db, redis  *servers.Server
	shops      [fleetProcesses]member
	proxy      *httptest.Server
	ending     atomic.Bool
	running    sync.WaitGroup

	injected, attempts, refused, killed, restarts, settled atomic.Int64
	crashes                                                []crashed

	mu      sync.Mutex
	arrived []time.Time // requests received by the API
}

// member is a process of the fleet. The fleet starts it again when it ends.
type member struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	log lockedBuffer
}

// newFleet starts the shops, the servers and the fake.
func newFleet(t *testing.T, size fleetSize) *fleet {
	t.Helper()
	f := &fleet{size: size, db: servers.Postgres(t), redis: servers.Redis(t)}
	f.srv = demeterrrtest.NewServer(
		demeterrrtest.WithRequestLog(f.heard),
		demeterrrtest.WithLatency(5*time.Millisecond, 50*time.Millisecond),
		demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.Limit{Requests: fleetLimit, Window: time.Second}))
	t.Cleanup(f.srv.Close)
	f.sequenceID = f.srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
	t.Cleanup(f.stop)
	for i := range f.shops {
		f.running.Go(func() { f.run(&f.shops[i]) })
	}
	var turn atomic.Int64
	f.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if target, err := url.Parse(f.shops[turn.Add(1)%fleetProcesses].log.url()); err == nil {
				r.SetURL(target)
			}
		},
		ErrorLog: log.New(io.Discard, "", 0), // a dead process answers 502
	})
	t.Cleanup(f.proxy.Close)
	return f
}

// run restarts a process until the fleet ends.
func (f *fleet) run(m *member) {
	for !f.ending.Load() {
		cmd := exec.CommandContext(context.Background(), os.Args[0], "-listen", "127.0.0.1:0", "-sequence", f.sequenceID,
			"-database", f.db.URL, "-redis", f.redis.URL, "-limit", fmt.Sprintf("%d/1s", fleetLimit))
		cmd.Env = append(os.Environ(), asProgram+"="+f.size.inFlight.String(), "SHOP_WEBHOOK_SECRET="+secret,
			"DEMETERRR_API_KEY="+f.srv.APIKey(), "DEMETERRR_BASE_URL="+f.srv.URL())
		cmd.Stdout, cmd.Stderr = &m.log, &m.log
		m.mu.Lock()
		m.cmd = cmd
		err := startChild(cmd)
		m.mu.Unlock()
		if err == nil {
			err = cmd.Wait()
		}
		fmt.Fprintln(&m.log, "--- the process ended:", err)
		f.restarts.Add(1)
		time.Sleep(50 * time.Millisecond) // without a database it may end at once
	}
}

// running returns the process that was started last.
func (m *member) running() *exec.Cmd {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cmd
}

// signal sends a signal to the process if it runs.
func (m *member) signal(s os.Signal) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cmd != nil && m.cmd.Process != nil && m.cmd.Process.Signal(s) == nil
}

// stop ends all processes.
func (f *fleet) stop() {
	f.ending.Store(true)
	for i := range f.shops {
		f.shops[i].signal(os.Kill)
	}
	f.running.Wait()
}

// heard counts a request received by the API. After about every tenth, it makes
// one of the next requests fail.
func (f *fleet) heard(r demeterrrtest.Request) {
	f.mu.Lock()
	f.arrived = append(f.arrived, r.At)
	f.mu.Unlock()
	if rand.IntN(10) > 0 {
		return
	}
	fault := demeterrrtest.Fault{Skip: rand.IntN(4)}
	switch rand.IntN(9) {
	case 0:
		fault.Drop = demeterrrtest.DropBefore
	case 1:
		fault.Drop = demeterrrtest.DropAfter
	case 2:
		fault.Drop = demeterrrtest.Truncate
	case 3:
		fault.Status = 500
	case 4:
		fault.Status, fault.AfterWork = 500, true
	case 5:
		fault.Status, fault.RetryAfter = 429, time.Second
	case 6:
		fault.Status = 503
	case 7:
		fault.Code = demeterrr.CodeExpiredAPIKey // the key gets renewed
	default:
		fault.Delay = rand.N(f.size.slow)
	}
	f.srv.Inject(fault)
	f.injected.Add(1)
}

// kill kills one process after the other until ctx ends. It waits until the
// process has started again, so the fleet ends with all its processes.
func (f *fleet) kill(ctx context.Context) {
	for i := 0; every(ctx, f.size.killEvery); i++ {
		m := &f.shops[i%fleetProcesses]
		killed := m.running()
		if !m.signal(os.Kill) {
			continue
		}
		f.killed.Add(1)
		for m.running() == killed {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// every waits for d and reports whether ctx goes on.
func every(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// crashed is a server with the time of its outage.
type crashed struct {
	server     *servers.Server
	down, back time.Time
}

// crash crashes PostgreSQL twice and Redis once during the deliveries.
func (f *fleet) crash(t *testing.T, deliveries int) {
	t.Helper()
	for i, s := range []*servers.Server{f.db, f.redis, f.db} {
		for f.settled.Load() < int64(deliveries*(i+1)/4) {
			time.Sleep(10 * time.Millisecond)
		}
		down := time.Now()
		s.Crash()
		time.Sleep(time.Second)
		if err := s.Start(); err != nil {
			t.Error(err)
		}
		f.crashes = append(f.crashes, crashed{s, down, time.Now()})
	}
}

func customer(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

// deliver delivers an order until the answer is 2xx.
func (f *fleet) deliver(t *testing.T, i int, busy chan struct{}) {
	t.Helper()
	body := fmt.Sprintf(`{"id": "%d", "email": %q, "firstName": "Jane", "language": "en"}`, i, customer(i))
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		busy <- struct{}{}
		status, _ := call(t, http.MethodPost, f.proxy.URL+"/webhooks/order-delivered", body)
		<-busy
		f.attempts.Add(1)
		if status == http.StatusNoContent { // the shop's own 2xx
			if n := f.settled.Add(1); n%500 == 0 {
				t.Logf("%d deliveries are answered with 2xx", n)
			}
			return
		}
		f.refused.Add(1)
		time.Sleep(wait/2 + rand.N(wait))
	}
}

// deliverAll delivers each order one to three times, in any order, 16 at once.
func (f *fleet) deliverAll(t *testing.T) (deliveries int) {
	t.Helper()
	var all []int
	for i := range f.size.orders {
		all = append(all, slices.Repeat([]int{i}, 1+i%3)...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	chaos, end := context.WithCancel(t.Context())
	var others, delivering sync.WaitGroup
	others.Go(func() { f.kill(chaos) })
	others.Go(func() { f.crash(t, len(all)) })
	busy := make(chan struct{}, 16)
	for _, i := range all {
		delivering.Go(func() { f.deliver(t, i, busy) })
	}
	delivering.Wait()
	end()
	others.Wait()
	return len(all)
}

// verdict is the outcome of the orders.
type verdict struct {
	sent, inDoubt, inDoubtSent int
	twice, lost                []string
}

// judge compares the sendings of the fake with the store's entries in doubt.
func (f *fleet) judge(t *testing.T) (v verdict) {
	t.Helper()
	db, err := sql.Open("pgx", f.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.Open(t.Context(), db, sqlstore.PostgreSQL, sqlstore.WithInFlight(f.size.inFlight))
	if err != nil {
		t.Fatal(err)
	}
	inDoubt := map[string]bool{}
	for entry, err := range store.InDoubt(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Campaign != "order-"+strings.TrimSuffix(strings.TrimPrefix(entry.Email, "customer"), "@example.com") {
			t.Errorf("campaign %s has %s", entry.Campaign, entry.Email)
		}
		inDoubt[entry.Email] = true
	}
	sendings := map[string]int{}
	for _, s := range f.srv.Sendings() {
		sendings[s.Email]++
	}
	for i := range f.size.orders {
		email := customer(i)
		switch n := sendings[email]; {
		case n > 1:
			v.twice = append(v.twice, email)
		case inDoubt[email]:
			v.inDoubt++
			v.inDoubtSent += n
		case n == 1:
			v.sent++
		default:
			v.lost = append(v.lost, email)
		}
	}
	if len(sendings)+v.inDoubt-v.inDoubtSent+len(v.lost) != f.size.orders {
		t.Errorf("%d customers got a survey, of whom the shop knows %d", len(sendings), v.sent+v.inDoubtSent+len(v.twice))
	}
	return v
}

// mostInASecond returns the largest number of requests at the fake in any
// second. Requests around a crash are counted apart. A claim that waits for
// PostgreSQL stands between a place and its request, and outlasts a window as
// short as this. Redis forgets the places that it gave.
func (f *fleet) mostInASecond(t *testing.T) (usually, aroundCrashes int) {
	t.Helper()
	slices.SortFunc(f.arrived, time.Time.Compare)
	first := 0
	for i, at := range f.arrived {
		for at.Sub(f.arrived[first]) >= time.Second {
			first++
		}
		n, crash := i-first+1, slices.IndexFunc(f.crashes, func(c crashed) bool {
			return at.After(c.down) && at.Before(c.back.Add(3*time.Second))
		})
		if n > fleetLimit {
			t.Logf("%d requests in a second, %v after the start; crashes at %v", n, at.Sub(f.arrived[0]), f.crashTimes())
		}
		if crash >= 0 {
			aroundCrashes = max(aroundCrashes, n)
		} else {
			usually = max(usually, n)
		}
	}
	return usually, aroundCrashes
}

func (f *fleet) crashTimes() (all []string) {
	for _, c := range f.crashes {
		all = append(all, fmt.Sprintf("%s %v-%v", c.server.URL[:5], c.down.Sub(f.arrived[0]), c.back.Sub(f.arrived[0])))
	}
	return all
}

// TestFleet delivers orders to four processes under repeated kills. Meanwhile
// the API fails now and then, and PostgreSQL and Redis crash.
func TestFleet(t *testing.T) { //nolint:paralleltest // its times are real
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent SIGTERM there")
	}
	start := time.Now()
	f := newFleet(t, newFleetSize())
	deliveries := f.deliverAll(t)
	took := time.Since(start)
	f.ending.Store(true)
	for i := range f.shops {
		f.shops[i].signal(syscall.SIGTERM)
	}
	f.running.Wait()
	for i := range f.shops {
		if log := f.shops[i].log.String(); !stoppedGracefully(log) {
			t.Errorf("process %d did not stop gracefully:\n%s", i, log[max(0, len(log)-2000):])
		}
	}
	v := f.judge(t)
	if len(v.twice) > 0 || len(v.lost) > 0 {
		t.Errorf("%d orders were sent twice: %v\n%d were lost: %v", len(v.twice), v.twice, len(v.lost), v.lost)
		f.explain(t, append(v.twice, v.lost...))
	}
	if v.sent < f.size.orders*3/4 || f.killed.Load() < 3 || f.refused.Load() == 0 {
		t.Errorf("%d of %d orders were sent; %d kills; %d deliveries were answered with something else than 2xx", v.sent, f.size.orders, f.killed.Load(), f.refused.Load())
	}
	usually, aroundCrashes := f.mostInASecond(t)
	if usually > fleetLimit {
		t.Errorf("%d requests in a second", usually)
	}
	text := fmt.Sprintf("%d processes of examples/shop, %d orders in %d deliveries, %d webhook requests until each had its 2xx. "+
		"%d kills with SIGKILL, one every %v. PostgreSQL crashed twice and Redis once. %d faults of the API: lost replies, 500s, 503s, 429s, expired keys, delays. "+
		"**Sent twice: %d. Lost: %d.** Sent once: %d. In doubt and listed by `InDoubt`: %d, and %d of them have the survey. "+
		"%d requests to the API, at most %d in any second, and %d around the crashes, with a limit of %d. It took %v.\n",
		fleetProcesses, f.size.orders, deliveries, f.attempts.Load(),
		f.killed.Load(), f.size.killEvery, f.injected.Load(),
		len(v.twice), len(v.lost), v.sent, v.inDoubt, v.inDoubtSent,
		len(f.arrived), usually, aroundCrashes, fleetLimit, took.Round(time.Second))
	t.Log(text)
	writeSection(t, "fleet", "TestFleet", text)
}

// stoppedGracefully reports whether the last process of a log ended by itself,
// or got SIGTERM before it began its work.
func stoppedGracefully(log string) bool {
	const ended = "--- the process ended: "
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	last, before := lines[len(lines)-1], lines[max(0, len(lines)-2)]
	return last == ended+"<nil>" || last == ended+"signal: terminated" && strings.HasPrefix(before, ended)
}

// explain prints the log lines about orders.
func (f *fleet) explain(t *testing.T, emails []string) {
	t.Helper()
	for _, email := range emails {
		id := strings.TrimSuffix(strings.TrimPrefix(email, "customer"), "@example.com")
		for i := range f.shops {
			for line := range strings.Lines(f.shops[i].log.String()) {
				if strings.Contains(line, "order="+id+" ") {
					t.Logf("process %d: %s", i, line)
				}
			}
		}
	}
}

// writeSection replaces the text between the marks of that name in the
// document, after a full run.
func writeSection(t *testing.T, mark, test, text string) {
	t.Helper()
	if *out == "" || t.Failed() {
		return
	}
	if !*full {
		t.Fatal("-out needs -full")
	}
	old, err := os.ReadFile(*out)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+mark+": begin -->\n", "<!-- "+mark+": end -->"
	before, rest, ok1 := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no marks for %q", *out, mark)
	}
	text = fmt.Sprintf("Made on %s with %s, %s/%s, by\n\n    go test ./examples/shop -run %s -timeout 30m -args -full -out ../../docs/reliability.md\n\n%s",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, test, text)
	if err := os.WriteFile(*out, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644); err != nil { //nolint:gosec // a document, for all
		t.Fatal(err)
	}
}
