package journalfile

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	failImmediately = 1
	exclusive       = 2

	errLockViolation syscall.Errno = 33
)

const locks = true

// lock takes the file for this process until it is closed. The system releases
// the lock when the process ends, also after a crash. On Windows a lock also
// blocks readers, so lock takes a byte far behind the end.
func lock(f *os.File) error {
	at := syscall.Overlapped{OffsetHigh: 0x40000000}
	ok, _, err := lockFileEx.Call(f.Fd(), exclusive|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, errLockViolation), errors.Is(err, syscall.ERROR_IO_PENDING):
		return ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

// unlock does nothing: the close releases the lock.
func unlock(*os.File) error { return nil }

// syncDir does nothing: Windows cannot sync a directory, and NTFS journals it.
func syncDir(string) error { return nil }
