// Nightly brings the contacts of an account to the customers in PostgreSQL. Run it
// from cron, or as a CronJob of Kubernetes.
//
//	psql -c "CREATE TABLE customers (id bigserial PRIMARY KEY, email text, first_name text, last_name text, phone text, tags text[])"
//	go run ./examples/nightly -database postgres:///shop -dry-run
//	go run ./examples/nightly -database postgres:///shop
//
// -dry-run prints each request that a real run would send. -fake uses a fake
// demeterrr inside the program in place of your account.
//
// It exits with 0 if the account matches, with 1 if it stopped early (run it
// again), with 2 if the command line or the settings are wrong, and with 3 if it
// came to the end and the log names customers that failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// query reads the customers. A NULL or empty column leaves the contact's field as it is.
const query = `SELECT id, email, coalesce(first_name, ''), coalesce(last_name, ''), coalesce(phone, ''), tags
	FROM customers WHERE email <> '' ORDER BY id`

// table is the customers as they are read. The connection lasts as long as the
// reading, not as long as the sync.
type table struct {
	database *pgx.ConnConfig
	ids      []int64 // of the customers, by their place in the input
}

// customers is the input of Sync. A broken query yields an error, and then nothing is written.
func (t *table) customers(ctx context.Context) iter.Seq2[demeterrr.ContactParams, error] {
	return func(yield func(demeterrr.ContactParams, error) bool) {
		conn, err := pgx.ConnectConfig(ctx, t.database)
		if err != nil {
			yield(demeterrr.ContactParams{}, err)
			return
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it only read
		rows, _ := conn.Query(ctx, query)            // rows.Err has the error
		defer rows.Close()
		for rows.Next() {
			var id int64
			var p demeterrr.ContactParams
			err := rows.Scan(&id, &p.Email, &p.FirstName, &p.LastName, &p.Phone, &p.Tags)
			t.ids = append(t.ids, id)
			if !yield(p, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(demeterrr.ContactParams{}, err)
		}
	}
}

// newClient leaves a part of the quota to the website: 20 requests of a minute and
// 150 of an hour. Sync's calls have low priority, so they wait for up to an hour.
func newClient(fake bool) (*demeterrr.Client, error) {
	if fake {
		return demeterrrtest.NewServer().Client(), nil
	}
	return demeterrr.NewFromEnv(
		demeterrr.WithAppInfo("nightly", demeterrr.Version),
		demeterrr.WithLogger(slog.Default()), // it tells of waits
		demeterrr.WithLimiter(demeterrr.NewPacer(
			demeterrr.Limit{Requests: 100, Window: time.Minute, Reserve: 20},
			demeterrr.Limit{Requests: 1000, Window: time.Hour, Reserve: 150})))
}

const (
	exitDone    = 0
	exitStopped = 1
	exitUsage   = 2
	exitPartly  = 3
)

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	set := flag.NewFlagSet("nightly", flag.ContinueOnError)
	set.SetOutput(errs)
	url := set.String("database", os.Getenv("DATABASE_URL"), "the `URL` of a PostgreSQL database")
	dryRun := set.Bool("dry-run", false, "only print what would be sent")
	fake := set.Bool("fake", false, "use a fake demeterrr inside this program, with no account")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	}
	database, err := pgx.ParseConfig(*url)
	if err == nil && (*url == "" || set.NArg() > 0) {
		err = errors.New("name the database with -database or DATABASE_URL, and nothing else")
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return exitUsage
	}
	client, err := newClient(*fake)
	if err != nil {
		fmt.Fprintln(errs, err)
		return exitUsage
	}

	t := &table{database: database}
	report, err := bulk.Sync(ctx, client, t.customers(ctx), &bulk.SyncOptions{DryRun: *dryRun})
	if report.Plan != nil { // a dry run
		for change := range report.Plan.Changes() {
			if change.Create != nil {
				fmt.Fprintln(out, "customer", t.ids[change.Index], "new")
				continue
			}
			update, _ := json.Marshal(change.Update)
			fmt.Fprintln(out, "customer", t.ids[change.Index], string(update))
		}
	}
	fmt.Fprintf(out, "%d customers: %d created, %d updated, %d unchanged, %d duplicates, %d failed, in %d requests\n",
		report.Read, report.Created, report.Updated, report.Unchanged, report.Duplicates, len(report.Failed), report.Requests)
	switch {
	case err != nil:
		fmt.Fprintln(errs, "stopped early, run it again:", err)
		return exitStopped
	case len(report.Failed) == 0:
		return exitDone
	}
	for _, failure := range report.Failed {
		fmt.Fprintln(errs, "customer", t.ids[failure.Index], failure.Err)
	}
	return exitPartly
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
