// Worker sends one survey for each order, from a queue: River on PostgreSQL.
// The order and its job are committed in one transaction.
//
//	createdb worker
//	go run ./examples/worker -fake -database postgres:///worker
//	go run ./examples/worker -database postgres:///worker -sequence 880e8400-e29b-41d4-a716-446655440000
//	go run ./examples/worker -database postgres:///worker -in-doubt
//
// With -fake it places five orders, works their jobs against a fake demeterrr
// with a rate limit and a lost reply, and ends. Without it, it works until
// Ctrl-C or SIGTERM. -in-doubt lists the orders with a survey that may have
// been sent. Look these up under Sendings in the dashboard.
//
// It makes the tables of River, of sqlstore and, with -fake, worker_orders.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// survey is the job of one order. It carries the email at the time of the
// order. The customer's email can change later, and the journal would take the
// new one for another person.
type survey struct {
	OrderID   string `json:"orderId"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
}

// Kind names the job in River's table.
func (survey) Kind() string { return "order_survey" }

// place stores an order and enqueues its survey in the caller's transaction.
// Both are committed, or neither.
func place(ctx context.Context, tx pgx.Tx, queue *river.Client[pgx.Tx], order survey) error {
	_, err := tx.Exec(ctx, "INSERT INTO worker_orders (id, email, first_name) VALUES ($1, $2, $3)", order.OrderID, order.Email, order.FirstName)
	if err != nil {
		return err
	}
	_, err = queue.InsertTx(ctx, tx, order, nil)
	return err
}

// surveyor works the jobs.
type surveyor struct {
	river.WorkerDefaults[survey]

	client     *demeterrr.Client
	store      *sqlstore.Store
	sequenceID string
}

// Work sends the survey of one order. River delivers a job at least once, and
// again if its worker is killed. The order's campaign in the store makes that
// safe.
func (s *surveyor) Work(ctx context.Context, job *river.Job[survey]) error {
	guest := demeterrr.ExecuteContact{Email: job.Args.Email, FirstName: job.Args.FirstName}
	result, err := bulk.ExecuteOnce(ctx, s.client, s.sequenceID, guest, s.store.Campaign("order-"+job.Args.OrderID), nil)

	logger := slog.With("order", job.Args.OrderID)
	apiErr, _ := errors.AsType[*demeterrr.Error](err)
	switch {
	case result != nil && err != nil:
		logger.Error("survey sent, but not recorded: it will be listed as in doubt", "error", err)
		return nil
	case result != nil:
		logger.Info("survey done", "status", result.Status, "earlier", result.Earlier)
		return nil
	case errors.Is(err, bulk.ErrInFlight): // another worker has it; if that one was killed, the order is in doubt after 5 minutes
		return river.JobSnooze(time.Minute)
	case errors.Is(err, bulk.ErrNotSent) && apiErr != nil && apiErr.RetryAfter > 0:
		logger.Warn("rate limited", "again in", apiErr.RetryAfter)
		return river.JobSnooze(apiErr.RetryAfter) // a snooze uses up no attempt
	case errors.Is(err, bulk.ErrNotSent) && errors.Is(ctx.Err(), context.Canceled): // the worker stops
		return river.JobSnooze(0)
	case errors.Is(err, bulk.ErrNotSent):
		return err // River retries, with back-off
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		logger.Error("survey may have been sent: see -in-doubt", "error", err)
		return river.JobCancel(err)
	default:
		logger.Error("survey can never be sent", "error", err)
		return river.JobCancel(err)
	}
}

// newQueue returns River with the surveyor as its worker.
func newQueue(pool *pgxpool.Pool, worker *surveyor) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	return river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 10}},
		Workers: workers,
		// After the context of a job ends, a request in flight can take up to
		// WithTimeout, and the journal 30 seconds.
		JobTimeout:           time.Minute,
		RescueStuckJobsAfter: 5 * time.Minute, // longer than all of these together
		SoftStopTimeout:      5 * time.Second, // after SIGTERM, jobs that wait for the quota go back
	})
}

// options make the client fail fast: the queue retries, and waits for rate
// limits. At the Pacer, a job waits for its turn up to JobTimeout.
func options() []demeterrr.Option {
	return []demeterrr.Option{
		demeterrr.WithAppInfo("worker", demeterrr.Version),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 0}),
		demeterrr.WithLimiter(demeterrr.NewPacer()), // several workers share a quota through module redislimit
	}
}

// migrate makes the tables of River and sqlstore. A deployment can do it
// instead.
func migrate(ctx context.Context, pool *pgxpool.Pool) (*sqlstore.Store, error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL); err != nil {
		return nil, err
	}
	return sqlstore.Open(ctx, db, sqlstore.PostgreSQL)
}

// listInDoubt prints the orders with a survey that may have been sent.
func listInDoubt(ctx context.Context, store *sqlstore.Store, out io.Writer) error {
	for entry, err := range store.InDoubt(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "in doubt:", entry.Campaign, entry.Email, entry.At.Format(time.DateTime))
	}
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("worker", flag.ContinueOnError)
	database := set.String("database", os.Getenv("DATABASE_URL"), "the `URL` of a PostgreSQL database")
	sequenceID := set.String("sequence", "", "the `id` of the sequence")
	fake := set.Bool("fake", false, "place some orders, and work them against a fake demeterrr")
	inDoubt := set.Bool("in-doubt", false, "list the orders whose survey may have been sent, and end")
	if err := set.Parse(args); err != nil {
		return err
	}
	switch {
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see -help", set.Arg(0))
	case *database == "":
		return errors.New("no database; name one with -database or DATABASE_URL")
	case *sequenceID == "" && !*fake && !*inDoubt:
		return errors.New("no sequence; name one with -sequence")
	}
	pool, err := pgxpool.New(ctx, *database)
	if err != nil {
		return fmt.Errorf("-database: %w", err)
	}
	defer pool.Close()
	store, err := migrate(ctx, pool)
	if err != nil {
		return err
	}
	switch {
	case *inDoubt:
		return listInDoubt(ctx, store, out)
	case *fake:
		return demonstrate(ctx, pool, store, out)
	}
	client, err := demeterrr.NewFromEnv(options()...)
	if err != nil {
		return err
	}
	queue, err := newQueue(pool, &surveyor{client: client, store: store, sequenceID: *sequenceID})
	if err != nil {
		return err
	}
	if err := queue.Start(ctx); err != nil {
		return err
	}
	<-queue.Stopped() // ctx ends on SIGTERM
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
