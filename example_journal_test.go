package demeterrr_test

import (
	"fmt"
	"log"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
)

func newJournal() *demeterrr.FileJournal {
	journal, err := demeterrr.OpenJournal(filepath.Join(dir(), "survey.journal"), sequenceID)
	if err != nil {
		log.Fatal(err)
	}
	return journal
}

// ExecuteAll calls Begin and Finish itself. A program that sends in its own way
// can use a journal like this.
func ExampleFileJournal_Begin() {
	journal := newJournal()
	defer journal.Close()

	if err := journal.Begin(ctx, sequenceID, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err) // nothing may be sent
	}
	// … send …
	fmt.Println(journal.InDoubt()) // until Finish
	// Output: [jane.smith@example.com]
}

func ExampleFileJournal_Finish() {
	journal := newJournal()
	defer journal.Close()
	if err := journal.Begin(ctx, sequenceID, []string{"jane.smith@example.com"}); err != nil {
		log.Fatal(err)
	}

	err := journal.Finish(ctx, sequenceID, []demeterrr.JournalEntry{
		{Email: "jane.smith@example.com", State: demeterrr.JournalDone, Status: demeterrr.ExecutionQueued},
	})
	fmt.Println(err, journal.InDoubt())
	// Output: <nil> []
}

func ExampleFileJournal_Entry() {
	journal := newJournal()
	defer journal.Close()

	entry, err := journal.Entry(ctx, sequenceID, "jane.smith@example.com")
	fmt.Println(entry.State == demeterrr.JournalNew, err)
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
