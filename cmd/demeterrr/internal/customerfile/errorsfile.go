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

// CheckOutput fails if path cannot become the errors file. Either it is not
// writable, or it is the same file as the customer file or one of the others.
// Links are followed. Call CheckOutput before sending. The others may be
// missing or empty.
func (f *File) CheckOutput(path string, others ...string) error {
	target, err := f.output(path, others)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(target), ".demeterrr-*")
	if err != nil {
		return fmt.Errorf("%s: cannot create the errors file there (%w); choose another one", path, bare(err))
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// WriteErrors writes the errors file. The keys of reasons are row numbers. Each
// listed row has its number, its reason and its original columns. An apostrophe
// guards cells against evaluation as formulas. Without reasons, the file has a
// header only and so replaces the list of an earlier run. WriteErrors replaces
// path atomically, with mode 0600.
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

// rowWriter writes quoted cells with the separator of the customer file.
type rowWriter struct {
	out       *bufio.Writer
	separator byte
}

// write writes a row. Flush returns its error.
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

// harmless guards a text against evaluation as a formula (OWASP: CSV
// injection). Reading the errors file again removes the apostrophe.
func harmless(text string) string {
	if start := strings.TrimLeft(text, " \u00a0\ufeff\u200b"); start != "" && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", []rune(start)[0]) {
		return "'" + text
	}
	return text
}

// output follows path and returns the target. It fails if the target cannot
// become the errors file.
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
		return "", errors.New("it is the customer file itself; choose another errors file")
	case !info.Mode().IsRegular():
		return "", errors.New("it is a directory or a device; choose another errors file")
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
			return "", fmt.Errorf("it is the same file as %s; choose another errors file", other)
		}
	}
	if exists && !isErrorsFile(target) {
		return "", errors.New("the file exists and is not an errors file; move it away, or choose another errors file")
	}
	return target, nil
}

// isErrorsFile reports whether a file is empty or from WriteErrors. Other files
// are never replaced.
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

// errorsHead is the start of an errors file. Excel needs the mark to recognize
// UTF-8.
const errorsHead = "\ufeff\"row\""

// follow resolves symbolic links. The final target may be missing.
func follow(path string) (string, error) {
	if path == "" {
		return "", errors.New("the file name is empty; set --errors")
	}
	for range 40 {
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // not a link
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errors.New("its symbolic links form a circle; choose another file")
}

// sameFile reports whether two paths lead to one file, existing or future.
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
		return false, nil // different folders, or not writable
	}
	if err := errors.Join(errA, errB); err != nil {
		return false, bare(err)
	}
	return os.SameFile(dirA, dirB) && strings.EqualFold(filepath.Base(a), filepath.Base(b)), nil
}
