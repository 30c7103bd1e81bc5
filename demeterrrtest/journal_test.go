package demeterrrtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// inMemory returns a function that opens journals of a test. The journals of a
// sequence share their memory.
func inMemory() func(*testing.T, string) bulk.Journal {
	memory := map[string]*demeterrrtest.Journal{}
	return func(_ *testing.T, sequenceID string) bulk.Journal {
		if memory[sequenceID] == nil {
			memory[sequenceID] = demeterrrtest.NewJournal()
		}
		return memory[sequenceID].Process("host:" + sequenceID[:4])
	}
}

func TestTheJournalInMemoryIsAJournal(t *testing.T) {
	t.Parallel()
	demeterrrtest.TestJournal(t, inMemory())
}

func TestJournalInMemoryKeepsEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := demeterrrtest.NewJournal()
		replica := j.Process("replica-2")
		begun := time.Now()
		token := claim(j, "survey", "Jane@example.com", "john@example.com", "kim@example.com")
		claim(replica, "survey", "lee@example.com")
		claim(replica, "welcome", "jane@example.com")
		time.Sleep(time.Hour)
		err := j.Finish(t.Context(), "survey", token, []bulk.JournalEntry{
			{Email: "JANE@example.com", State: bulk.JournalDone, Status: "skipped", ContactID: "some-id"},
			{Email: "john@example.com", State: bulk.JournalUnknown, Status: "left out", ContactID: "left-out"},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []bulk.JournalEntry{
			{Email: "jane@example.com", State: bulk.JournalDone, Status: "skipped", ContactID: "some-id", Owner: "test", At: time.Now()},
			{Email: "john@example.com", State: bulk.JournalUnknown, Owner: "test", At: time.Now()},
			{Email: "kim@example.com", State: bulk.JournalBegun, Live: true, Owner: "test", At: begun},
			{Email: "lee@example.com", State: bulk.JournalBegun, Live: true, Owner: "replica-2", At: begun},
		}
		if diff := cmp.Diff(want, j.Entries("survey")); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(j.Entries("welcome"), replica.Entries("welcome")); diff != "" || len(j.Entries("other")) > 0 {
			t.Errorf("entries of one process and of another:\n%s", diff)
		}
		_ = replica.Close()
		want[3].Live = false
		if diff := cmp.Diff(want, j.Entries("survey")); diff != "" {
			t.Errorf("entries after a crash (-want +got):\n%s", diff)
		}
	})
}

func TestJournalInMemoryTakesEveryToken(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"a", "z", "A", "Z", "0", "9", strings.Repeat("a", 64)} {
		if taken, err := demeterrrtest.NewJournal().Claim(t.Context(), "survey", token, []string{"jane@example.com"}); err != nil || len(taken) > 0 {
			t.Errorf("%s: %v, %v", token, taken, err)
		}
	}
	var none *demeterrrtest.Journal
	if _, err := none.Claim(t.Context(), "survey", "token", []string{"jane@example.com"}); err == nil || !strings.Contains(err.Error(), "was not made by NewJournal") {
		t.Errorf("a nil journal: %v", err)
	}
}

// A program that breaks the rules of bulk.Journal fails in its test, long
// before it meets a database.
func TestJournalInMemoryRefusesWhatNoCallerMayDo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("the shop closes"))
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("customer%d@example.com", i)
	}
	jane := []string{"jane@example.com"}
	closed := demeterrrtest.NewJournal()
	_, _ = closed.Close(), closed.Close()
	for _, tt := range []struct {
		want     string
		journal  *demeterrrtest.Journal
		ctx      context.Context
		sequence string
		token    string
		emails   []string
	}{
		{"has 1 to 100 emails, this one has 0", nil, ctx, "survey", "token", nil},
		{"has 1 to 100 emails, this one has 101", nil, ctx, "survey", "token", many},
		{"email 2 of 2 appears twice", nil, ctx, "survey", "token", []string{"jane@example.com", "Jane@example.com"}},
		{"email 1 of 1 is empty", nil, ctx, "survey", "token", []string{""}},
		{"make one with rand.Text", nil, ctx, "survey", "", jane},
		{"make one with rand.Text", nil, ctx, "survey", "a token", jane},
		{"make one with rand.Text", nil, ctx, "survey", strings.Repeat("a", 65), jane},
		{"make one with rand.Text", nil, ctx, "survey", "{", jane},
		{"make one with rand.Text", nil, ctx, "survey", "[", jane},
		{"make one with rand.Text", nil, ctx, "survey", ":", jane},
		{"the sequence id is empty", nil, ctx, "", "token", jane},
		{"the shop closes", nil, ended, "survey", "token", jane},
		{"call Process for a new one", closed, ctx, "survey", "token", jane},
		{"was not made by NewJournal", &demeterrrtest.Journal{}, ctx, "survey", "token", jane},
	} {
		j := tt.journal
		if j == nil {
			j = demeterrrtest.NewJournal()
		}
		_, lookupErr := j.Lookup(tt.ctx, tt.sequence, tt.emails)
		_, claimErr := j.Claim(tt.ctx, tt.sequence, tt.token, tt.emails)
		var entries []bulk.JournalEntry
		for _, email := range tt.emails {
			entries = append(entries, bulk.JournalEntry{Email: email, State: bulk.JournalDone})
		}
		finishErr := j.Finish(tt.ctx, tt.sequence, tt.token, entries)
		errs := map[string]error{"Lookup": lookupErr, "Claim": claimErr, "Finish": finishErr}
		if strings.Contains(tt.want, "rand.Text") {
			delete(errs, "Lookup")
		}
		for method, err := range errs {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s returned %v, want an error with %q", method, err, tt.want)
			}
		}
		if known := j.Entries("survey"); len(known) > 0 {
			t.Errorf("%s: it has %d entries", tt.want, len(known))
		}
	}
}

// A zero Journal panics in Process, which is a mistake of the test. Entries and
// Close do nothing.
func TestAJournalThatNobodyMade(t *testing.T) {
	t.Parallel()
	for _, j := range []*demeterrrtest.Journal{nil, {}} {
		if entries, err := j.Entries("survey"), j.Close(); entries != nil || err != nil {
			t.Errorf("got %v and %v", entries, err)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, "Process: the journal was not made by NewJournal") {
					t.Errorf("Process panicked with %q", got)
				}
			}()
			j.Process("replica-2")
		}()
	}
}

// Two jobs with overlapping lists share one journal.
func TestTwoProcessesShareAJournalInMemory(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer(demeterrrtest.WithRequestLog(func(demeterrrtest.Request) {}))
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	journal := demeterrrtest.NewJournal()
	people := make([]demeterrr.ExecuteContact, 15_000)
	for i := range people {
		people[i] = demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", i)}
	}
	reports := make(chan *bulk.ExecuteReport, 2)
	for _, list := range [][]demeterrr.ExecuteContact{people[:10_000], people[5_000:]} {
		go func() {
			report, err := bulk.Execute(t.Context(), srv.Client(), sequence.ID, bulk.Slice(list), &bulk.ExecuteOptions{Journal: journal.Process("job"), Concurrency: 4})
			if err != nil {
				t.Error(err)
			}
			reports <- report
		}()
	}
	one, two := <-reports, <-reports
	if one.Sent == 0 || two.Sent == 0 || one.Sent+two.Sent != len(people) {
		t.Errorf("one process sent to %d, the other to %d of %d", one.Sent, two.Sent, len(people))
	}
	if twice := srv.SentTwice(); len(twice) > 0 || len(srv.Sendings()) != len(people) {
		t.Errorf("%d sendings to %d people, %d twice", len(srv.Sendings()), len(people), len(twice))
	}
}
