// Shop sends one survey for each delivered order. It is an HTTP service behind
// the webhook "order delivered" of a shop. It updates the contact, and then
// sends the survey with bulk.ExecuteOnce. A webhook can arrive any number of
// times, at any number of replicas. The customer gets one survey for each
// order.
//
// Try it with nothing but Go. It runs on the fake demeterrr of the SDK, with
// SQLite in a temporary folder:
//
//	$ go run ./examples/shop -fake
//
//	$ order='{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane", "language": "en"}'
//	$ sign() { printf %s "$1" | openssl dgst -sha256 -hmac 'a secret of the fake' -r | cut -d' ' -f1; }
//	$ curl -i -d "$order" -H "Shop-Signature: $(sign "$order")" localhost:8080/webhooks/order-delivered
//	HTTP/1.1 204 No Content
//
// The service logs the survey. Deliver the order again, and it sends nothing:
//
//	level=INFO msg="survey done" order=1001 status=queued earlier=false
//	level=INFO msg="survey done" order=1001 status=queued earlier=true
//
// With an account, on one machine. The file shop.db remembers the orders:
//
//	$ export DEMETERRR_API_KEY=dem_… SHOP_WEBHOOK_SECRET=…
//	$ go run ./examples/shop -sequence 880e8400-e29b-41d4-a716-446655440000
//
// As a fleet, any number of these share the orders and the quota:
//
//	$ shop -sequence 880e8400-… -database postgres://shop@db/shop -redis redis://redis:6379
//
// /healthz answers while the process lives, /readyz while its database does,
// and /metrics is for Prometheus. SIGTERM ends the waits at once. Requests in
// flight end within 40 seconds, and the process then exits. Give a pod a
// terminationGracePeriodSeconds of 45.
//
// A process that dies leaves its orders in doubt: the customer may have the
// survey. The service never sends to them again. List them with sqlstore's
// InDoubt.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

const (
	attemptTimeout = 10 * time.Second // for one request to demeterrr
	recordTimeout  = 30 * time.Second // for ExecuteOnce's record of the outcome
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // told to stop while it was starting
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// settings holds the command line and the environment.
type settings struct {
	listen, database, redis, sequence, secret string
	limits                                    []demeterrr.Limit
	fake                                      bool
}

func parse(args []string) (*settings, error) {
	s := &settings{secret: os.Getenv("SHOP_WEBHOOK_SECRET")}
	flags := flag.NewFlagSet("shop", flag.ExitOnError)
	flags.StringVar(&s.listen, "listen", "localhost:8080", "the `address` of the service")
	flags.StringVar(&s.database, "database", "", "postgres://… or a file of SQLite (default shop.db)")
	flags.StringVar(&s.redis, "redis", "", "redis://… that a fleet shares its quota in; empty: this process has the quota alone")
	flags.StringVar(&s.sequence, "sequence", "", "the `id` of the survey's sequence")
	flags.Func("limit", "requests of the quota in a window, such as 100/1m; repeat it for each window (default 100/1m and 1000/1h)", s.addLimit)
	flags.BoolVar(&s.fake, "fake", false, "use a fake demeterrr and a temporary database")
	_ = flags.Parse(args) // it exits with 2
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case s.fake:
		s.secret = cmp.Or(s.secret, "a secret of the fake")
	case len(s.secret) < 16:
		return nil, errors.New("the environment variable SHOP_WEBHOOK_SECRET has fewer than 16 bytes; set it to the secret of the shop's webhooks")
	case s.sequence == "":
		return nil, errors.New("no sequence; pass -sequence with the id of an active one, or -fake")
	}
	if s.limits == nil {
		s.limits = []demeterrr.Limit{{Requests: 100, Window: time.Minute, Reserve: 20}, {Requests: 1000, Window: time.Hour, Reserve: 200}}
	}
	return s, nil
}

// addLimit adds a limit such as 100/1m. All calls of this service have normal
// priority. The Reserve keeps a fifth for them if a nightly job, such as
// bulk.Sync, shares the limits through Redis.
func (s *settings) addLimit(text string) error {
	requests, window, _ := strings.Cut(text, "/")
	n, err1 := strconv.Atoi(requests)
	d, err2 := time.ParseDuration(window)
	if err1 != nil || err2 != nil || n <= 0 || d <= 0 {
		return errors.New("want requests and a window, such as 100/1m")
	}
	s.limits = append(s.limits, demeterrr.Limit{Requests: n, Window: d, Reserve: n / 5})
	return nil
}

// run runs the service until ctx ends.
func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.fake {
		end, err := s.useFake()
		if err != nil {
			return err
		}
		defer end()
	}
	db, store, err := openStore(ctx, cmp.Or(s.database, "shop.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	client, metrics, closeRedis, err := newClient(s)
	if err != nil {
		return err
	}
	defer closeRedis()
	if err := checkSequence(ctx, client, s.sequence); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/order-delivered", &webhook{
		client: client, sequenceID: s.sequence, secret: []byte(s.secret), stopping: ctx,
		campaign: func(name string) bulk.Journal { return store.Campaign(name) },
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "live") })
	mux.HandleFunc("GET /readyz", ready(db))
	mux.Handle("GET /metrics", metrics) // keep it inside: the shop needs only the webhook
	return serve(ctx, s.listen, mux)
}

// newClient returns a client with metrics and with the limiter of the fleet.
func newClient(s *settings) (client *demeterrr.Client, metrics http.Handler, closeRedis func(), err error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, nil, nil, err
	}
	tracer, err := demeterrrotel.NewTracer(demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))))
	if err != nil {
		return nil, nil, nil, err
	}
	var limiter demeterrr.Limiter = demeterrr.NewPacer(s.limits...)
	closeRedis = func() {}
	if s.redis != "" {
		options, err := redis.ParseURL(s.redis)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("-redis: %w; pass a URL such as redis://localhost:6379", err)
		}
		rdb := redis.NewClient(options)
		closeRedis = func() { _ = rdb.Close() }
		if limiter, err = redislimit.New(rdb, "demeterrr", s.limits); err != nil {
			return nil, nil, nil, err
		}
	}
	client, err = demeterrr.NewFromEnv(
		demeterrr.WithTimeout(attemptTimeout), demeterrr.WithLimiter(limiter),
		demeterrr.WithTracer(tracer), demeterrr.WithLogger(slog.Default()))
	return client, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), closeRedis, err
}

// checkSequence returns an error for a sequence that is missing in the account.
// A replica starts even if the API is unavailable.
func checkSequence(ctx context.Context, client *demeterrr.Client, id string) error {
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sequence, err := client.Sequences.Get(asking, id)
	switch e, _ := errors.AsType[*demeterrr.Error](err); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && sequence.Status != demeterrr.SequenceActive:
		slog.Warn("the sequence does not seem to be active; activate it in the dashboard", "status", sequence.Status)
		return nil
	case err == nil:
		return nil
	case errors.Is(err, demeterrr.ErrNotFound):
		return fmt.Errorf("the account has no sequence %s; pass the id of one of its own with -sequence: %w", id, err)
	case e != nil && !e.Retryable() && asking.Err() == nil:
		return fmt.Errorf("the sequence %s cannot be used: %w", id, err)
	}
	slog.Warn("the sequence is not checked", "error", err)
	return nil
}

// serve serves until ctx ends, and then waits for the requests in flight.
func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("listening", "address", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("stopping")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout+recordTimeout+time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// useFake starts a fake demeterrr with one sequence, and points the environment
// to it.
func (s *settings) useFake() (end func(), err error) {
	fake := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, s.limits...))
	s.sequence = fake.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"}).ID
	dir, err := os.MkdirTemp("", "shop")
	if err == nil {
		err = errors.Join(os.Setenv("DEMETERRR_API_KEY", fake.APIKey()), os.Setenv("DEMETERRR_BASE_URL", fake.URL()))
	}
	s.database = cmp.Or(s.database, dir+"/shop.db")
	return func() {
		fake.Close()
		os.RemoveAll(dir)
	}, err
}
