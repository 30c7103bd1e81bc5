package main

import (
	"errors"
	"syscall"
)

// errNoData is ERROR_NO_DATA: the reader closes the pipe during the write.
const errNoData = syscall.Errno(232)

// isClosedPipe reports whether the reader of a pipe has closed it.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errNoData)
}
