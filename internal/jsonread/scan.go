package jsonread

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

// peek skips white space and returns the byte after it; 0 at the end.
func (r *Reader) peek() byte {
	for ; r.pos < len(r.data); r.pos++ {
		if c := r.data[r.pos]; c > ' ' || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// fail keeps the first error and drops the rest of the document, so that later
// reads need no check for an error.
func (r *Reader) fail(offset int, message string) {
	if r.err != nil {
		return
	}
	if offset >= len(r.data) {
		message = "unexpected end of JSON"
	}
	r.err = &Error{Message: message, Offset: offset}
	r.data, r.first = nil, false
}

// unexpected fails with the wanted kind and the kind of the value found.
func (r *Reader) unexpected(want string) {
	message := "expected " + want
	switch r.Kind() {
	case '{':
		message += ", found an object"
	case '[':
		message += ", found an array"
	case '"':
		message += ", found a string"
	case '0':
		message += ", found a number"
	case 't':
		message += ", found a boolean"
	case 'n':
		message += ", found null"
	}
	r.fail(r.pos, message)
}

// orNull reads a null, and fails for anything else.
func (r *Reader) orNull(want string) {
	if r.peek() != 'n' {
		r.unexpected(want)
		return
	}
	r.literal("null")
}

// literal reads the word and reports whether it was there.
func (r *Reader) literal(word string) bool {
	for i := range len(word) {
		if at := r.pos + i; at >= len(r.data) || r.data[at] != word[i] {
			r.fail(at, "invalid literal")
			return false
		}
	}
	r.pos += len(word)
	return true
}

// member is Member for any start of a member, and for the end of the object.
// Member itself reads only a start without white space and escapes, as
// `,"email":`.
func (r *Reader) member() bool {
	if !r.more('}', "a comma or the end of the object") {
		return false
	}
	if r.peek() != '"' {
		r.unexpected("the name of a member")
		return false
	}
	r.name = r.pos
	raw, plain := r.quoted()
	if !plain {
		r.keyBuffer = unescape(r.keyBuffer[:0], raw)
		raw = r.keyBuffer
	}
	r.key = raw
	if r.peek() != ':' {
		r.unexpected("a colon")
		return false
	}
	r.pos++
	return true
}

// number reads a number and returns its bytes; after an error they are
// meaningless.
func (r *Reader) number() []byte {
	data, start := r.data, r.pos
	i := start
	if data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++ // digits after a leading zero belong to no number
	} else {
		i = r.digits(i)
	}
	if i < len(data) && data[i] == '.' {
		i = r.digits(i + 1)
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		i = r.digits(i)
	}
	if r.err == nil {
		r.pos = i
	}
	return data[start:i]
}

// digits returns the index after one or more digits at i.
func (r *Reader) digits(i int) int {
	start := i
	for i < len(r.data) && '0' <= r.data[i] && r.data[i] <= '9' {
		i++
	}
	if i == start {
		r.fail(i, "invalid number: expected a digit")
	}
	return i
}

// quoted reads a string and returns the text between its quotes. It is plain if
// it is valid UTF-8 without escapes.
func (r *Reader) quoted() (raw []byte, plain bool) {
	start := r.pos + 1
	i := jsontext.SkipPlain(r.data, start)
	if i < len(r.data) && r.data[i] == '"' { // nearly always
		r.pos = i + 1
		return r.data[start:i], true
	}
	return r.special(start, i)
}

// special reads the rest of a string that starts at start, from a byte at i that is not plain.
func (r *Reader) special(start, i int) (raw []byte, plain bool) {
	data, ascii, escaped := r.data, true, false
	for ; ; i = jsontext.SkipPlain(data, i) {
		if i >= len(data) {
			r.fail(i, "")
			return nil, true
		}
		switch c := data[i]; {
		case c == '"':
			r.pos = i + 1
			raw = data[start:i]
			return raw, !escaped && (ascii || utf8.Valid(raw))
		case c == '\\':
			escaped = true
			if i = r.escape(i); r.err != nil {
				return nil, true
			}
		case c < ' ':
			r.fail(i, "control character in a string")
			return nil, true
		default:
			ascii = false
			i++
		}
	}
}

// escape checks the escape sequence at i, which starts with a backslash, and
// returns the index after it.
func (r *Reader) escape(i int) int {
	i++
	if i < len(r.data) {
		switch r.data[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 1
		case 'u':
			for range 4 {
				i++
				if i >= len(r.data) || hexDigit(r.data[i]) < 0 {
					r.fail(i, "invalid escape in a string: expected a hexadecimal digit")
					return i
				}
			}
			return i + 1
		}
	}
	r.fail(i, "invalid escape in a string")
	return i
}

// unescape appends the text of raw to b. The escapes in raw are checked.
// Invalid UTF-8 and lone surrogates become U+FFFD, one for each byte and each
// surrogate.
func unescape(b, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c >= utf8.RuneSelf:
			char, size := utf8.DecodeRune(raw[i:])
			b = utf8.AppendRune(b, char)
			i += size
		case c != '\\':
			b = append(b, c)
			i++
		case raw[i+1] != 'u':
			b = append(b, control(raw[i+1]))
			i += 2
		default:
			char := hexRune(raw[i+2:])
			i += 6
			if i < len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
				if pair := utf16.DecodeRune(char, hexRune(raw[i+2:])); pair != utf8.RuneError {
					char = pair
					i += 6
				}
			}
			b = utf8.AppendRune(b, char) // writes U+FFFD for a surrogate
		}
	}
	return b
}

// control returns the byte for a backslash and c.
func control(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // a quote, a backslash or a slash
}

// hexRune returns the value of the first four hexadecimal digits of b.
func hexRune(b []byte) rune {
	var char rune
	for _, c := range b[:4] {
		char = char<<4 | hexDigit(c)
	}
	return char
}

// hexDigit returns the value of the hexadecimal digit c; -1 for any other
// character.
func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
