package processes

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// looksFirst is the obvious Claim: it looks first and writes later. Its caller
// sends to everybody missing in the look.
type looksFirst struct{ *demeterrrtest.Journal }

func (j looksFirst) Claim(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	known, err := j.Lookup(ctx, sequenceID, emails)
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Millisecond)
	_, err = j.Journal.Claim(ctx, sequenceID, token, emails)
	return known, err
}

// ignoresConflicts inserts the rows it can, and returns nothing as taken.
type ignoresConflicts struct{ *demeterrrtest.Journal }

func (j ignoresConflicts) Claim(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	_, err := j.Journal.Claim(ctx, sequenceID, token, emails)
	return nil, err
}

// givesBackByOwner releases the entries of its own process under any token.
type givesBackByOwner struct {
	*demeterrrtest.Journal
	tokens *sync.Map // of the process, by email
}

func (j givesBackByOwner) Claim(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	taken, err := j.Journal.Claim(ctx, sequenceID, token, emails)
	for _, email := range emails {
		j.tokens.LoadOrStore(email, token)
	}
	return taken, err
}

func (j givesBackByOwner) Finish(ctx context.Context, sequenceID, _ string, entries []bulk.JournalEntry) error {
	for _, e := range entries {
		if token, ok := j.tokens.Load(e.Email); ok {
			if err := j.Journal.Finish(ctx, sequenceID, token.(string), []bulk.JournalEntry{e}); err != nil {
				return err
			}
		}
	}
	return nil
}

// brokenJournals make the journal of another process on a memory.
var brokenJournals = map[string]func(memory *demeterrrtest.Journal) bulk.Journal{
	"none":              func(m *demeterrrtest.Journal) bulk.Journal { return m.Process("test") },
	"looks first":       func(m *demeterrrtest.Journal) bulk.Journal { return looksFirst{m.Process("test")} },
	"ignores conflicts": func(m *demeterrrtest.Journal) bulk.Journal { return ignoresConflicts{m.Process("test")} },
	"gives back by owner": func(m *demeterrrtest.Journal) bulk.Journal {
		return givesBackByOwner{m.Process("test"), new(sync.Map)}
	},
	"forgets on reopening": func(*demeterrrtest.Journal) bulk.Journal { return demeterrrtest.NewJournal() },
}

// TestInChild runs in a child: TestJournal on the broken journal named by its
// environment.
func TestInChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	broken := brokenJournals[os.Getenv(brokenEnv)]
	if broken == nil {
		t.Skip("TestTheConformanceTestFails runs it in a process of its own")
	}
	memory := map[string]*demeterrrtest.Journal{}
	demeterrrtest.TestJournal(t, func(_ *testing.T, sequenceID string) bulk.Journal {
		if memory[sequenceID] == nil {
			memory[sequenceID] = demeterrrtest.NewJournal()
		}
		return broken(memory[sequenceID])
	})
}

func TestTheConformanceTestFails(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"none":                 "PASS",
		"looks first":          "--- FAIL: TestInChild/ProcessesClaimAtOnce",
		"ignores conflicts":    "--- FAIL: TestInChild/ClaimOfTaken",
		"gives back by owner":  "--- FAIL: TestInChild/FinishOfOthers",
		"forgets on reopening": "--- FAIL: TestInChild/Reopen",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, brokenEnv, name, "-test.run=^TestInChild$")
			err := c.Wait()
			if (err == nil) != (name == "none") || !strings.Contains(c.out.String(), want) {
				t.Errorf("the process ended with the error %v and printed, want %q:\n%s%s", err, want, &c.out, &c.err)
			}
		})
	}
}
