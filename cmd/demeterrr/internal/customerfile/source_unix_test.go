//go:build unix

package customerfile_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAPipeWithANameIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := outcomeOf(t, path, options{}); !strings.HasPrefix(got.err, "it is a pipe or a device; save its contents as a file") {
		t.Errorf("got %+v", got)
	}
}
