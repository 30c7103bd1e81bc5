package bulk_test

import (
	"fmt"
	"log"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// The program sends a sequence to everybody in a table, each person once. A
// second run, or a run after a crash, sends only to the rest.
func ExampleExecute() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer()))

	journal, err := bulk.OpenJournal(filepath.Join(dir(), "survey.journal"), surveyID)
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
		report, err := bulk.Execute(ctx, client, surveyID, customers, &bulk.ExecuteOptions{Journal: journal})
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

// The program sends a sequence to the whole account. It reads the whole list
// first, because Execute updates contacts. A lazy list, ordered by last change,
// would shift while it is read.
func ExampleExecute_wholeAccount() {
	client := newClient()

	contacts, err := bulk.Collect(client.Contacts.All(ctx, nil))
	if err != nil {
		log.Fatal(err)
	}
	guests := make([]demeterrr.ExecuteContact, len(contacts))
	for i, contact := range contacts {
		guests[i] = contact.ExecuteContact()
	}
	report, err := bulk.Execute(ctx, client, surveyID, bulk.Slice(guests), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Sent, "sent")
	// Output: 1 sent
}
