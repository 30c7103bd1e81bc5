package bulk_test

import (
	"crypto/rand"
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

// Execute calls Claim and Finish itself. A program with its own way of sending
// uses a journal like this.
func ExampleFileJournal_Claim() {
	journal := newJournal()
	defer journal.Close()

	token := rand.Text() // new for each claim
	taken, err := journal.Claim(ctx, surveyID, token, []string{"jane.smith@example.com"})
	if err != nil || len(taken) > 0 {
		log.Fatal(taken, err) // send nothing
	}
	// … send …
	err = journal.Finish(ctx, surveyID, token, []bulk.JournalEntry{
		{Email: "jane.smith@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionQueued},
	})
	taken, _ = journal.Claim(ctx, surveyID, rand.Text(), []string{"jane.smith@example.com"})
	fmt.Println(err, taken[0].State, taken[0].Status)
	// Output: <nil> done queued
}

// Finish with JournalNew gives back a claim that sent nothing.
func ExampleFileJournal_Finish() {
	journal := newJournal()
	defer journal.Close()
	token := rand.Text()
	if _, err := journal.Claim(ctx, surveyID, token, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}

	err := journal.Finish(ctx, surveyID, token, []bulk.JournalEntry{{Email: "jane.smith@example.com", State: bulk.JournalNew}})
	entries, _ := journal.Lookup(ctx, surveyID, []string{"jane.smith@example.com"})
	fmt.Println(err, len(entries))
	// Output: <nil> 0
}

func ExampleFileJournal_Lookup() {
	journal := newJournal()
	defer journal.Close()
	if _, err := journal.Claim(ctx, surveyID, rand.Text(), []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}

	entries, err := journal.Lookup(ctx, surveyID, []string{"jane.smith@example.com", "john.doe@example.com"})
	for _, entry := range entries {
		fmt.Println(entry.Email, entry.State, entry.Live, err)
	}
	// Output: jane.smith@example.com begun true <nil>
}

func ExampleFileJournal_InDoubt() {
	journal := newJournal()
	token := rand.Text()
	if _, err := journal.Claim(ctx, surveyID, token, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}
	// … the reply is lost …
	err := journal.Finish(ctx, surveyID, token, []bulk.JournalEntry{{Email: "jane.smith@example.com", State: bulk.JournalUnknown}})

	for _, entry := range journal.InDoubt() {
		fmt.Println("look up:", entry.Email, err)
	}
	// Output: look up: jane.smith@example.com <nil>
}

func ExampleFileJournal_Close() {
	journal := newJournal()

	fmt.Println(journal.Close()) // another run may open it now
	// Output: <nil>
}

// After a crash, the emails in doubt may have been messaged. Look them up in
// the dashboard, and forget those without a sending.
func ExampleFileJournal_Forget() {
	journal, err := bulk.OpenJournal(filepath.Join(dir(), "survey.journal"), surveyID)
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	for _, entry := range journal.InDoubt() {
		fmt.Println("look up:", entry.Email, "since", entry.At)
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
