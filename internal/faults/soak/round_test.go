package soak

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	_ "modernc.org/sqlite"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
	"github.com/demeterrr/demeterrr-go/redislimit"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// round is one API, one database and three machines.
type round struct {
	t        *testing.T
	n        int
	all      *figures
	fake     *demeterrrtest.Server
	sequence demeterrr.Sequence
	machines []*demeterrr.Client // the first has a Pacer, the others share redislimit
	store    *sqlstore.Store
	dir      string
	open     atomic.Int64 // connections of the API
	stop     chan struct{}

	mu       sync.Mutex
	expected map[string]bool // whom the round sends to
	doubt    map[string]bool
}

// playRound works for d under faults, then without them until all is settled, and
// looks at what came of it.
func playRound(t *testing.T, redisAddr string, all *figures, n int, d time.Duration) {
	t.Helper()
	r := &round{t: t, n: n, all: all, dir: t.TempDir(), stop: make(chan struct{}), expected: map[string]bool{}, doubt: map[string]bool{}}
	ctx := context.Background()
	r.fake = demeterrrtest.NewServer(demeterrrtest.WithLatency(0, 4*time.Millisecond), demeterrrtest.WithRequestLog(func(demeterrrtest.Request) { all.requests.Add(1) }))
	r.sequence = r.fake.AddSequence(demeterrr.Sequence{Name: "Survey"})
	server := r.serve()
	rdb := redis.NewClient(&redis.Options{Addr: redisAddr})
	db := must(sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(r.dir, "app.db"))+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"))
	if err := sqlstore.Migrate(ctx, db, sqlstore.SQLite); err != nil {
		t.Fatal(err)
	}
	r.store = must(sqlstore.Open(ctx, db, sqlstore.SQLite))
	spans := &spanCounter{}
	limits := []demeterrr.Limit{{Requests: 200, Window: time.Second, Reserve: 50}}
	shared := must(redislimit.New(rdb, fmt.Sprint("soak", n), limits))
	for _, limiter := range []demeterrr.Limiter{demeterrr.NewPacer(limits...), shared, shared} {
		tracer := must(demeterrrotel.NewTracer(
			demeterrrotel.WithTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans))),
			demeterrrotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())))))
		r.machines = append(r.machines, must(demeterrr.New(r.fake.APIKey(), demeterrr.WithBaseURL(server.URL+"/api/v1"), demeterrr.WithLimiter(limiter), demeterrr.WithTracer(tracer),
			demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 5, MinWait: time.Millisecond, MaxWait: 20 * time.Millisecond}))))
	}

	r.work(d)
	r.verify()

	for _, client := range r.machines {
		client.CloseIdleConnections()
	}
	if !settled(func() bool { return r.open.Load() == 0 }) {
		t.Errorf("round %d: %d connections are left open", n, r.open.Load())
	}
	server.Close()
	r.fake.Close()
	if err := errors.Join(rdb.Close(), db.Close()); err != nil {
		t.Error(err)
	}
	if left := db.Stats().OpenConnections; left != 0 {
		t.Errorf("round %d: %d connections to the database are left open", n, left)
	}
	if started, ended := spans.started.Load(), spans.ended.Load(); started != ended || started == 0 {
		t.Errorf("round %d: %d spans began, %d ended", n, started, ended)
	}
	all.spans.Add(spans.started.Load())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// serve serves the API on a port, and counts its connections.
func (r *round) serve() *httptest.Server {
	server := httptest.NewUnstartedServer(r.fake.Handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			r.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			r.open.Add(-1)
		case http.StateActive, http.StateIdle: // still open
		}
	}
	server.Start()
	return server
}

// spanCounter counts the spans that begin and end.
type spanCounter struct{ started, ended atomic.Int64 }

func (c *spanCounter) OnStart(context.Context, trace.ReadWriteSpan) { c.started.Add(1) }
func (c *spanCounter) OnEnd(trace.ReadOnlySpan)                     { c.ended.Add(1) }
func (c *spanCounter) Shutdown(context.Context) error               { return nil }
func (c *spanCounter) ForceFlush(context.Context) error             { return nil }

// work runs all jobs until the time is over, and then what they have left to do.
func (r *round) work(d time.Duration) {
	crm := newSyncJob(r)
	var all, faults jobs
	all.repeat(r, 1, func(n int) { r.campaign(n) })
	all.repeat(r, 1, func(n int) { r.file(n) })
	all.repeat(r, 8, func(n int) { r.order(n) })
	all.repeat(r, 1, func(int) { _, _ = crm.run() })
	faults.Go(r.fail)
	time.Sleep(d)
	close(r.stop)
	faults.Wait()
	r.fake.ClearFaults()
	all.Wait()
	crm.settle()
}

// jobs is a group of goroutines that repeat a job until the round stops.
type jobs struct{ sync.WaitGroup }

func (g *jobs) repeat(r *round, workers int, job func(n int)) {
	var numbers atomic.Int64
	for range workers {
		g.Go(func() {
			for {
				select {
				case <-r.stop:
					return
				default:
					job(int(numbers.Add(1)))
				}
			}
		})
	}
}

// fail puts a fault in the way of one request in ten.
func (r *round) fail() {
	next := r.all.requests.Load()
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-r.stop:
			tick.Stop()
			return
		case <-tick.C:
		}
		if r.all.requests.Load() < next {
			continue
		}
		next += 10
		fault := demeterrrtest.Fault{Skip: rand.IntN(5)}
		switch rand.IntN(40) {
		case 0:
			fault.Status, fault.RetryAfter = http.StatusTooManyRequests, time.Second
		case 1, 2, 3:
			fault.Status = http.StatusInternalServerError
		case 4, 5, 6:
			fault.Status, fault.AfterWork = http.StatusInternalServerError, true
		case 7, 8, 9:
			fault.Status = http.StatusServiceUnavailable
		case 10, 11, 12:
			fault.Status, fault.AfterWork = http.StatusBadGateway, true
		case 13, 14, 15, 16, 17:
			fault.Drop = demeterrrtest.DropBefore
		case 18, 19, 20, 21, 22:
			fault.Drop = demeterrrtest.DropAfter
		case 23, 24, 25, 26, 27:
			fault.Drop = demeterrrtest.Truncate
		case 28:
			fault.Status = http.StatusUnauthorized
		default:
			fault.Delay = time.Duration(1+rand.IntN(20)) * time.Millisecond
		}
		r.fake.Inject(fault)
		r.all.faults.Add(1)
	}
}

// wrong reports what must not be.
func (r *round) wrong(format string, args ...any) {
	if r.all.wrong.Add(1) < 20 {
		r.t.Errorf("round %d: "+format, append([]any{r.n}, args...)...)
	}
}

// expect notes whom a job sends to.
func (r *round) expect(emails ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, email := range emails {
		r.expected[email] = true
	}
}

func (r *round) doubts(email string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt[strings.ToLower(email)] = true
}

// campaign is one campaign in the database: three machines send it, with lists that overlap.
func (r *round) campaign(n int) {
	people := r.people("campaign", n, 450)
	journal := r.store.Campaign(fmt.Sprint("campaign-", n))
	var machines sync.WaitGroup
	for i, client := range r.machines {
		machines.Go(func() { r.execute(client, journal, people[i*75:300+i*75]) })
	}
	machines.Wait()
	for entry, err := range journal.InDoubt(context.Background()) {
		if err != nil {
			r.wrong("InDoubt: %v", err)
			return
		}
		r.doubts(entry.Email)
	}
}

// file is one campaign in a file, which two goroutines of one process send.
func (r *round) file(n int) {
	people := r.people("file", n, 300)
	journal, err := bulk.OpenJournal(filepath.Join(r.dir, fmt.Sprint("file-", n, ".jsonl")), r.sequence.ID)
	if err != nil {
		r.wrong("OpenJournal: %v", err)
		return
	}
	var machines sync.WaitGroup
	for i := range 2 {
		machines.Go(func() { r.execute(r.machines[0], journal, people[i*100:200+i*100]) })
	}
	machines.Wait()
	for _, entry := range journal.InDoubt() {
		r.doubts(entry.Email)
	}
	if err := journal.Close(); err != nil {
		r.wrong("Close: %v", err)
	}
}

// people are the customers of a job.
func (r *round) people(job string, n, count int) (people []demeterrr.ExecuteContact) {
	for i := range count {
		email := fmt.Sprintf("%s%d.%d@example.com", job, n, i)
		people = append(people, demeterrr.ExecuteContact{Email: email})
		r.expect(email)
	}
	return people
}

// execute sends to the people of a list until each is sent to or in doubt.
func (r *round) execute(client *demeterrr.Client, journal bulk.Journal, people []demeterrr.ExecuteContact) {
	for range 200 {
		report, err := bulk.Execute(context.Background(), client, r.sequence.ID, bulk.Slice(people), &bulk.ExecuteOptions{Journal: journal, Concurrency: 2})
		r.all.executes.Add(1)
		sum := report.Sent + report.AlreadySent + len(report.Skipped) + len(report.Failed) + len(report.Unknown) + len(report.InFlight) + len(report.NotTried) + report.Duplicates
		if sum != len(people) && report.Read == len(people) {
			r.wrong("the report of Execute does not add up: %+v", report)
		}
		if err == nil && report.Sent+report.AlreadySent+len(report.Unknown) == len(people) {
			return
		}
	}
	r.wrong("Execute did not come to an end")
}

// order is one event, delivered to one to three machines at once until each has
// answered it for good.
func (r *round) order(n int) {
	contact := demeterrr.ExecuteContact{Email: fmt.Sprintf("order%d@example.com", n)}
	r.expect(contact.Email)
	journal := r.store.Campaign(fmt.Sprint("order-", n))
	var machines sync.WaitGroup
	for i := range 1 + rand.IntN(3) {
		machines.Go(func() {
			for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
				result, err := bulk.ExecuteOnce(context.Background(), r.machines[i], r.sequence.ID, contact, journal, nil)
				r.all.once.Add(1)
				switch {
				case err == nil:
					return
				case result != nil: // sent, and the busy database had no time to record it
					r.doubts(contact.Email)
					return
				case errors.Is(err, demeterrr.ErrUnknownOutcome):
					r.doubts(contact.Email)
					return
				case !errors.Is(err, bulk.ErrInFlight) && !errors.Is(err, bulk.ErrNotSent):
					r.wrong("ExecuteOnce: %v", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
			r.wrong("order %d did not come to an end", n)
		})
	}
	machines.Wait()
}

// verify compares whom the API has sent to with whom it should have.
func (r *round) verify() {
	if twice := r.fake.SentTwice(); len(twice) > 0 {
		r.wrong("%d people were sent to twice, such as %s", len(twice), twice[0])
	}
	sent := map[string]bool{}
	for _, s := range r.fake.Sendings() {
		sent[strings.ToLower(s.Email)] = true
	}
	for email := range sent {
		if !r.expected[email] {
			r.wrong("%s was sent to, and nobody asked for it", email)
		}
	}
	for email := range r.expected {
		if !sent[email] && !r.doubt[email] {
			r.wrong("%s is neither sent to nor in doubt", email)
		}
	}
	r.all.sendings.Add(int64(len(sent)))
	r.all.doubt.Add(int64(len(r.doubt)))
}
