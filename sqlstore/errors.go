package sqlstore

import (
	"errors"
	"fmt"

	"github.com/demeterrr/demeterrr-go"
)

// invalid returns the error for bad input. It matches demeterrr.ErrValidation.
func invalid(format string, args ...any) *demeterrr.Error {
	return &demeterrr.Error{Code: demeterrr.CodeValidation, Message: fmt.Sprintf(format, args...)}
}

// isOurs reports whether an error is about the input. Errors of the database
// are left.
func isOurs(err error) bool {
	_, ok := errors.AsType[*demeterrr.Error](err)
	return ok
}

// because returns the error for a failed database. Errors about the input stay
// unchanged.
func because(doing string, err error) error {
	if isOurs(err) {
		return err
	}
	return fmt.Errorf("demeterrr: %s: %w", doing, err)
}
