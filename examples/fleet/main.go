// Fleet shows four processes that share one quota and never meet a 429.
//
//	go run ./examples/fleet
//
// It starts a Redis of its own if redis-server can be found (or uses the one at
// -redis), a fake demeterrr that allows 20 requests in 2 seconds, and four worker
// processes that send 25 requests each, as fast as package redislimit lets them.
// It prints what each one got.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

const (
	processes = 4
	each      = 25 // requests of one process
	requests  = 20 // that the organization may send in a window
	window    = 2 * time.Second
	margin    = 500 * time.Millisecond // no request takes longer here
)

// errNoRedis is not a failure: there is nothing to show without Redis.
var errNoRedis = errors.New("there is no redis-server here, and no -redis address was given: install Redis, or name one")

func main() {
	redisAddr := flag.String("redis", "", "host:port of a Redis to use; empty starts one")
	worker := flag.Bool("worker", false, "be one of the processes (used by the program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	var err error
	if *worker {
		err = work(ctx, *redisAddr, os.Stdout)
	} else {
		err = lead(ctx, *redisAddr, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// result is what a worker prints.
type result struct {
	Sent, Refused int // requests that were answered, and those among them that met a 429
	Took          time.Duration
}

// work is one process: it sends its requests, each of them when the fleet's limiter says so.
func work(ctx context.Context, redisAddr string, out io.Writer) error {
	rdb := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer rdb.Close()
	limiter, err := redislimit.New(rdb, "demeterrr", []demeterrr.Limit{{Requests: requests, Window: window}}, redislimit.WithMargin(margin))
	if err != nil {
		return err
	}
	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(limiter))
	if err != nil {
		return err
	}
	var r result
	start := time.Now()
	for range each {
		var resp demeterrr.Response
		if _, err := client.Contacts.List(ctx, nil, demeterrr.WithResponse(&resp)); err != nil {
			return err
		}
		r.Sent++
		r.Refused += resp.Attempts - 1
	}
	r.Took = time.Since(start)
	return json.NewEncoder(out).Encode(r)
}

// lead starts Redis, the fake and the workers, and adds up what they got.
func lead(ctx context.Context, redisAddr string, out io.Writer) error {
	if redisAddr == "" {
		addr, stop, err := startRedis(ctx)
		if errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintln(out, errNoRedis)
			return nil
		}
		if err != nil {
			return err
		}
		defer stop()
		redisAddr = addr
	}
	fake := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow,
		demeterrrtest.Limit{Requests: requests, Window: window}))
	defer fake.Close()

	fmt.Fprintf(out, "%d processes share a quota of %d requests in %v.\n", processes, requests, window)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	start := time.Now()
	type answer struct {
		result
		err error
	}
	answers := make([]chan answer, processes)
	for i := range answers {
		answers[i] = make(chan answer, 1)
		cmd := exec.CommandContext(ctx, self, "-worker", "-redis", redisAddr) //nolint:gosec // this program itself
		cmd.Env = append(os.Environ(), "DEMETERRR_API_KEY="+fake.APIKey(), "DEMETERRR_BASE_URL="+fake.URL())
		cmd.Stderr = os.Stderr
		go func() {
			var a answer
			printed, err := cmd.Output()
			if a.err = err; err == nil {
				a.err = json.Unmarshal(printed, &a.result)
			}
			answers[i] <- a
		}()
	}
	sent, refused := 0, 0
	for i, ch := range answers {
		a := <-ch
		if a.err != nil {
			return fmt.Errorf("process %d: %w", i+1, a.err)
		}
		fmt.Fprintf(out, "  process %d: %d requests, %d times 429, %.1f s\n", i+1, a.Sent, a.Refused, a.Took.Seconds())
		sent, refused = sent+a.Sent, refused+a.Refused
	}
	fmt.Fprintf(out, "%d requests in %.1f s, %d times 429.\n", sent, time.Since(start).Seconds(), refused)
	return nil
}

// startRedis starts a Redis that keeps nothing, on a free loopback port.
func startRedis(ctx context.Context) (addr string, stop func(), err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // Redis takes the port over
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))

	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no") //nolint:gosec,noctx // stop ends it, so that workers can give their places back first
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	for range 100 {
		if err = rdb.Ping(ctx).Err(); err == nil {
			return addr, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("redis-server does not answer: %w", err)
}
