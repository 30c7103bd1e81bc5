//go:build !windows && !plan9

package demeterrrtest

import "syscall"

// The causes of a failed connection on this platform.
const (
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
)
