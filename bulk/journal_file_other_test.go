//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package bulk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// Where the system has no locks, two processes could write to one file.
func TestWithoutLocksAFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	_, errJournal := bulk.OpenJournal(path, "s1")
	_, errState := bulk.OpenSyncState(path)
	for what, err := range map[string]error{"journal": errJournal, "sync state": errState} {
		want := what + " " + path + " cannot be opened: files cannot be locked on this system; use a database in place of the file"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("it left a file behind")
	}
}
