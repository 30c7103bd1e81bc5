package customerfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// source is a rereadable text.
type source struct {
	file  *os.File
	text  *io.SectionReader
	sheet string      // of a workbook
	input fs.FileInfo // the user's file
	read  fs.FileInfo // the file in use: the same or a copy
	own   bool        // close closes it
	spool bool        // a temporary copy
}

// openSource opens the file, or standard input for "-". It copies a workbook or
// a pipe to a temporary file with mode 0600.
func openSource(path string, options Options) (*source, error) {
	file, err := openFile(path, options.Stdin)
	if err != nil {
		return nil, err
	}
	s := &source{file: file, own: path != "-"}
	if err := s.prepare(options.Sheet, options.OnRow); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func openFile(path string, stdin *os.File) (*os.File, error) {
	if path == "-" {
		if stdin == nil {
			return nil, errors.New("there is no standard input; name a file")
		}
		return stdin, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	switch { // opening a pipe would block
	case info.IsDir():
		return nil, errors.New("it is a directory; name a CSV or XLSX file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New(`it is a pipe or a device; save its contents as a file, or pass them on standard input with the file name "-"`)
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	return file, bare(err)
}

// bare returns the error without the path. Callers add it.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

func (s *source) prepare(sheet string, onRow func(int)) (err error) {
	if s.input, err = s.file.Stat(); err != nil {
		return bare(err)
	}
	s.read = s.input
	start := int64(0)
	if s.input.Mode().IsRegular() {
		start, err = s.file.Seek(0, io.SeekCurrent)
	} else {
		err = s.spoolFrom(func(w io.Writer) error { _, err := io.Copy(w, s.file); return err })
	}
	if err != nil {
		return bare(err)
	}
	s.text = io.NewSectionReader(s.file, start, s.read.Size()-start)
	workbook, err := kindOf(s.text)
	switch {
	case err != nil:
		return err
	case workbook:
		return s.spoolFrom(func(w io.Writer) (err error) {
			s.sheet, err = writeWorkbook(w, s.text, sheet, onRow)
			return err
		})
	case sheet != "":
		return errors.New("--sheet names a sheet, but the file is not a workbook")
	}
	return s.cutEnd()
}

// cutEnd drops the end-of-file byte of DOS.
func (s *source) cutEnd() error {
	var last [1]byte
	if _, err := s.text.ReadAt(last[:], s.text.Size()-1); err != nil {
		return bare(err)
	}
	if last[0] == 0x1a {
		_, offset, size := s.text.Outer()
		s.text = io.NewSectionReader(s.file, offset, size-1)
	}
	return nil
}

// spoolFrom writes a temporary file and switches to it.
func (s *source) spoolFrom(write func(io.Writer) error) error {
	file, err := os.CreateTemp("", "demeterrr-*.csv")
	if err != nil {
		return fmt.Errorf("no temporary file: %w", err)
	}
	copied := &source{file: file, own: true, spool: true}
	_ = os.Remove(file.Name()) // on Windows, close removes it
	if err := write(file); err != nil {
		return errors.Join(err, copied.close())
	}
	if copied.read, err = file.Stat(); err != nil {
		return errors.Join(bare(err), copied.close())
	}
	_ = s.close()
	s.file, s.read, s.own, s.spool = file, copied.read, true, true
	s.text = io.NewSectionReader(file, 0, s.read.Size())
	return nil
}

func (s *source) close() error {
	if !s.own {
		return nil
	}
	err := s.file.Close()
	if s.spool {
		_ = os.Remove(s.file.Name())
	}
	return err
}

// changed fails if the file has changed since it was opened.
func (s *source) changed() error {
	now, err := s.file.Stat()
	if err != nil {
		return bare(err)
	}
	if now.Size() != s.read.Size() || !now.ModTime().Equal(s.read.ModTime()) {
		return errors.New("the file changed while it was read; close other programs that use it, and run again")
	}
	return nil
}

// steadyReader reads from a source. It fails once the file has changed, so the
// contacts sent are the contacts shown.
type steadyReader struct {
	source *source
	in     io.Reader
}

func (r *steadyReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if changed := r.source.changed(); changed != nil {
		return 0, changed
	}
	return n, err
}

// magic lists the prefixes of unsupported files.
var magic = []struct{ prefix, advice string }{
	{"%PDF", "it is a PDF; export the contacts as CSV or XLSX"},
	{"\x1f\x8b", "it is compressed with gzip; unpack it first"},
	{"Rar!", "it is an archive; unpack it first"},
	{"7z\xbc\xaf", "it is an archive; unpack it first"},
	{"BEGIN:VCARD", "it is a vCard file; import it into your address book, and export it as CSV"},
	{"BEGIN:VCALENDAR", "it is a calendar; export the contacts as CSV or XLSX"},
	{"<", "it is HTML or XML; open it in a spreadsheet, and save it as CSV or XLSX"},
	{"{", "it is JSON; export the contacts as CSV or XLSX"},
	{"[{", "it is JSON; export the contacts as CSV or XLSX"},
	{"SQLite format 3", "it is a database; export the contacts as CSV or XLSX"},
}

// kindOf reports whether the file is a workbook. It fails if the file is
// neither a workbook nor text.
func kindOf(in *io.SectionReader) (workbook bool, err error) {
	if in.Size() == 0 {
		return false, errEmpty
	}
	head := make([]byte, 512)
	n, err := in.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return false, bare(err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return true, checkZip(in)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return false, oldOffice(in)
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, m := range magic {
		if bytes.HasPrefix(bytes.ToUpper(head), bytes.ToUpper([]byte(m.prefix))) {
			return false, errors.New(m.advice)
		}
	}
	return false, nil
}

var errEmpty = errors.New("the file is empty; its first row must name the columns")

// checkZip fails if the archive is not an XLSX workbook.
func checkZip(in *io.SectionReader) error {
	archive, err := zip.NewReader(in, in.Size())
	if err != nil {
		return errors.New("the workbook is damaged or incomplete; save it again as XLSX")
	}
	for _, f := range archive.File {
		if strings.EqualFold(f.Name, "xl/workbook.xml") {
			return nil
		}
	}
	for _, f := range archive.File {
		switch {
		case strings.HasPrefix(f.Name, "Index/"):
			return errors.New("it is an Apple Numbers file; export it as CSV or Excel")
		case f.Name == "content.xml":
			return errors.New("it is an OpenDocument file; save it as CSV or XLSX")
		case f.Name == "xl/workbook.bin":
			return errors.New("it is a binary workbook (XLSB); save it as CSV or XLSX")
		}
	}
	return errors.New("it is a ZIP archive; unpack it first")
}

// oldOffice returns the error for an encrypted workbook or an Excel 97 file.
// Both use the same container.
func oldOffice(in *io.SectionReader) error {
	const name = "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"
	head, err := io.ReadAll(io.NewSectionReader(in, 0, min(in.Size(), 1<<25)))
	if err != nil {
		return bare(err)
	}
	if bytes.Contains(head, []byte(name)) {
		return errors.New("the workbook has a password; save a copy without it")
	}
	return errors.New("it is in the old Excel format (XLS); save it as CSV or XLSX")
}
