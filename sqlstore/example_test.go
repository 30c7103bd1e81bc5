package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// exampleDirs are removed when the tests end.
var exampleDirs []string

// openDatabase opens a new SQLite file. It stands for the database of a program.
func openDatabase() *sql.DB {
	dir, err := os.MkdirTemp("", "sqlstore")
	if err != nil {
		log.Fatal(err)
	}
	exampleDirs = append(exampleDirs, dir)
	db, err := sql.Open("sqlite", sqliteDSN(filepath.Join(dir, "app.db")))
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// newStore is a Store in a new database.
func newStore(opts ...sqlstore.Option) *sqlstore.Store {
	db := openDatabase()
	if err := sqlstore.Migrate(ctx, db, sqlstore.SQLite); err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.Open(ctx, db, sqlstore.SQLite, opts...)
	if err != nil {
		log.Fatal(err)
	}
	return store
}

// doubtful is a campaign with one entry in doubt: its reply was lost.
func doubtful(store *sqlstore.Store, name string) *sqlstore.Campaign {
	campaign := store.Campaign(name)
	if _, err := campaign.Claim(ctx, surveyID, "token1", []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}
	err := campaign.Finish(ctx, surveyID, "token1", []bulk.JournalEntry{{Email: "jane.smith@example.com", State: bulk.JournalUnknown}})
	if err != nil {
		log.Fatal(err)
	}
	return campaign
}

// Any number of processes can run this at once, with the same list. Each contact
// is sent to once. To run it on PostgreSQL, change the driver and the dialect.
func Example() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	client := srv.Client()

	db := openDatabase()
	defer db.Close()
	if err := sqlstore.Migrate(ctx, db, sqlstore.SQLite); err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	guests := []demeterrr.ExecuteContact{
		{Email: "customer1@example.com", FirstName: "Alice"},
		{Email: "customer2@example.com", FirstName: "Bob"},
	}
	for range 2 {
		report, err := bulk.Execute(ctx, client, surveyID, bulk.Slice(guests), &bulk.ExecuteOptions{Journal: store.Campaign("survey-2026-11")})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("sent", report.Sent, "already sent", report.AlreadySent)
	}
	// Output:
	// sent 2 already sent 0
	// sent 0 already sent 2
}

func ExampleOpen() {
	db := openDatabase()
	defer db.Close()

	_, err := sqlstore.Open(ctx, db, sqlstore.SQLite)
	fmt.Println(errors.Is(err, demeterrr.ErrValidation), err)
	// Output: true demeterrr: VALIDATION_ERROR: the tables are missing; call sqlstore.Migrate, or apply the files of sqlstore.Schema
}

func ExampleMigrate() {
	db := openDatabase()
	defer db.Close()

	fmt.Println(sqlstore.Migrate(ctx, db, sqlstore.SQLite))
	fmt.Println(sqlstore.Migrate(ctx, db, sqlstore.SQLite)) // nothing is left to do
	// Output:
	// <nil>
	// <nil>
}

// Hand the files to a migration tool in place of Migrate.
func ExampleSchema() {
	files, err := fs.Glob(sqlstore.Schema(), "postgresql/*.sql")
	fmt.Println(files, err)
	// Output: [postgresql/0001_journal.up.sql postgresql/0002_syncstate.up.sql] <nil>
}

// Each order has a campaign of its own, so its survey is sent once, however often
// the event is delivered.
func ExampleStore_Campaign() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	store := newStore()

	jane := []demeterrr.ExecuteContact{{Email: "jane.smith@example.com", FirstName: "Jane"}}
	for _, order := range []string{"order-4711", "order-4711", "order-4712"} {
		report, err := bulk.Execute(ctx, srv.Client(), surveyID, bulk.Slice(jane), &bulk.ExecuteOptions{Journal: store.Campaign(order)})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(order, report.Sent)
	}
	// Output:
	// order-4711 1
	// order-4711 0
	// order-4712 1
}

func ExampleCampaign_Name() {
	fmt.Println(newStore().Campaign("survey-2026-11").Name())
	// Output: survey-2026-11
}

// Execute calls Claim itself. A program that sends in its own way can use a
// campaign like this.
func ExampleCampaign_Claim() {
	campaign := newStore().Campaign("survey-2026-11")

	emails := []string{"jane.smith@example.com", "john.doe@example.com"}
	taken, err := campaign.Claim(ctx, surveyID, "token1", emails[:1])
	fmt.Println(len(taken), err)
	taken, err = campaign.Claim(ctx, surveyID, "token2", emails)
	fmt.Println(taken[0].Email, taken[0].State, taken[0].Live, err)
	// Output:
	// 0 <nil>
	// jane.smith@example.com begun true <nil>
}

// A backup is restored, and the dashboard shows whom the survey was sent to. Mark
// them as done, so that the next Execute leaves them alone.
func ExampleCampaign_Finish() {
	campaign := newStore().Campaign("survey-2026-11")
	sent := []string{"Jane.Smith@example.com", "john.doe@example.com"} // 100 at most

	var emails []string
	var done []bulk.JournalEntry
	for _, email := range sent {
		email = bulk.EmailKey(email)
		emails = append(emails, email)
		done = append(done, bulk.JournalEntry{Email: email, State: bulk.JournalDone, Status: demeterrr.ExecutionQueued})
	}
	token := rand.Text() // new for each claim
	taken, err := campaign.Claim(ctx, surveyID, token, emails)
	if err != nil {
		log.Fatal(err)
	}
	err = campaign.Finish(ctx, surveyID, token, done)
	fmt.Println(len(taken), "were known before", err)
	// Output: 0 were known before <nil>
}

func ExampleCampaign_Lookup() {
	campaign := doubtful(newStore(), "survey-2026-11")

	entries, err := campaign.Lookup(ctx, surveyID, []string{"jane.smith@example.com", "john.doe@example.com"})
	for _, entry := range entries {
		fmt.Println(entry.Email, entry.State)
	}
	fmt.Println(err)
	// Output:
	// jane.smith@example.com unknown
	// <nil>
}

func ExampleCampaign_InDoubt() {
	campaign := doubtful(newStore(), "survey-2026-11")

	for entry, err := range campaign.InDoubt(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Email, entry.State)
	}
	// Output: jane.smith@example.com unknown
}

func ExampleCampaign_Forget() {
	campaign := doubtful(newStore(), "survey-2026-11")

	// The dashboard shows no sending to Jane.
	if err := campaign.Forget(ctx, "jane.smith@example.com"); err != nil {
		log.Fatal(err)
	}
	taken, err := campaign.Claim(ctx, surveyID, "token2", []string{"jane.smith@example.com"})
	fmt.Println(len(taken), err)
	// Output: 0 <nil>
}

func ExampleCampaign_Entries() {
	campaign := doubtful(newStore(), "survey-2026-11")

	for entry, err := range campaign.Entries(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Email, entry.State, entry.Live)
	}
	// Output: jane.smith@example.com unknown false
}

func ExampleStore_InDoubt() {
	store := newStore()
	doubtful(store, "order-4711")
	doubtful(store, "order-4712")

	for entry, err := range store.InDoubt(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Campaign, entry.Email)
	}
	// Output:
	// order-4711 jane.smith@example.com
	// order-4712 jane.smith@example.com
}

func ExampleStore_Lookup() {
	store := newStore()
	doubtful(store, "order-4711")
	doubtful(store, "order-4712")

	entries, err := store.Lookup(ctx, "Jane.Smith@example.com")
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range entries {
		fmt.Println(entry.Campaign, entry.Email, entry.State)
	}
	// Output:
	// order-4711 jane.smith@example.com unknown
	// order-4712 jane.smith@example.com unknown
}

func ExampleStore_Prune() {
	store := newStore()
	doubtful(store, "survey-2025-11")

	n, err := store.Prune(ctx, time.Now().AddDate(-1, 0, 0))
	fmt.Println(n, err)
	// Output: 0 <nil>
}

// Jane asks to be forgotten.
func ExampleStore_Redact() {
	store := newStore()
	campaign := doubtful(store, "survey-2026-11")

	n, err := store.Redact(ctx, "jane.smith@example.com")
	fmt.Println(n, err)
	for entry, err := range campaign.Entries(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %s\n", entry.Email, entry.State)
	}
	// Output:
	// 1 <nil>
	// "" unknown
}

// The second night sends the difference, and reads nothing. The job can run on any
// machine.
func ExampleStore_SyncState() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	store := newStore()

	customers := []demeterrr.ContactParams{
		{Email: "jane.smith@example.com", FirstName: "Jane"},
		{Email: "john.doe@example.com", FirstName: "John"},
	}
	for range 2 {
		report, err := bulk.Sync(ctx, srv.Client(), bulk.Slice(customers), &bulk.SyncOptions{State: store.SyncState("crm")})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("created", report.Created, "updated", report.Updated, "unchanged", report.Unchanged)
		customers[1].Phone = "+15557654321"
	}
	// Output:
	// created 2 updated 0 unchanged 0
	// created 0 updated 1 unchanged 1
}

func ExampleSyncState_Name() {
	fmt.Println(newStore().SyncState("crm").Name())
	// Output: crm
}

// Sync calls Acquire itself. Another run has to wait until it ends.
func ExampleSyncState_Acquire() {
	store := newStore()

	release, err := store.SyncState("crm").Acquire(ctx, demeterrr.DefaultBaseURL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.SyncState("crm").Acquire(ctx, demeterrr.DefaultBaseURL)
	fmt.Println(errors.Is(err, bulk.ErrStateInUse))
	release()
	release, err = store.SyncState("crm").Acquire(ctx, demeterrr.DefaultBaseURL)
	fmt.Println(err)
	release()
	// Output:
	// true
	// <nil>
}

func ExampleSyncState_Save() {
	state := newStore().SyncState("crm")
	release, err := state.Acquire(ctx, demeterrr.DefaultBaseURL)
	if err != nil {
		log.Fatal(err)
	}
	defer release()

	err = state.Save(ctx, []bulk.SyncEntry{{Email: "jane.smith@example.com", Dirty: true}})
	fmt.Println(err)
	// Output: <nil>
}

// What is known of Jane, for support.
func ExampleSyncState_Lookup() {
	store := newStore()
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	jane := []demeterrr.ContactParams{{Email: "jane.smith@example.com", FirstName: "Jane", Phone: "+15551234567"}}
	if _, err := bulk.Sync(ctx, srv.Client(), bulk.Slice(jane), &bulk.SyncOptions{State: store.SyncState("crm")}); err != nil {
		log.Fatal(err)
	}

	state := store.SyncState("crm")
	release, err := state.Acquire(ctx, srv.Client().BaseURL())
	if err != nil {
		log.Fatal(err)
	}
	defer release()
	entries, err := state.Lookup(ctx, []string{"jane.smith@example.com", "john.doe@example.com"})
	for _, entry := range entries {
		fmt.Println(entry.Email, entry.ContactID == srv.Contacts()[0].ID, entry.Dirty)
	}
	fmt.Println(err)
	// Output:
	// jane.smith@example.com true false
	// <nil>
}

// A nightly job keeps readable emails for 90 days.
func ExampleStore_RedactBefore() {
	n, err := newStore().RedactBefore(ctx, time.Now().AddDate(0, 0, -90))
	fmt.Println(n, err)
	// Output: 0 <nil>
}

func ExampleWithInFlight() {
	campaign := newStore(sqlstore.WithInFlight(10 * time.Minute)).Campaign("survey-2026-11")
	_, err := campaign.Claim(ctx, surveyID, "token1", []string{"jane.smith@example.com"})
	fmt.Println(err, campaign.Forget(ctx, "jane.smith@example.com"))
	// Output: <nil> demeterrr: VALIDATION_ERROR: campaign "survey-2026-11": one of the emails is being sent to, so that none was forgotten; wait for its outcome
}

func ExampleWithoutEmails() {
	campaign := doubtful(newStore(sqlstore.WithoutEmails()), "survey-2026-11")
	for entry, err := range campaign.InDoubt(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %s\n", entry.Email, entry.State)
	}
	// Output: "" unknown
}

func ExampleWithSecret() {
	secret := []byte("32 random bytes from a vault, say")
	campaign := doubtful(newStore(sqlstore.WithSecret(secret)), "survey-2026-11")

	entries, err := campaign.Lookup(ctx, surveyID, []string{"jane.smith@example.com"})
	fmt.Println(len(entries), err)
	// Output: 1 <nil>
}

// A test can use a database in memory.
func ExampleWithoutSettingsCheck() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a memory of its own
	if err := sqlstore.Migrate(context.Background(), db, sqlstore.SQLite); err != nil {
		log.Fatal(err)
	}

	_, err = sqlstore.Open(context.Background(), db, sqlstore.SQLite, sqlstore.WithoutSettingsCheck())
	fmt.Println(err)
	// Output: <nil>
}
