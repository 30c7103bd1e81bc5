package customerfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// CheckOutput returns an error if path cannot become the errors file: if it is
// the customer file or one of the others under whatever name, or cannot be
// written. Call it before anything is sent. The others need not exist; empty
// ones are skipped.
func (f *File) CheckOutput(path string, others ...string) error {
	target, err := f.output(path, others)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(target), ".demeterrr-*")
	if err != nil {
		return fmt.Errorf("%s: the errors file cannot be written there (%w); name another one", path, bare(err))
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// WriteErrors writes the errors file: the rows that reasons name by their
// numbers, each with its number, its reason and its original columns. It
// replaces path in one step, and only its owner can read it. Texts that a
// spreadsheet would compute are preceded by an apostrophe. Without reasons the
// file has its header only, as the reasons of an earlier run are out of date.
func (f *File) WriteErrors(path string, reasons map[int]string, others ...string) error {
	target, err := f.output(path, others)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(target), ".demeterrr-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%s: %w", path, bare(err))
	}
	err = f.writeRows(file, reasons)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), target)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), os.Remove(file.Name()))
	}
	return nil
}

func (f *File) writeRows(file *os.File, reasons map[int]string) error {
	w := &rowWriter{out: bufio.NewWriter(file), separator: f.layout.dialect.separator}
	_, _ = w.out.WriteString("\ufeff") // for Excel
	header := make([]string, len(f.mapping.Columns))
	for i, c := range f.mapping.Columns {
		header[i] = c.Header
	}
	w.write("row", "reason", header)
	for rec, err := range f.records() {
		if err != nil {
			return err
		}
		if reason, ok := reasons[rec.number]; ok {
			w.write(strconv.Itoa(rec.number), reason, rec.cells)
		}
	}
	return w.out.Flush()
}

// rowWriter writes rows with all cells in quotes, in the separator of the
// customer file.
type rowWriter struct {
	out       *bufio.Writer
	separator byte
}

// write writes a row. Its error comes back from Flush.
func (w *rowWriter) write(number, reason string, cells []string) {
	w.cell(number, false)
	w.cell(reason, true)
	for _, cell := range cells {
		w.cell(cell, true)
	}
	_, _ = w.out.WriteString("\r\n")
}

func (w *rowWriter) cell(text string, separated bool) {
	if separated {
		_ = w.out.WriteByte(w.separator)
	}
	_, _ = fmt.Fprintf(w.out, `"%s"`, strings.ReplaceAll(harmless(text), `"`, `""`))
}

// harmless returns a text that a spreadsheet shows and does not compute (OWASP:
// CSV injection). Reading the errors file again removes the apostrophe.
func harmless(text string) string {
	if start := strings.TrimLeft(text, " \u00a0\ufeff\u200b"); start != "" && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", []rune(start)[0]) {
		return "'" + text
	}
	return text
}

// output returns the file that path leads to, where it can become the errors
// file.
func (f *File) output(path string, others []string) (string, error) {
	target, err := follow(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	exists := err == nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", bare(err)
	case os.SameFile(info, f.Info()):
		return "", errors.New("it is the customer file itself; name another errors file")
	case !info.Mode().IsRegular():
		return "", errors.New("it is a directory or a device; name another errors file")
	}
	for _, other := range others {
		if other == "" {
			continue
		}
		same, err := sameFile(target, other)
		if err != nil {
			return "", err
		}
		if same {
			return "", fmt.Errorf("it is the same file as %s; name another errors file", other)
		}
	}
	if exists && !isErrorsFile(target) {
		return "", errors.New("it holds something other than the rows of an earlier run; move it away, or name another errors file")
	}
	return target, nil
}

// isErrorsFile reports whether a file is empty, or an errors file as
// WriteErrors leaves it: any other one is not ours to replace.
func isErrorsFile(path string) bool {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, len(errorsHead)+len(`?"reason"`))
	n, err := io.ReadFull(file, head)
	if n == 0 {
		return errors.Is(err, io.EOF)
	}
	return strings.HasPrefix(string(head[:n]), errorsHead) && strings.HasSuffix(string(head[:n]), `"reason"`)
}

// errorsHead begins an errors file. Excel takes UTF-8 for something else
// without the mark.
const errorsHead = "\ufeff\"row\""

// follow returns where symbolic links lead, also to a file that does not exist
// yet.
func follow(path string) (string, error) {
	if path == "" {
		return "", errors.New("the name of the file is empty")
	}
	for range 40 {
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errors.New("its symbolic links form a circle; name another file")
}

// sameFile reports whether two paths lead to one file, or would once they
// exist.
func sameFile(a, b string) (bool, error) {
	b, err := follow(b)
	if err != nil {
		return false, err
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB), nil
	}
	if errA == nil || errB == nil {
		return false, nil
	}
	dirA, errA := os.Stat(filepath.Dir(a))
	dirB, errB := os.Stat(filepath.Dir(b))
	if errors.Is(errors.Join(errA, errB), fs.ErrNotExist) {
		return false, nil // they will be in different folders, or cannot be written
	}
	if err := errors.Join(errA, errB); err != nil {
		return false, bare(err)
	}
	return os.SameFile(dirA, dirB) && strings.EqualFold(filepath.Base(a), filepath.Base(b)), nil
}
