package customerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	utf "golang.org/x/text/encoding/unicode"
)

// The names of the detected encodings.
const (
	encodingUTF8    = "utf-8"
	encodingUTF16LE = "utf-16le"
	encodingUTF16BE = "utf-16be"
	encodingWindows = "windows-1252"
	encodingMac     = "macintosh"
)

var byteOrderMarks = []struct{ mark, encoding string }{
	{"\xef\xbb\xbf", encodingUTF8}, {"\xff\xfe", encodingUTF16LE}, {"\xfe\xff", encodingUTF16BE},
}

// findEncoding returns the encoding of a text and the start of the text after a
// byte order mark. Without a mark it reads the whole text. named overrides the
// detection.
func findEncoding(in *io.SectionReader, named string) (name string, start int64, err error) {
	head := make([]byte, 4096)
	n, err := in.ReadAt(head, 0)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.ReaderAt documents it
		return "", 0, err
	}
	head = head[:n]
	if named != "" {
		if name, err = encodingName(named); err != nil {
			return "", 0, err
		}
	}
	for _, m := range byteOrderMarks {
		if bytes.HasPrefix(head, []byte(m.mark)) && (named == "" || name == m.encoding) {
			return m.encoding, int64(len(m.mark)), nil
		}
	}
	if named != "" {
		return name, 0, nil
	}
	if name = zeroBytes(head); name != "" {
		return name, 0, nil
	}
	name, err = surveyBytes(io.NewSectionReader(in, 0, in.Size()))
	return name, 0, err
}

// encodingName returns the WHATWG name of an encoding.
func encodingName(name string) (string, error) {
	switch plain(name) {
	case "macroman", "macosroman", "xmacroman":
		return encodingMac, nil
	case "utf16", "unicode":
		return encodingUTF16LE, nil
	case "ansi", "cp1252", "latin1":
		return encodingWindows, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return "", fmt.Errorf("unknown encoding %q; use one such as utf-8, windows-1252, macintosh or windows-1250", name)
	}
	return htmlindex.Name(e)
}

// decode returns the text in UTF-8.
func decode(in io.Reader, name string) (io.Reader, error) {
	var e encoding.Encoding
	switch name {
	case encodingUTF8:
		return in, nil
	case encodingUTF16LE:
		e = utf.UTF16(utf.LittleEndian, utf.IgnoreBOM)
	case encodingUTF16BE:
		e = utf.UTF16(utf.BigEndian, utf.IgnoreBOM)
	default:
		var err error
		if e, err = htmlindex.Get(name); err != nil {
			return nil, err
		}
	}
	return e.NewDecoder().Reader(in), nil
}

// zeroBytes recognizes UTF-16 without a mark. Every other byte of ASCII text is
// zero.
func zeroBytes(head []byte) string {
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(head) / 4; {
	case zeros[1] > most && zeros[0] < most/8+1:
		return encodingUTF16LE
	case zeros[0] > most && zeros[1] < most/8+1:
		return encodingUTF16BE
	}
	return ""
}

var errBinary = errors.New("the file is not text; export it as CSV or XLSX")

// surveyBytes detects the encoding from the whole text, because the only accent
// may be in the last row. Charset detectors need sentences: they mistake short
// names in MacRoman for Windows-1252. Here words decide. The wrong encoding
// puts symbols or capitals inside words.
func surveyBytes(in io.Reader) (string, error) {
	s := survey{windows: plausibility{runes: runesOf(charmap.Windows1252)}, mac: plausibility{runes: runesOf(charmap.Macintosh)}}
	buffer := make([]byte, 1<<16)
	for have := 0; ; {
		n, err := io.ReadFull(in, buffer[have:])
		have += n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.read(buffer[:have], have)
			return s.encoding()
		}
		if err != nil {
			return "", err
		}
		done := s.read(buffer[:have], have-utf8.UTFMax)
		have = copy(buffer, buffer[done:have])
	}
}

// survey holds statistics about the bytes of a text.
type survey struct {
	size, controls int
	valid, invalid int // multi-byte letters of UTF-8, and invalid bytes
	crlf, lf       bool
	last           byte
	windows, mac   plausibility
}

// read counts the bytes up to end, and completes the last letter. It returns
// the number of bytes read.
func (s *survey) read(b []byte, end int) int {
	i := 0
	for i < end {
		c, size := b[i], 1
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRune(b[i:]); r != utf8.RuneError {
				s.valid++
				break
			}
			size = 1
			s.invalid++
			next := append(b[i+1:min(i+3, len(b)):min(i+3, len(b))], ' ', ' ')
			s.windows.add(s.last, c, next[0], next[1])
			s.mac.add(s.last, c, next[0], next[1])
		case c == '\n':
			s.crlf = s.crlf || s.last == '\r'
			s.lf = s.lf || s.last != '\r'
		case c < ' ' && c != '\r' && c != '\t':
			s.controls++
		}
		s.last = b[i+size-1]
		i += size
	}
	s.size += i
	return i
}

func (s *survey) encoding() (string, error) {
	switch {
	case s.controls > 8 && s.controls > s.size/100:
		return "", errBinary
	case s.invalid == 0, s.valid > s.invalid: // a few invalid rows are listed
		return encodingUTF8, nil
	}
	windows, mac := s.windows.score(), s.mac.score()
	switch { // typical line ends of Windows and old Macs
	case s.crlf:
		windows += 2
	case s.lf:
		windows++
	default:
		mac += 2
	}
	best, name := s.windows, encodingWindows
	if mac > windows {
		best, name = s.mac, encodingMac
	}
	if mac == windows || best.bad > best.good/8 {
		return "", errors.New("the file is not UTF-8, and its encoding is unclear; " +
			"save it as UTF-8, or add --encoding NAME," +
			" such as windows-1252, macintosh, windows-1250, windows-1251 or shift_jis")
	}
	return name, nil
}

// plausibility scores an encoding by Western European words.
type plausibility struct {
	runes     [256]rune
	good, bad int
	capitals  int // at the start of a word: weaker evidence
}

func (p *plausibility) score() int { return 2*p.good + p.capitals - 3*p.bad }

func runesOf(m *charmap.Charmap) (runes [256]rune) {
	for b := range runes {
		runes[b] = m.DecodeByte(byte(b))
	}
	return runes
}

const (
	westernLetters = "éèêëàâáäåãçíìîïñóòôöõøúùûüýßæÉÈÊËÀÂÁÄÅÃÇÍÌÎÏÑÓÒÔÖÕØÚÙÛÜÝÆ"
	outerSymbols   = "\u00a0‘’“”„‚«»‹›–—…€£°®™ºª²§©·•¿¡´`"
)

// add scores the byte b by its neighbors.
func (p *plausibility) add(before, b, after, afterThat byte) {
	last, r, next, second := p.runes[before], p.runes[b], p.runes[after], p.runes[afterThat]
	inWord := unicode.IsLetter(last) && unicode.IsLetter(next)
	switch {
	case unicode.IsControl(r) || r == utf8.RuneError:
		p.bad += 3
	case strings.ContainsRune(westernLetters, r):
		switch {
		case before >= utf8.RuneSelf && after >= utf8.RuneSelf && inWord, // three in a row: another script
			unicode.IsUpper(r) && unicode.IsLower(last),
			unicode.IsUpper(r) && unicode.IsUpper(last) && unicode.IsUpper(next) && unicode.IsLower(second),
			unicode.IsLower(r) && unicode.IsUpper(last) && unicode.IsUpper(next):
			p.bad++
		case unicode.IsLetter(last):
			p.good++
		case unicode.IsLetter(next) && unicode.IsUpper(r):
			p.capitals++
		}
	case unicode.IsLetter(r):
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			p.bad++
		}
	case r == '’' && inWord:
		p.good++
	case inWord, (unicode.IsLetter(last) || unicode.IsLetter(next)) && !strings.ContainsRune(outerSymbols, r):
		p.bad++
	}
}
