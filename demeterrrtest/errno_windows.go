package demeterrrtest

import "syscall"

// The causes of a failed connection in Winsock. On Windows,
// syscall.ECONNREFUSED and ECONNRESET are invented numbers that match neither.
const (
	errRefused syscall.Errno = 10061 // WSAECONNREFUSED
	errReset                 = syscall.WSAECONNRESET
)
