// Package journalfile keeps an append-only file of lines that survives crashes:
// a line that was appended is on the disk, one that was being appended when the
// machine or the process died is as if it had never been. Only one process has
// the file open at a time.
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

// ErrLocked means that the file is open already, here or in another process.
var ErrLocked = errors.New("it is open already, in this process or in another run")

// errNoLocks means that nothing keeps two processes from writing to one file.
var errNoLocks = errors.New("files cannot be locked on this system; use a database in place of the file")

// ErrForeign means that the file does not begin as it should.
var ErrForeign = errors.New("it is not a journal")

// File is a journal that is open for appending. It is safe for concurrent use.
type File struct {
	restore string // what to do about a file that has changed behind our back

	mu     sync.Mutex
	path   string
	file   *os.File
	sync   func() error // the file's
	size   int64        // of the lines that are whole
	broken error        // why nothing can be appended any more
}

const restoreJournal = "put the original back before the next run, or contacts may be messaged twice"

// maxLine is the length of a line with its newline, in bytes.
const maxLine = 1 << 20

// Open opens the file, or creates it with the header as its first line, and hands
// every further line to read. A line is a JSON object. A last line that a crash
// cut short is cut off, be it the first, of which there may be a part only. One
// that lacks nothing but its newline is somebody's, and is read. Any other line
// that is no JSON object is damaged, and the file is left as it is. A file that
// Open creates is removed again if Open fails.
func Open(path string, header []byte, check func(header []byte) error, read func(line []byte) error) (*File, error) {
	return OpenRestored(path, restoreJournal, header, check, read)
}

// OpenRestored is Open for a file that is no journal. restore is what its errors
// tell to do about a file that has changed behind our back.
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

// remove closes and removes an empty file that Open created. It removes first, as
// nobody else can write to the file while it is locked. Windows removes no file
// that is open, here or elsewhere, so it closes first there.
func remove(file *os.File) error {
	removed := os.Remove(file.Name())
	closed := file.Close()
	if removed != nil {
		removed = os.Remove(file.Name())
	}
	return errors.Join(removed, closed)
}

// named fails unless the path still leads to the open file, and describes that.
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
		case err == io.EOF && !json.Valid(line): // torn, or nothing
			return f.mend(number, line, header)
		case errors.Is(err, bufio.ErrBufferFull) || !object(line):
			if number == 1 {
				return ErrForeign
			}
			if err == nil && bytes.IndexByte(line, 0) >= 0 && atEnd(in) { // what a file system leaves of a line after a crash
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

func atEnd(in *bufio.Reader) bool {
	_, err := in.Peek(1)
	return err == io.EOF
}

// mend cuts off what follows the last whole line. A file that has none gets
// its header, if nothing says that it is somebody else's file.
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

// Append adds a line, which has no newline in it, and returns when it is on the
// disk, in the file that the path leads to. A file that another program has
// changed meanwhile is left alone, and nothing can be appended to it any more.
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
		// After a failed sync nobody knows what the disk holds, so that the file must be read again.
		f.broken = fmt.Errorf("an earlier write failed: %w", err)
		return errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(line))
	f.broken = f.intact()
	return f.broken
}

// Close closes the file and lets others open it. It may be called twice.
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
