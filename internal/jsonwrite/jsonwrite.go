// Package jsonwrite appends JSON to a slice of bytes, with the meaning of
// encoding/json. It has the types of the API's requests; [Any] writes all
// others.
package jsonwrite

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

// Member appends a comma if one is due, and the name of a member, given with
// its quotes and colon.
func Member(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(b, name...)
}

// NonEmpty appends a member with a text, unless the text is empty.
func NonEmpty(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return Text(Member(b, name), text)
}

const hex = "0123456789abcdef"

// Text appends a string. Invalid UTF-8 would become U+FFFD; package validate
// rejects it before.
func Text(b []byte, s string) []byte {
	b = append(b, '"')
	start := len(b)
	b = append(b, s...)
	if at := jsontext.SkipPlain(b, start); at < len(b) { // rare
		b = special(b[:at], s[at-start:])
	}
	return append(b, '"')
}

// special appends a text with characters to escape.
func special(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		char, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && char != '\u2028' && char != '\u2029' && (char != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = escape(append(b, s[start:i]...), char)
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

func escape(b []byte, char rune) []byte {
	switch char {
	case '"', '\\':
		return append(b, '\\', byte(char))
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', hex[char>>12&15], hex[char>>8&15], hex[char>>4&15], hex[char&15])
}

// Texts appends an array of strings; it is [] also for a nil slice.
func Texts(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = Text(b, s)
	}
	return append(b, ']')
}

// Any appends any value that encoding/json can encode.
func Any(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
