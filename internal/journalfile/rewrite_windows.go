package journalfile

import (
	"errors"
	"os"
)

// replace puts the draft in place of the file. Windows cannot rename an open
// file, so both are closed first. A process that opens the file in between
// stops the replacement, and has the file then.
func (f *File) replace(draft *os.File, target string) error {
	err := errors.Join(draft.Close(), f.file.Close())
	if renamed := os.Rename(draft.Name(), target); renamed != nil {
		err = errors.Join(err, renamed, os.Remove(draft.Name()))
	}
	file, errOpen := os.OpenFile(target, os.O_RDWR, 0o600) //nolint:gosec // the file that the caller names
	if errOpen == nil {
		if errOpen = lock(file); errOpen != nil {
			_ = file.Close()
		}
	}
	if errOpen != nil {
		f.broken = errOpen
		return errors.Join(err, errOpen)
	}
	return errors.Join(err, f.adopt(file))
}
