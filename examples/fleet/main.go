// Fleet shows four processes that share one quota and never meet a 429.
//
//	go run ./examples/fleet
//
// It starts a Redis of its own, or uses the one at -redis. It also starts a
// fake demeterrr that allows 20 requests in 2 seconds, and four processes.
// Three are batch jobs: they send at the full speed of package redislimit. One
// is a website: its calls go first, without a wait. The program prints the
// result of each process.
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
	each   = 20                     // requests of one process
	pause  = 500 * time.Millisecond // between two calls of the website
	margin = 500 * time.Millisecond // longer than any request here
)

// roles lists the role of each process.
var roles = []string{"website", "batch", "batch", "batch"}

// limit is the quota of the organization. The website needs at most 6 requests
// in 2.5 seconds.
var limit = demeterrr.Limit{Requests: 20, Window: 2 * time.Second, Reserve: 6}

// errNoRedis ends the program without a failure: the demonstration needs Redis.
var errNoRedis = errors.New("redis-server is missing; install Redis, or pass the address of one with -redis")

func main() {
	redisAddr := flag.String("redis", "", "host:port of a Redis to use; empty starts one")
	worker := flag.String("worker", "", "be one of the processes, website or batch (used by the program itself)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	var err error
	if *worker != "" {
		err = work(ctx, *redisAddr, *worker, os.Stdout)
	} else {
		err = lead(ctx, *redisAddr, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// result is the output of a worker.
type result struct {
	Sent, Refused int           // answered requests, and those of them with a 429
	Took, Slowest time.Duration // all calls, and the slowest of them
}

// work is one process: it sends its requests under the fleet's limiter.
func work(ctx context.Context, redisAddr, role string, out io.Writer) error {
	rdb := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer rdb.Close()
	limiter, err := redislimit.New(rdb, "demeterrr", []demeterrr.Limit{limit}, redislimit.WithMargin(margin))
	if err != nil {
		return err
	}
	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(limiter))
	if err != nil {
		return err
	}
	if role == "batch" {
		ctx = demeterrr.LowPriority(ctx) // yields to the website in any process
	}
	var r result
	start := time.Now()
	for range each {
		var resp demeterrr.Response
		called := time.Now()
		if _, err := client.Contacts.List(ctx, nil, demeterrr.WithResponse(&resp)); err != nil {
			return err
		}
		r.Sent++
		r.Refused += resp.Attempts - 1
		r.Slowest = max(r.Slowest, time.Since(called))
		if role == "website" {
			time.Sleep(pause)
		}
	}
	r.Took = time.Since(start)
	return json.NewEncoder(out).Encode(r)
}

// lead starts Redis, the fake and the workers, and adds up their results.
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
	fake := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, limit))
	defer fake.Close()

	fmt.Fprintf(out, "%d processes share a quota of %d requests in %v.\n", len(roles), limit.Requests, limit.Window)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	start := time.Now()
	type answer struct {
		result
		err error
	}
	answers := make([]chan answer, len(roles))
	for i, role := range roles {
		answers[i] = make(chan answer, 1)
		cmd := exec.CommandContext(ctx, self, "-worker", role, "-redis", redisAddr) //nolint:gosec // this program itself
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
		fmt.Fprintf(out, "  %-8s %d requests in %4.1f s, %d times 429, the slowest took %.1f s\n", roles[i]+":", a.Sent, a.Took.Seconds(), a.Refused, a.Slowest.Seconds())
		sent, refused = sent+a.Sent, refused+a.Refused
	}
	fmt.Fprintf(out, "%d requests in %.1f s, %d times 429.\n", sent, time.Since(start).Seconds(), refused)
	return nil
}

// startRedis starts a Redis without persistence on a free loopback port.
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
	_ = listener.Close() // Redis takes over the port
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
