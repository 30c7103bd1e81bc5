package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
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

// aims are the target ratios of this SDK on Go 1.27, in memory and over
// loopback, each with the reason for a miss.
var aims = map[string]struct {
	ratio  map[string]float64
	reason string
}{
	"A": {map[string]float64{memory: 0.40, loopback: 0.88}, reasonCall},
	"B": {map[string]float64{memory: 0.22, loopback: 0.30}, reasonDecode},
	"C": {map[string]float64{memory: 0.22, loopback: 0.29}, reasonDecode},
	"D": {map[string]float64{memory: 0.42, loopback: 0.88}, reasonCall},
	"E": {map[string]float64{memory: 0.55, loopback: 0.93}, reasonCall},
	"F": {map[string]float64{memory: 0.28, loopback: 0.50}, "every contact is checked, escaped and compared with the others before it is sent, and every result keeps its own strings"},
	"G": {map[string]float64{memory: 0.65, loopback: 0.97}, "the body of the 429 is read for its retryAfter, and the second attempt gets a request, headers and a time limit of its own"},
}

const (
	reasonCall   = "a call has a context of its own, which stops net/http's repeats, and reads the quota"
	reasonDecode = "a contact's strings, tags and custom fields are allocations that its caller keeps"
)

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

// size is how much is measured.
type size struct {
	rounds   int
	batch    time.Duration // about how long each client works in a round, for each work
	only     string        // the letters of the works
	crowd    int           // requests of work H
	crowds   int           // rounds of work H
	binaries bool
}

var (
	full  = size{rounds: 121, batch: 10 * time.Millisecond, only: "ABCDEFGHI", crowd: 10_000, crowds: 5, binaries: true}
	brief = size{rounds: 7, batch: 5 * time.Millisecond, only: full.only, crowd: 1_000, crowds: 3}
)

// measure fills the cells: it warms up, counts allocations, then times round by
// round.
func measure(size size) (*measurement, error) {
	m := newMeasurement(size)
	// A service has a heap, so its collector works rarely. Without this heap,
	// the collector would work all the time.
	heap := make([]byte, 64<<20)
	defer runtime.KeepAlive(heap)
	replies := serve.NewReplies()
	server, err := serve.Listen(replies, nil)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	var works, traced, paced []*cell
	add := func(cells *[]*cell, t task, candidates []candidate, baseline int) {
		*cells = append(*cells,
			newCell(t, memory, "http://127.0.0.1:9", &serve.Memory{Replies: replies}, candidates, baseline),
			newCell(t, loopback, server.URL(), nil, candidates, baseline))
	}
	for _, t := range tasks {
		if strings.Contains(size.only, t.letter) {
			add(&works, t, candidates, baseline)
		}
	}
	add(&traced, tasks[0], tracers, 0)
	add(&paced, tasks[0], pacers, 0)
	cells := slices.Concat(works, traced, paced)
	for _, c := range cells {
		if err := c.prepare(size.batch); err != nil {
			return nil, err
		}
	}
	for range size.rounds {
		for _, i := range rand.Perm(len(cells)) { //nolint:gosec // nobody gains by guessing the order
			if err := cells[i].round(); err != nil {
				return nil, err
			}
		}
	}
	m.Works, m.Traced, m.Paced = rows(works), rows(traced), rows(paced)
	if strings.Contains(size.only, "H") {
		if m.Crowds, err = measureCrowds(replies, size); err != nil {
			return nil, err
		}
	}
	if size.binaries {
		if m.Binaries, err = measureBinaries(); err != nil {
			return nil, err
		}
	}
	m.Took = time.Since(m.Started)
	return m, nil
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
	return spread{Low: at(0.25), Median: at(0.5), High: at(0.75)}
}
