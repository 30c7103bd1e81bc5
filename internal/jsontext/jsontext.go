// Package jsontext knows the texts that JSON is made of, for its reader and its
// writer: what a string cannot hold as it is, and which number a number is.
package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// SkipPlain returns the index of the first byte from i on that is a quote, a backslash, a control
// character or not ASCII; len(data) if there is none. It looks at eight bytes at a time: in each lane a
// subtraction sets the top bit where the byte is too small, and the lowest such bit is always true,
// since only a lane that has it set borrows from the next.
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
