//go:build !windows && !plan9

package demeterrrtest

import "syscall"

// The causes of a failed connection, as this platform's network names them.
const (
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
)
