package demeterrrtest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// claim claims emails with a new token and returns the token.
func claim(j bulk.Journal, sequenceID string, emails ...string) (token string) {
	token = rand.Text()
	if _, err := j.Claim(context.Background(), sequenceID, token, emails); err != nil {
		panic(err)
	}
	return token
}

// A program runs twice and sends to each contact once.
func ExampleNewJournal() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	guests := []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}, {Email: "john.doe@example.com"}}
	journal := demeterrrtest.NewJournal()

	for range 2 {
		report, err := bulk.Execute(context.Background(), srv.Client(), sequence.ID, bulk.Slice(guests), &bulk.ExecuteOptions{Journal: journal})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(report.Sent, "sent,", report.AlreadySent, "already sent")
	}
	fmt.Println(srv.SentTwice())
	// Output:
	// 2 sent, 0 already sent
	// 0 sent, 2 already sent
	// []
}

// Another replica is sending to Jane, then it crashes.
func ExampleJournal_Process() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	jane := []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}}
	journal := demeterrrtest.NewJournal()
	replica := journal.Process("replica-2")
	claim(replica, sequence.ID, "jane.smith@example.com")

	report, err := bulk.Execute(context.Background(), srv.Client(), sequence.ID, bulk.Slice(jane), &bulk.ExecuteOptions{Journal: journal})
	fmt.Println(len(report.InFlight), "in flight,", len(report.Unknown), "unknown", err)

	replica.Close()
	report, err = bulk.Execute(context.Background(), srv.Client(), sequence.ID, bulk.Slice(jane), &bulk.ExecuteOptions{Journal: journal})
	fmt.Println(len(report.InFlight), "in flight,", len(report.Unknown), "unknown", err)
	fmt.Println(len(srv.Sendings()), "sendings")
	// Output:
	// 1 in flight, 0 unknown <nil>
	// 0 in flight, 1 unknown <nil>
	// 0 sendings
}

func ExampleJournal_Close() {
	journal := demeterrrtest.NewJournal()
	claim(journal, "survey", "jane.smith@example.com")
	fmt.Println("live:", journal.Entries("survey")[0].Live)

	journal.Close()
	fmt.Println("live:", journal.Entries("survey")[0].Live)
	// Output:
	// live: true
	// live: false
}

func ExampleJournal_Entries() {
	journal := demeterrrtest.NewJournal()
	claim(journal, "survey", "john.doe@example.com", "Jane.Smith@example.com")

	for _, entry := range journal.Entries("survey") {
		fmt.Println(entry.Email, entry.State, entry.Owner)
	}
	// Output:
	// jane.smith@example.com begun test
	// john.doe@example.com begun test
}

func ExampleJournal_Lookup() {
	journal := demeterrrtest.NewJournal()
	claim(journal, "survey", "jane.smith@example.com")

	known, err := journal.Lookup(context.Background(), "survey", []string{"jane.smith@example.com", "john.doe@example.com"})
	fmt.Println(len(known), known[0].State, err)
	// Output: 1 begun <nil>
}

func ExampleJournal_Claim() {
	ctx := context.Background()
	journal := demeterrrtest.NewJournal()
	emails := []string{"jane.smith@example.com", "john.doe@example.com"}

	taken, err := journal.Claim(ctx, "survey", rand.Text(), emails[:1])
	fmt.Println(len(taken), "taken", err)
	taken, err = journal.Claim(ctx, "survey", rand.Text(), emails)
	fmt.Println(len(taken), "taken", err)
	// Output:
	// 0 taken <nil>
	// 1 taken <nil>
}

func ExampleJournal_Finish() {
	journal := demeterrrtest.NewJournal()
	token := claim(journal, "survey", "jane.smith@example.com")

	err := journal.Finish(context.Background(), "survey", token, []bulk.JournalEntry{
		{Email: "jane.smith@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionQueued},
	})
	fmt.Println(err, journal.Entries("survey")[0].State)
	// Output: <nil> done
}

// The body of a test for a journal of your own. This one is in memory: a second
// journal of a sequence is another process on the same memory.
//
//nolint:testableexamples,thelper // it shows a test, of which there is nothing to print
func ExampleTestJournal() {
	test := func(t *testing.T) {
		stores := map[string]*demeterrrtest.Journal{}
		demeterrrtest.TestJournal(t, func(_ *testing.T, sequenceID string) bulk.Journal {
			if stores[sequenceID] == nil {
				stores[sequenceID] = demeterrrtest.NewJournal()
			}
			return stores[sequenceID].Process("test")
		})
	}
	_ = test
}
