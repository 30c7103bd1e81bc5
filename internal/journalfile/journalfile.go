// Package journalfile keeps an append-only file of lines that survives crashes.
// A line is durable when Append returns. A line torn by a crash is dropped. One
// process has the file open at a time.
package journalfile

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"unicode/utf8"
)

// ErrLocked means that the file is already open, here or in another process.
var ErrLocked = errors.New("it is open already, in this process or in another run")

// errNoLocks means that the system has no locks to keep two processes from
// writing to one file.
var errNoLocks = errors.New("files cannot be locked on this system; use a database in place of the file")

// ErrForeign means that the file has the wrong beginning.
var ErrForeign = errors.New("it is not a journal")

// File is a journal that is open for appending. It is safe for concurrent use.
type File struct {
	restore string // advice for a file that another program has changed

	mu     sync.Mutex
	path   string
	file   *os.File
	sync   func() error // the file's
	size   int64        // of the complete lines
	broken error        // why appends fail from now on
}

const restoreJournal = "put the original back before the next run, or contacts may be messaged twice"

// maxLine is the longest line with its newline, in bytes.
const maxLine = 1 << 20

// Open opens the file, or creates it with the header as its first line. It
// passes every further line, a JSON object, to read.
//
// A last line cut short by a crash is removed. It can be the header. A last
// line that lacks only its newline is complete, and is read. Any other line
// that is not a JSON object is damage: Open fails and leaves the file
// unchanged. So is text after the object of the last line. If Open fails, it
// removes a file that it created.
func Open(path string, header []byte, check func(header []byte) error, read func(line []byte) error) (*File, error) {
	return OpenRestored(path, restoreJournal, header, check, read)
}

// OpenRestored is Open for a file other than a journal. restore is the advice
// in its errors for a file that another program has changed.
func OpenRestored(path, restore string, header []byte, check func(header []byte) error, read func(line []byte) error) (*File, error) {
	if !locks {
		return nil, errNoLocks
	}
	path, err := filepath.Abs(path) // the working directory may change while the file is open
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller names it
	if err != nil {
		return nil, err
	}
	f := &File{restore: restore, path: path, file: file, sync: file.Sync}
	empty, err := f.acquire()
	if err == nil {
		err = f.load(header, check, read)
	}
	if err == nil {
		return f, nil
	}
	if _, lost := f.named(); missing && empty && lost == nil {
		return nil, errors.Join(err, remove(file))
	}
	return nil, errors.Join(err, file.Close())
}

// acquire locks the file, and reports whether it is empty.
func (f *File) acquire() (empty bool, err error) {
	if info, err := f.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, cmp.Or(err, errors.New("it is not a regular file"))
	}
	unlocked := lock(f.file)
	if errors.Is(unlocked, ErrLocked) {
		return false, ErrLocked
	}
	info, err := f.named()
	if err != nil {
		return false, err
	}
	return info.Size() == 0, unlocked
}

// remove closes and removes an empty file that Open created. It removes the
// file before the close, while the lock still keeps others from writing.
// Windows cannot remove an open file, so there the close comes first.
func remove(file *os.File) error {
	removed := os.Remove(file.Name())
	closed := file.Close()
	if removed != nil {
		removed = os.Remove(file.Name())
	}
	return errors.Join(removed, closed)
}

// named fails unless the path still leads to the open file. It describes that
// file.
func (f *File) named() (os.FileInfo, error) {
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	found, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the file was removed or renamed while it was open; " + f.restore)
	case err != nil:
		return nil, err
	case !os.SameFile(info, found):
		return nil, errors.New("another file took its place while it was open; " + f.restore)
	}
	return info, nil
}

// intact fails if another program has replaced, removed or resized the file.
func (f *File) intact() error {
	info, err := f.named()
	if err == nil && info.Size() != f.size {
		err = fmt.Errorf("another program changed the file while it was open, from %d bytes to %d; %s", f.size, info.Size(), f.restore)
	}
	return err
}

func (f *File) load(header []byte, check, read func([]byte) error) error {
	in, next := bufio.NewReaderSize(f.file, maxLine), check
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case err == io.EOF && !json.Valid(line) && !continued(line): // torn, or empty
			return f.mend(number, line, header)
		case errors.Is(err, bufio.ErrBufferFull) || !object(line):
			if number == 1 {
				return ErrForeign
			}
			if err == nil && bytes.IndexByte(line, 0) >= 0 && atEnd(in) { // some file systems leave zeros after a crash
				return f.mend(number, nil, nil)
			}
			return fmt.Errorf("line %d is damaged; put it right by hand", number)
		}
		if err := next(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		f.size += int64(len(line))
		if err == io.EOF {
			return f.Append(nil) // its newline
		}
		next = read
	}
}

// object reports whether a line is one JSON object, in UTF-8.
func object(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, " \t\r"), []byte("{")) && json.Valid(line) && utf8.Valid(line)
}

// continued reports whether a complete value and other text are on one line. A
// crash tears a line before its end, so the newline was damaged.
func continued(line []byte) bool {
	in, value := json.NewDecoder(bytes.NewReader(line)), json.RawMessage{}
	return in.Decode(&value) == nil && len(bytes.Trim(line[in.InputOffset():], "\x00")) > 0
}

func atEnd(in *bufio.Reader) bool {
	_, err := in.Peek(1)
	return err == io.EOF
}

// mend cuts the file after its last complete line. A file without complete
// lines gets its header, unless its beginning belongs to another kind of file.
func (f *File) mend(number int, torn, header []byte) error {
	if number == 1 && !bytes.HasPrefix(header, torn) {
		return ErrForeign
	}
	if err := f.file.Truncate(f.size); err != nil {
		return err
	}
	if number > 1 {
		return f.file.Sync()
	}
	if err := f.Append(header); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

// Append adds a line without a newline, and returns when it is durable in the
// file at the path. If another program has changed the file meanwhile, Append
// leaves it unchanged and fails, and so do all later appends.
func (f *File) Append(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	line = append(line[:len(line):len(line)], '\n')
	if len(line) > maxLine {
		return fmt.Errorf("a line of %d bytes is longer than the %d that a journal may have; record fewer emails at once", len(line), maxLine)
	}
	if f.broken = f.intact(); f.broken != nil {
		return f.broken
	}
	_, err := f.file.WriteAt(line, f.size)
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		// After a failed sync the content of the disk is unknown, so the file
		// must be read again.
		f.broken = fmt.Errorf("an earlier write failed: %w", err)
		return errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(line))
	f.broken = f.intact()
	return f.broken
}

// Close closes and unlocks the file. It is safe to call twice.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := errors.Join(unlock(f.file), f.file.Close())
	f.file, f.broken = nil, os.ErrClosed
	return err
}
