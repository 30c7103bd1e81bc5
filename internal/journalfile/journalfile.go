// Package journalfile keeps an append-only file of lines that survives crashes:
// a line that was appended is on the disk, one that was being appended when the
// machine or the process died is as if it had never been. Only one process has
// the file open at a time.
package journalfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
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

// Open opens the file, or creates it with the header as its first line, and hands
// every further line to read, numbered from 2. Lines are JSON. A last line that is
// not whole is cut off; the first line may only be part of the header then.
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
	if err := lock(f.file); err != nil {
		return err
	}
	in := bufio.NewReaderSize(f.file, 1<<16)
	for number := 1; ; number++ {
		line, errRead := in.ReadBytes('\n')
		if errRead != nil && errRead != io.EOF {
			return errRead
		}
		whole := errRead == nil && json.Valid(line)
		if !whole {
			if _, err := in.Peek(1); err != io.EOF {
				if number == 1 {
					return ErrForeign
				}
				return fmt.Errorf("line %d is damaged", number)
			}
			return f.mend(number, line, header)
		}
		next := read
		if number == 1 {
			next = check
		}
		if err := next(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		f.size += int64(len(line))
	}
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
