package journalfile

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Size returns the number of bytes in the file.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Rewrite replaces all lines of the file by the header and the lines that write
// passes to add. It makes the file shorter. After a crash the file has either
// the old lines or the new ones. If Rewrite fails, the file stays as it was,
// and Append still works.
func (f *File) Rewrite(header []byte, write func(add func(line []byte) error) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if f.broken = f.intact(); f.broken != nil {
		return f.broken
	}
	target, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return err
	}
	draft, err := f.draft(target+draftSuffix, header, write)
	if err != nil {
		return err
	}
	return f.replace(draft, target)
}

// draftSuffix is the suffix of the draft, a file beside the file.
const draftSuffix = ".rewrite"

// takeDraft locks a new draft, or one left by a crash, and empties it. A file
// of another program with the same name stays unchanged.
func takeDraft(draft *os.File, header []byte) error {
	if info, err := draft.Stat(); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, errors.New("it is not a regular file"))
	}
	if err := lock(draft); err != nil {
		return err
	}
	start := make([]byte, len(header))
	n, err := draft.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix(header, bytes.TrimRight(start[:n], "\x00")) { // zeros are left by a crash of the machine
		return ErrForeign
	}
	return draft.Truncate(0)
}

// draft writes the new lines to a file beside the old one, and locks it.
func (f *File) draft(path string, header []byte, write func(add func(line []byte) error) error) (*os.File, error) {
	mode := os.FileMode(0o600)
	if info, err := f.file.Stat(); err == nil {
		mode = info.Mode().Perm()
	}
	draft, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the file that the caller names
	if err != nil {
		return nil, err
	}
	if err := takeDraft(draft, header); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), draft.Close())
	}
	out := bufio.NewWriterSize(draft, maxLine)
	add := func(line []byte) error {
		if len(line)+1 > maxLine {
			return fmt.Errorf("a line of %d bytes is longer than the %d that a file may have", len(line)+1, maxLine)
		}
		_, err := out.Write(line)
		return errors.Join(err, out.WriteByte('\n'))
	}
	for _, step := range []func() error{
		func() error { return draft.Chmod(mode) },
		func() error { return add(header) },
		func() error { return write(add) },
		out.Flush,
		draft.Sync,
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, remove(draft))
		}
	}
	return draft, nil
}

// adopt makes the file renamed to the path the open one.
func (f *File) adopt(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		f.broken = err
		return err
	}
	f.file, f.sync, f.size = file, file.Sync, info.Size()
	return syncDir(filepath.Dir(f.path))
}
