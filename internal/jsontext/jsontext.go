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
// bytes at a time.
func SkipPlain(data []byte, i int) int {
	for ; 0 <= i && i <= len(data)-8; i += 8 { // 0 <= i spares the bounds check
		if found := special(binary.LittleEndian.Uint64(data[i : i+8])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return skipTail(data, i)
}

// skipTail is SkipPlain for the last seven bytes at most.
func skipTail(data []byte, i int) int {
	if rest := len(data) - i; rest > 0 && len(data) >= 8 {
		// The last eight bytes, without those before i. Spaces fill their place: they are plain.
		last := binary.LittleEndian.Uint64(data[len(data)-8:])
		last = last>>(64-8*rest) | (ones*' ')<<(8*rest)
		return min(i+bits.TrailingZeros64(special(last))/8, len(data))
	}
	for ; i < len(data); i++ {
		if c := data[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

const ones, tops = 0x0101010101010101, 0x8080808080808080

// special sets the top bit of each of eight bytes that is not plain. A
// subtraction sets it where the byte is too small. With its second bit turned, a
// quote becomes a space, a space becomes a quote, and one subtraction finds
// quotes and control characters. The lowest such bit is always true: only a byte
// that has it set borrows from the next.
func special(x uint64) uint64 {
	return (x | ((x ^ ones*2) - ones*(' '+1)) | ((x ^ ones*'\\') - ones)) & tops
}
