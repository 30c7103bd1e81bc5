package bulk_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// journalOfVersion1 is a journal file as v0.1.0 writes it. Leave it as it is: later
// versions must read it.
const journalOfVersion1 = `{"journal":"demeterrr","version":1,"sequenceId":"s1"}
{"at":"2026-12-01T19:00:00Z","owner":"web-1:4711","token":"t1","begun":["a@x","b@x","c@x","d@x","e@x","f@x"]}
{"at":"2026-12-01T19:00:01.5Z","done":{"queued":["a@x"],"skipped":["b@x"]},"contactIds":{"a@x":"c1"},"unknown":["c@x"],"notSent":["d@x"]}
{"at":"2026-12-01T20:00:00Z","forgotten":["e@x"]}
`

func TestTheJournalFileOfVersion1IsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte(journalOfVersion1), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, path, "s1")
	begun := time.Date(2026, time.December, 1, 19, 0, 0, 0, time.UTC)
	ended, owner := begun.Add(1500*time.Millisecond), "web-1:4711"
	for email, want := range map[string]bulk.JournalEntry{
		"a@x": {Email: "a@x", State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: "c1", Owner: owner, At: ended},
		"b@x": {Email: "b@x", State: bulk.JournalDone, Status: "skipped", Owner: owner, At: ended},
		"c@x": {Email: "c@x", State: bulk.JournalUnknown, Owner: owner, At: ended},
		"d@x": {},
		"e@x": {},
		"f@x": {Email: "f@x", State: bulk.JournalBegun, Owner: owner, At: begun},
	} {
		same(t, email, stateOf(t, j, "s1", email), want)
	}
}
