package bulk_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// damagedState opens a state file with this content. It fails the test if the
// file opens with other entries than want, or is changed although it does not
// open.
func damagedState(t *testing.T, path, what string, content []byte, emails []string, want map[string]bulk.SyncEntry) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := bulk.OpenSyncState(path)
	if err != nil {
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed", what)
		}
		return
	}
	defer s.Close()
	same(t, what, lookup(t, s, emails), want)
}

// TestAnEditedStateFileIsRefused changes each byte of a file, and removes,
// doubles and swaps its lines. A dirty contact must not become clean.
func TestAnEditedStateFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := openState(t, path)
	acquired(t, s, "https://app.demeterrr.com/api/v1")
	want, emails := map[string]bulk.SyncEntry{}, []string{}
	for _, e := range formatEntries() { // a line each
		emails, want[e.Email] = append(emails, e.Email), e
		if err := s.Save(t.Context(), []bulk.SyncEntry{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		for _, mask := range []byte{1, 4, 32, 128, content[i] ^ 'A'} {
			changed := bytes.Clone(content)
			if changed[i] ^= mask; mask != 0 {
				damagedState(t, path, fmt.Sprintf("byte %d %q became %q", i, content[i], changed[i]), changed, emails, want)
			}
		}
	}
	lines := bytes.SplitAfter(content, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := 1; i < len(lines)-1; i++ { // a missing last line is like a run that stopped before it
		edits := map[string][][]byte{
			"is missing":   append(append([][]byte{}, lines[:i]...), lines[i+1:]...),
			"comes twice":  append(append([][]byte{}, lines[:i+1]...), lines[i:]...),
			"is too early": append(append(append([][]byte{}, lines[:i]...), lines[i+1], lines[i]), lines[i+2:]...),
		}
		for what, edited := range edits {
			broken := filepath.Join(t.TempDir(), "edited")
			if err := os.WriteFile(broken, bytes.Join(edited, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := bulk.OpenSyncState(broken); err == nil {
				t.Errorf("line %d %s, and the file opens", i+1, what)
				_ = s.Close()
			}
		}
	}
}
