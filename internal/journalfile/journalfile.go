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
	"os"
	"path/filepath"
	"sync"
	"unicode/utf8"
)

// ErrLocked means that the file is open already, here or in another process.
var ErrLocked = errors.New("it is open already, in this process or in another run")

// ErrForeign means that the file does not begin as it should.
var ErrForeign = errors.New("it is not a journal")

// File is a journal that is open for appending. It is safe for concurrent use.
type File struct {
	mu     sync.Mutex
	file   *os.File
	size   int64 // of the lines that are whole
	broken error // why nothing can be appended any more
}

// maxLine is the length of a line with its newline, in bytes.
const maxLine = 1 << 20

// Open opens the file, or creates it with the header as its first line, and hands
// every further line to read. A line is a JSON object. A last line that a crash
// cut short is cut off, be it the first, of which there may be a part only. One
// that lacks nothing but its newline is somebody's, and is read. Any other line
// that is no JSON object is damaged, and the file is left as it is.
func Open(path string, header []byte, check func(header []byte) error, read func(line []byte) error) (*File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller names it
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.load(header, check, read); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

func (f *File) load(header []byte, check, read func([]byte) error) error {
	if info, err := f.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, errors.New("it is not a regular file"))
	}
	if err := lock(f.file); err != nil {
		return err
	}
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
	return syncDir(filepath.Dir(f.file.Name()))
}

// Append adds a line, which has no newline in it, and returns when it is on the
// disk. If it fails, the line is not in the file.
func (f *File) Append(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	line = append(line[:len(line):len(line)], '\n')
	if len(line) > maxLine {
		return fmt.Errorf("a line of %d bytes is longer than the %d that a journal may have", len(line), maxLine)
	}
	_, err := f.file.WriteAt(line, f.size)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		// After a failed sync nobody knows what the disk holds, so that the file must be read again.
		f.broken = fmt.Errorf("an earlier write failed: %w", err)
		return errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(line))
	return nil
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
