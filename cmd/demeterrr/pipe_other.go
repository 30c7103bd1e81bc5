//go:build !windows

package main

import (
	"errors"
	"syscall"
)

// isClosedPipe reports whether the reader of a pipe has closed it.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
