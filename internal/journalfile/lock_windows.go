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

// lock takes the file for this process until it is closed. The system lets go of
// it when the process ends, however it ends. Locks keep others from reading on
// Windows, so that a byte far behind the end is locked.
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

// unlock has nothing to do: closing the file lets go.
func unlock(*os.File) error { return nil }

// syncDir has nothing to do: directories cannot be synced, NTFS journals them.
func syncDir(string) error { return nil }
