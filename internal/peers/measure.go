package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/peers/serve"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// task is a row of the tables.
type task struct {
	letter string
	title  string
	path   string // below the server's address
	retry  bool
	do     func(context.Context, work.Peer) error
}

// get is the first task. Work H consists of it, and work I is it without a
// deadline.
func get(ctx context.Context, p work.Peer) error { return second(p.Get(ctx)) }

var tasks = []task{
	{"A", "get a contact", serve.Plain, false, get},
	{"B", "list a page of 100", serve.Plain, false, func(ctx context.Context, p work.Peer) error { return second(p.List(ctx, 7)) }},
	{"C", "iterate over 5,000", serve.Plain, false, func(ctx context.Context, p work.Peer) error {
		n, err := p.All(ctx)
		if err == nil && n != 100*work.Pages {
			err = fmt.Errorf("found %d contacts", n)
		}
		return err
	}},
	{"D", "create a contact", serve.Plain, false, func(ctx context.Context, p work.Peer) error { return second(p.Create(ctx)) }},
	{"E", "a 409 matched by its code", serve.Conflict, false, func(ctx context.Context, p work.Peer) error {
		_, err := p.Create(ctx)
		if !p.Taken(err) {
			return fmt.Errorf("not recognized: %w", err)
		}
		return nil
	}},
	{"F", "execute with 100 contacts", serve.Plain, false, func(ctx context.Context, p work.Peer) error { return second(p.Execute(ctx)) }},
	{"G", "429, then 200", serve.Limited, true, get},
	{"I", "as A, but the context has no deadline", serve.Plain, false, func(ctx context.Context, p work.Peer) error { return get(context.WithoutCancel(ctx), p) }},
}

func second(_ any, err error) error { return err }

const (
	memory   = "in memory"
	loopback = "over loopback"
)

// cell is one work of some candidates at one place.
type cell struct {
	task       task
	place      string
	candidates []candidate
	baseline   int // the index of the divisor
	peers      []work.Peer
	size       []int       // runs in a batch, by candidate
	times      [][]float64 // nanoseconds a run, by candidate and round
	alloc      []float64   // allocations a run, by candidate
	bytes      []float64
}

type results struct {
	command string
	rounds  int
	started time.Time
	cells   []*cell
	traced  []*cell // the first work of this SDK with tracers
	plain   []crowd // by candidate; nil if not measured
	secure  []crowd // the same over TLS
	sizes   []size  // by candidate; nil if not measured
}

// measure fills the cells: it warms up, counts allocations, then times round by
// round.
func (r *results) measure(only string, batch time.Duration) error {
	// A service has a heap, so its collector works rarely. Without this heap,
	// the collector would work all the time.
	heap := make([]byte, 64<<20)
	defer runtime.KeepAlive(heap)
	replies := serve.NewReplies()
	server, err := serve.Listen(replies, nil)
	if err != nil {
		return err
	}
	defer server.Close()
	for _, t := range tasks {
		if strings.Contains(only, t.letter) {
			r.cells = append(r.cells,
				newCell(t, memory, "http://127.0.0.1:9", &serve.Memory{Replies: replies}, candidates, baseline),
				newCell(t, loopback, server.URL(), nil, candidates, baseline))
		}
	}
	r.traced = []*cell{
		newCell(tasks[0], memory, "http://127.0.0.1:9", &serve.Memory{Replies: replies}, tracers, 0),
		newCell(tasks[0], loopback, server.URL(), nil, tracers, 0),
	}
	cells := slices.Concat(r.cells, r.traced)
	for _, c := range cells {
		if err := c.prepare(batch); err != nil {
			return err
		}
	}
	for range r.rounds {
		for _, i := range rand.Perm(len(cells)) { //nolint:gosec // nobody gains by guessing the order
			if err := cells[i].round(); err != nil {
				return err
			}
		}
	}
	if strings.Contains(only, "H") {
		return r.measureCrowds(replies)
	}
	return nil
}

func newCell(t task, place, url string, rt http.RoundTripper, candidates []candidate, baseline int) *cell {
	c := &cell{task: t, place: place, candidates: candidates, baseline: baseline}
	for _, candidate := range candidates {
		c.peers = append(c.peers, candidate.make(url+t.path, rt, t.retry))
	}
	n := len(candidates)
	c.size, c.times, c.alloc, c.bytes = make([]int, n), make([][]float64, n), make([]float64, n), make([]float64, n)
	return c
}

// prepare determines the runs in a batch and the allocations of a run.
func (c *cell) prepare(batch time.Duration) error {
	for i := range c.peers {
		for n := 1; ; n *= 2 {
			took := time.Duration(math.MaxInt64) // the least of three: other processes disturb some runs
			for range 3 {
				again, err := c.run(i, n)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.candidates[i].name, c.task.title, err)
				}
				took = min(took, again)
			}
			if took > batch/4 {
				c.size[i] = max(1, int(float64(n)*float64(batch)/float64(took)))
				break
			}
		}
		runs := max(10, c.size[i])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := c.run(i, runs); err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		c.alloc[i] = float64(after.Mallocs-before.Mallocs) / float64(runs)
		c.bytes[i] = float64(after.TotalAlloc-before.TotalAlloc) / float64(runs)
	}
	return nil
}

// round times all candidates once, in random order.
func (c *cell) round() error {
	for _, i := range rand.Perm(len(c.peers)) { //nolint:gosec // nobody gains by guessing the order
		runtime.GC() // each candidate pays for its own garbage only
		took, err := c.run(i, c.size[i])
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.candidates[i].name, c.task.title, err)
		}
		c.times[i] = append(c.times[i], float64(took)/float64(c.size[i]))
	}
	return nil
}

func (c *cell) run(i, n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := call(c.task, c.peers[i]); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// call does a task once. It has a deadline, like a request in a service.
func call(t task, p work.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return t.do(ctx, p)
}

// spread is a median with its quartiles.
type spread struct{ low, median, high float64 }

// ratio returns the time of candidate i as a multiple of the baseline, pair by
// pair.
func (c *cell) ratio(i int) spread {
	ratios := make([]float64, len(c.times[i]))
	for round, t := range c.times[i] {
		ratios[round] = t / c.times[c.baseline][round]
	}
	return spreadOf(ratios)
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		place := q * float64(len(sorted)-1)
		i := int(place)
		if i+1 == len(sorted) {
			return sorted[i]
		}
		return sorted[i] + (sorted[i+1]-sorted[i])*(place-float64(i))
	}
	return spread{at(0.25), at(0.5), at(0.75)}
}

// crowd is work H: many goroutines that share one client.
type crowd struct {
	connections []float64
	times       []float64
}

const (
	goroutines    = 64
	crowdRequests = 10_000
	crowdRounds   = 5
)

func (r *results) measureCrowds(replies *serve.Replies) error {
	// The API is https, so this is too. The clients trust the certificate like
	// one of the system's.
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "roots.pem")
	config, err := serve.TLS(file)
	if err == nil {
		err = os.Setenv("SSL_CERT_FILE", file)
	}
	if err != nil {
		return err
	}
	r.plain, r.secure = make([]crowd, len(candidates)), make([]crowd, len(candidates))
	for range crowdRounds {
		for _, i := range rand.Perm(len(candidates)) { //nolint:gosec // nobody gains by guessing the order
			err := errors.Join(r.plain[i].run(candidates[i], replies, nil), r.secure[i].run(candidates[i], replies, config))
			if err != nil {
				return fmt.Errorf("%s, %d goroutines: %w", candidates[i].name, goroutines, err)
			}
		}
	}
	return nil
}

func (c *crowd) run(one candidate, replies *serve.Replies, config *tls.Config) error {
	connections, took, err := runCrowd(one, replies, config)
	c.connections = append(c.connections, float64(connections))
	c.times = append(c.times, float64(took))
	return err
}

// runCrowd uses a new server and transport, so that it inherits no connection.
func runCrowd(c candidate, replies *serve.Replies, config *tls.Config) (connections int, took time.Duration, err error) {
	server, err := serve.Listen(replies, config)
	if err != nil {
		return 0, 0, err
	}
	defer server.Close()
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	own := standard.(*http.Transport).Clone()
	http.DefaultTransport = own
	defer own.CloseIdleConnections()
	p := c.make(server.URL()+serve.Plain, nil, false)
	runtime.GC()
	failed := make(chan error, goroutines)
	start := time.Now()
	for g := range goroutines {
		go func() {
			var errs error
			for i := g; i < crowdRequests && errs == nil; i += goroutines {
				errs = call(tasks[0], p)
			}
			failed <- errs
		}()
	}
	for range goroutines {
		err = errors.Join(err, <-failed)
	}
	return server.Connections(), time.Since(start), err
}
