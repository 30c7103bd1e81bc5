//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package journalfile

import (
	"errors"
	"os"
	"syscall"
)

const locks = true

// lock takes the file for this process until it is closed. The system lets go of
// it when the process ends, however it ends.
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

// unlock lets go before the file is closed: a child that this process is just
// starting may hold a copy of the file for a moment longer.
func unlock(f *os.File) error {
	return os.NewSyscallError("flock", syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
}

// syncDir makes the name of a new file last.
func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	//nolint:errcheck // nothing was written through it
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot, and need not
		return err
	}
	return nil
}
