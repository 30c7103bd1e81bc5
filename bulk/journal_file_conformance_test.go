package bulk_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/internal/journalfile"
)

func TestAFileIsAJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
		t.Helper()
		j, err := bulk.OpenJournal(filepath.Join(dir, sequenceID), sequenceID)
		if errors.Is(err, journalfile.ErrLocked) {
			t.Skip("one process at a time has the file open")
		}
		if err != nil {
			t.Fatal(err)
		}
		return j
	})
}
