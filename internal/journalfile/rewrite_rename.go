//go:build !windows

package journalfile

import (
	"errors"
	"os"
)

// replace puts the draft in place of the file. Both are locked, so that no
// other process gets hold of the path in between.
func (f *File) replace(draft *os.File, target string) error {
	if err := os.Rename(draft.Name(), target); err != nil {
		return errors.Join(err, remove(draft))
	}
	old := f.file
	return errors.Join(f.adopt(draft), unlock(old), old.Close())
}
