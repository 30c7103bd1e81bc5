// Package jsontext has the rules for JSON text that its reader and writer
// share: characters that a string must escape, and values of numbers.
package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// SkipPlain returns the index of the first quote, backslash, control character
// or non-ASCII byte from i on; len(data) if there is none. It looks at eight
// bytes at a time. In each lane a subtraction sets the top bit if the byte is
// too small. A lane borrows from the next only if its own bit is set, so the
// lowest set bit is always right.
func SkipPlain(data []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(data); i += 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		found := (x | (x - ones*' ') | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones)) & tops
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(data); i++ {
		if c := data[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}
