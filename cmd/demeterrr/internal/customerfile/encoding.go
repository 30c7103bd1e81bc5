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

// The names of the encodings that are found out.
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

// findEncoding returns the encoding of a text by its byte order mark, and where
// the text begins. Without a mark it reads the whole text. named is the user's
// word for it.
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

// encodingName returns the name of an encoding as WHATWG has it.
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
		return "", fmt.Errorf("the encoding %q is unknown; name one such as utf-8, windows-1252, macintosh or windows-1250", name)
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

// zeroBytes recognizes UTF-16 without a mark: every other byte of ASCII text is
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

// surveyBytes reads the whole text, as its first letter with an accent can
// stand in its last row. Charset detectors need sentences: they take two names
// in MacRoman for Windows-1252. Words tell the two apart, as no word has a
// symbol or a capital inside.
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

// survey is what the bytes of a text show.
type survey struct {
	size, controls int
	valid, invalid int // letters beyond ASCII if the text is UTF-8, and bytes that are none
	crlf, lf       bool
	last           byte
	windows, mac   plausibility
}

// read reads the bytes up to the end, or a little more for a letter of several
// bytes. It returns how far it read.
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
	case s.invalid == 0, s.valid > s.invalid: // a few rows that are something else are listed
		return encodingUTF8, nil
	}
	windows, mac := s.windows.score(), s.mac.score()
	switch { // as Windows and old Macs end their lines
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
			"save it as UTF-8, or name the encoding, as in --encoding windows-1252;" +
			" others are macintosh, windows-1250, windows-1251, shift_jis …")
	}
	return name, nil
}

// plausibility counts how well bytes fit the words of Western Europe in an
// encoding.
type plausibility struct {
	runes     [256]rune
	good, bad int
	capitals  int // at the beginning of a word, where small letters stand too
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

// add counts the byte b between others.
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
