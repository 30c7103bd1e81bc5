// Package jsonwrite appends JSON to a slice of bytes, in the very form of encoding/json without HTML
// escapes. It writes what the API's requests are made of; for the rest there is [Any].
package jsonwrite

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Member appends the name of a member, given with its quotes and colon, and a comma before it where one is due.
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

// Text appends a string. Invalid UTF-8 becomes U+FFFD.
func Text(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := skipPlain(s, 0); i < len(s); i = skipPlain(s, i) {
		c := s[i]
		char, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && char != '\u2028' && char != '\u2029' && (char != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = escape(append(b, s[start:i]...), char)
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// skipPlain returns the index of the first byte from i on that is a quote, a backslash, a control
// character or not ASCII; len(s) if there is none. It looks at eight bytes at a time, as jsonread does.
func skipPlain(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if !plain(s[i : i+8]) {
			break
		}
	}
	if last := len(s) - 8; last >= 0 && last < i && plain(s[last:]) {
		return len(s)
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// plain reports whether eight bytes can all be written as they are.
func plain(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (x|(x-ones*' ')|((x^ones*'"')-ones)|((x^ones*'\\')-ones))&tops == 0
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

// Any appends whatever encoding/json can encode.
func Any(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return b, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
