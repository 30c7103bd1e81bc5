package bulk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// stateOfVersion1 is a state file as v0.1.0 writes it. Leave it as it is: later
// versions must read it.
const stateOfVersion1 = `{"syncState":"demeterrr","version":1}
{"address":"https://app.demeterrr.com/api/v1"}
{"fields":["[\"phone\"]"],"entries":"CBaM2A39U0qw8QrxDxMD/gUBAAAAAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAYVQ6EAOKbQdSnFkRmVUQAAOjzmz4TgjZ9bUGrNNwnDU4LAAAAAAEEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABVhbiBpZCBvZiBhbm90aGVyIGZvcm1QsxO0tkvSoquTBa0ZZRR+AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
`

// formatEntries are the entries of stateOfVersion1.
func formatEntries() []bulk.SyncEntry {
	return []bulk.SyncEntry{
		{Email: "a@example.com", ContactID: "550e8400-e29b-41d4-a716-446655440000", Fingerprint: bulk.SyncFingerprint{1, 2, 3, 23: 24}, Fields: `["phone"]`},
		{Email: "b@example.com", ContactID: "an id of another form", Fingerprint: bulk.SyncFingerprint{1, 4}, Dirty: true},
		{Email: "c@example.com", Dirty: true},
	}
}

func TestTheStateFileOfVersion1IsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, []byte(stateOfVersion1), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openState(t, path)
	want := map[string]bulk.SyncEntry{}
	for _, e := range formatEntries() {
		want[e.Email] = e
	}
	knows(t, s, []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}, want)
	acquired(t, s, "https://app.demeterrr.com/api/v1")
	if _, err := s.Acquire(t.Context(), "https://other.example.com"); err == nil {
		t.Error("its address is not known")
	}
}
