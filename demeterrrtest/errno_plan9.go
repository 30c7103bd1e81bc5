package demeterrrtest

import "syscall"

// The causes of a failed connection. Plan 9 has texts instead of numbers.
const (
	errRefused syscall.ErrorString = "connection refused"
	errReset   syscall.ErrorString = "connection reset by peer"
)
