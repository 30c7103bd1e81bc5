package bulk_test

import (
	"fmt"
	"log"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// A sequence is sent to everybody in a table, and to nobody twice, however often
// the program is run or killed.
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
