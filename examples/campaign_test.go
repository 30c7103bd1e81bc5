package examples_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/servers"
	"github.com/demeterrr/demeterrr-go/redislimit"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// sendCampaign sends the survey of November. Any number of processes can call
// it at once, with the same guests.
func sendCampaign(ctx context.Context, db *sql.DB, rdb *redis.Client, sequenceID string, guests iter.Seq2[demeterrr.ExecuteContact, error]) error {
	if err := sqlstore.Migrate(ctx, db, sqlstore.PostgreSQL); err != nil {
		return err
	}
	store, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL)
	if err != nil {
		return err
	}
	limiter, err := redislimit.New(rdb, "acme", []demeterrr.Limit{
		{Requests: 100, Window: time.Minute, Reserve: 20},
		{Requests: 1000, Window: time.Hour, Reserve: 150},
	})
	if err != nil {
		return err
	}
	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(limiter))
	if err != nil {
		return err
	}

	report, err := bulk.Execute(ctx, client, sequenceID, guests, &bulk.ExecuteOptions{Journal: store.Campaign("survey-2026-11")})
	if err != nil {
		return err // it stopped early: run it again
	}
	for _, failure := range report.Failed {
		log.Print("row ", failure.Index, " was not sent to: ", failure.Err)
	}
	for _, failure := range report.Unknown {
		log.Print("row ", failure.Index, " may have been messaged: ", failure.Err)
	}
	if len(report.InFlight) > 0 {
		return errors.New("another process is at the rest: run it again, in case it dies")
	}
	return nil
}

// printInDoubt lists the people to look up under Sendings in the dashboard.
func printInDoubt(ctx context.Context, store *sqlstore.Store, out io.Writer) error {
	for entry, err := range store.Campaign("survey-2026-11").InDoubt(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, entry.Email, entry.Owner, entry.At)
	}
	return nil
}

// forget releases people without a sending. The next run sends to them.
func forget(ctx context.Context, store *sqlstore.Store, emails ...string) error {
	return store.Campaign("survey-2026-11").Forget(ctx, emails...)
}

func TestThreeProcessesSendOneCampaign(t *testing.T) {
	postgres, rdb := servers.Postgres(t), redisClient(t)
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	t.Setenv("DEMETERRR_BASE_URL", srv.URL())
	survey := srv.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	srv.Inject(demeterrrtest.Fault{Skip: 4, Drop: demeterrrtest.DropAfter}) // the outcome of one batch stays unknown
	var guests []demeterrr.ExecuteContact
	for i := range 1000 {
		guests = append(guests, demeterrr.ExecuteContact{Email: fmt.Sprintf("guest%d@example.com", i), FirstName: "Alice"})
	}

	done := make(chan error)
	open := func() *sql.DB {
		db, err := sql.Open("pgx", postgres.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	for range 3 {
		db := open()
		go func() {
			var err error
			for range 100 { // Kubernetes would restart it
				if err = sendCampaign(t.Context(), db, rdb, survey.ID, bulk.Slice(guests)); err == nil {
					break
				}
			}
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if sent, twice := len(srv.Sendings()), srv.SentTwice(); sent != 1000 || len(twice) > 0 {
		t.Errorf("%d of 1000 were sent, and %d twice", sent, len(twice))
	}
	store, err := sqlstore.Open(t.Context(), open(), sqlstore.PostgreSQL)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printInDoubt(t.Context(), store, &out); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(100, strings.Count(out.String(), "@example.com")); diff != "" {
		t.Errorf("in doubt (-want +got):\n%s", diff)
	}
	email, _, _ := strings.Cut(out.String(), " ")
	out.Reset()
	if err := errors.Join(forget(t.Context(), store, email), printInDoubt(t.Context(), store, &out)); err != nil || strings.Contains(out.String(), email) {
		t.Errorf("%s is still in doubt: %v", email, err)
	}
}

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(servers.Redis(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
