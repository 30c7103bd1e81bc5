package bulk_test

import (
	"errors"
	"fmt"
	"log"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

func newJournal() *bulk.FileJournal {
	journal, err := bulk.OpenJournal(filepath.Join(dir(), "survey.journal"), surveyID)
	if err != nil {
		log.Fatal(err)
	}
	return journal
}

// Execute calls Begin and Finish itself. A program that sends in its own way
// can use a journal like this.
func ExampleFileJournal_Begin() {
	journal := newJournal()
	defer journal.Close()

	if err := journal.Begin(ctx, surveyID, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err) // nothing may be sent
	}
	// … send …
	fmt.Println(journal.InDoubt()) // until Finish
	// Output: [jane.smith@example.com]
}

func ExampleFileJournal_Finish() {
	journal := newJournal()
	defer journal.Close()
	if err := journal.Begin(ctx, surveyID, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}

	err := journal.Finish(ctx, surveyID, []bulk.JournalEntry{
		{Email: "jane.smith@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionQueued},
	})
	fmt.Println(err, journal.InDoubt())
	// Output: <nil> []
}

func ExampleFileJournal_Entry() {
	journal := newJournal()
	defer journal.Close()

	entry, err := journal.Entry(ctx, surveyID, "jane.smith@example.com")
	fmt.Println(entry.State == bulk.JournalNew, err)
	// Output: true <nil>
}

func ExampleFileJournal_InDoubt() {
	journal := newJournal()
	defer journal.Close()

	for _, email := range journal.InDoubt() {
		fmt.Println("look up:", email)
	}
	// Output:
}

func ExampleFileJournal_Close() {
	journal := newJournal()

	fmt.Println(journal.Close()) // another run may open it now
	// Output: <nil>
}

// After a crash, some may have been messaged or not. Only those that somebody has
// looked up are sent to again.
func ExampleFileJournal_Forget() {
	journal, err := bulk.OpenJournal(filepath.Join(dir(), "survey.journal"), surveyID)
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
	journal, err := bulk.OpenJournal(path, surveyID)
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	_, err = bulk.OpenJournal(path, surveyID)
	fmt.Println(err != nil) // one run at a time
	// Output: true
}
