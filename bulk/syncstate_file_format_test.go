package bulk_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// stateOfVersion1 is a state file from before v0.1.0, without checksums. Leave
// it as it is: later versions must read it.
const stateOfVersion1 = `{"syncState":"demeterrr","version":1}
{"address":"https://app.demeterrr.com/api/v1"}
{"fields":["[\"phone\"]"],"entries":"CBaM2A39U0qw8QrxDxMD/gUBAAAAAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAYVQ6EAOKbQdSnFkRmVUQAAOjzmz4TgjZ9bUGrNNwnDU4LAAAAAAEEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABVhbiBpZCBvZiBhbm90aGVyIGZvcm1QsxO0tkvSoquTBa0ZZRR+AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
`

// summedStateOfVersion1 is the same file as v0.1.0 writes it. Leave it as it is:
// later versions must read it.
const summedStateOfVersion1 = `{"syncState":"demeterrr","version":1}
{"address":"https://app.demeterrr.com/api/v1","sum":"d297143e"}
{"fields":["[\"phone\"]"],"entries":"CBaM2A39U0qw8QrxDxMD/gUBAAAAAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAYVQ6EAOKbQdSnFkRmVUQAAOjzmz4TgjZ9bUGrNNwnDU4LAAAAAAEEAAAAAAAAAAAAAAAAAAAAAAAAAAAAABVhbiBpZCBvZiBhbm90aGVyIGZvcm1QsxO0tkvSoquTBa0ZZRR+AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","sum":"456702b1"}
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
	want := map[string]bulk.SyncEntry{}
	for _, e := range formatEntries() {
		want[e.Email] = e
	}
	emails := []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}
	for name, content := range map[string]string{"without sums": stateOfVersion1, "with sums": summedStateOfVersion1} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openState(t, path)
		knows(t, s, emails, want)
		acquired(t, s, "https://app.demeterrr.com/api/v1")
		if _, err := s.Acquire(t.Context(), "https://other.example.com"); err == nil {
			t.Errorf("%s: its address is not known", name)
		}
		more := bulk.SyncEntry{Email: emails[3], Dirty: true}
		if err := errors.Join(s.Save(t.Context(), []bulk.SyncEntry{more}), s.Close()); err != nil {
			t.Fatal(err)
		}
		longer := maps.Clone(want)
		longer[more.Email] = more
		knows(t, openState(t, path), emails, longer)
	}
}

// TestTheStateFileIsWrittenAsVersion1 saves the entries in a new file.
func TestTheStateFileIsWrittenAsVersion1(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := openState(t, path)
	acquired(t, s, "https://app.demeterrr.com/api/v1")
	if err := s.Save(t.Context(), formatEntries()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "file", string(content), summedStateOfVersion1)
}
