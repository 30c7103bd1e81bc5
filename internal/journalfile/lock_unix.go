//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package journalfile

import (
	"errors"
	"os"
	"syscall"
)

const locks = true

// lock takes the file for this process until it is closed. The system releases
// the lock when the process ends, also after a crash.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		}
		return os.NewSyscallError("flock", err)
	}
}

// unlock releases the lock before the close: a child process that is just
// starting may hold a copy of the file for a moment longer.
func unlock(f *os.File) error {
	return os.NewSyscallError("flock", syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
}

// syncDir makes the name of a new file durable.
func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	//nolint:errcheck // nothing was written through it
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot sync a directory, and need no sync
		return err
	}
	return nil
}
