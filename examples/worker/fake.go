package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// ordersTable is the shop's own table.
const ordersTable = "CREATE TABLE IF NOT EXISTS worker_orders (id text PRIMARY KEY, email text NOT NULL, first_name text NOT NULL)"

// demonstrate places five orders, rolls one of them back, and works the jobs of
// the others. The fake demeterrr limits one of them and loses the reply to
// another.
func demonstrate(ctx context.Context, pool *pgxpool.Pool, store *sqlstore.Store, out io.Writer) error {
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	sequence := fake.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	fake.Inject(demeterrrtest.Fault{Skip: 1, Status: 429, RetryAfter: 2 * time.Second})
	fake.Inject(demeterrrtest.Fault{Skip: 2, Drop: demeterrrtest.DropAfter})

	queue, err := newQueue(pool, &surveyor{client: fake.Client(options()...), store: store, sequenceID: sequence.ID})
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, ordersTable); err != nil {
		return err
	}
	ended, unsubscribe := queue.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled)
	defer unsubscribe()

	first := time.Now().UnixMilli()
	for i := range int64(5) {
		order := survey{OrderID: fmt.Sprint(first + i), Email: fmt.Sprintf("customer%d@example.com", i+1), FirstName: "Alice"}
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := place(ctx, tx, queue, order); err != nil {
				return err
			}
			if i == 4 {
				return errDeclined
			}
			return nil
		})
		switch {
		case errors.Is(err, errDeclined):
			fmt.Fprintln(out, "order", order.OrderID, "rolled back:", err)
		case err != nil:
			return err
		default:
			fmt.Fprintln(out, "order", order.OrderID, "committed")
		}
	}

	if err := queue.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for range 4 {
		select {
		case <-ctx.Done():
		case event := <-ended:
			fmt.Fprintln(out, "job", event.Job.ID, event.Job.State)
		}
	}
	if err := queue.Stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	fmt.Fprintln(out, "surveys sent:", len(fake.Sendings()), "to", len(fake.Contacts()), "people")
	return listInDoubt(ctx, store, out)
}

var errDeclined = errors.New("the payment was declined")
