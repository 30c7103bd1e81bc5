//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package journalfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutLocksOpenCreatesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if _, err := Open(path, []byte(header), nil, nil); !errors.Is(err, errNoLocks) {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file behind (%v)", err)
	}
}
