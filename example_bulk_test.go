package demeterrr_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
)

// A nightly job brings the account to what the shop's database has.
func ExampleContactsService_Sync() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer()))

	customers := func(yield func(demeterrr.ContactParams, error) bool) { // rows of a table, say
		_ = yield(demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"}, nil) &&
			yield(demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"}, nil)
	}
	report, err := client.Contacts.Sync(ctx, customers, nil)
	if err != nil {
		log.Print(err) // it stopped early; the report tells how far it came
	}
	for _, failure := range report.Failed {
		log.Print(failure.Contact.Email, ": ", failure.Err)
	}
	fmt.Println(report.Created, "created,", report.Updated, "updated,", report.Requests, "requests")
	// Output: 1 created, 1 updated, 3 requests
}

// A dry run tells what Sync would send, and what it would cost.
func ExampleContactsService_Sync_dryRun() {
	client := newClient()

	customers := func(yield func(demeterrr.ContactParams, error) bool) {
		_ = yield(demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"}, nil) &&
			yield(demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"}, nil)
	}
	report, err := client.Contacts.Sync(ctx, customers, &demeterrr.SyncOptions{DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range report.Plan {
		fmt.Println(change.Email, change.Create != nil)
	}
	fmt.Println(len(report.Plan), "requests more")
	// Output:
	// john.doe@example.com false
	// jane.smith@example.com true
	// 2 requests more
}

// A sequence is sent to everybody in a table, and to nobody twice, however often
// the program is run or killed.
func ExampleSequencesService_ExecuteAll() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer()))
	const survey = "880e8400-e29b-41d4-a716-446655440000"

	journal, err := demeterrr.OpenJournal(filepath.Join(dir(), "survey.journal"), survey)
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	customers := func(yield func(demeterrr.ExecuteContact, error) bool) {
		for i := range 250 {
			if !yield(demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", i)}, nil) {
				return
			}
		}
	}
	for range 2 {
		report, err := client.Sequences.ExecuteAll(ctx, survey, customers, &demeterrr.ExecuteAllOptions{Journal: journal})
		if err != nil {
			log.Print(err) // it stopped early: run it again
		}
		for _, failure := range report.Unknown {
			log.Print(failure.Contact.Email, " may have been messaged: ", failure.Err)
		}
		fmt.Println(report.Sent, "sent,", report.AlreadySent, "sent before,", report.Requests, "requests")
	}
	fmt.Println(srv.SentTwice())
	// Output:
	// 250 sent, 0 sent before, 3 requests
	// 0 sent, 250 sent before, 0 requests
	// []
}

// After a crash, some may have been messaged or not. Only those that somebody has
// looked up are sent to again.
func ExampleFileJournal_Forget() {
	journal, err := demeterrr.OpenJournal(filepath.Join(dir(), "survey.journal"), "880e8400-e29b-41d4-a716-446655440000")
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	for _, email := range journal.InDoubt() {
		fmt.Println("look up:", email)
	}
	err = journal.Forget("jane.smith@example.com")
	fmt.Println(errors.Is(err, demeterrr.ErrValidation)) // she is not in doubt
	// Output: true
}

func ExampleOpenJournal() {
	path := filepath.Join(dir(), "survey.journal")
	journal, err := demeterrr.OpenJournal(path, "880e8400-e29b-41d4-a716-446655440000")
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	_, err = demeterrr.OpenJournal(path, "880e8400-e29b-41d4-a716-446655440000")
	fmt.Println(err != nil) // one run at a time
	// Output: true
}

// dir is where an example may write.
func dir() string {
	name, err := os.MkdirTemp("", "demeterrr")
	if err != nil {
		log.Fatal(err)
	}
	return name
}
