// Package ascii looks at texts eight bytes at a time. Nearly all emails, names and
// phones are plain ASCII, which spares them the slower ways.
package ascii

const ones, tops = 0x0101010101010101, 0x8080808080808080

// Kind tells which bytes a text has.
type Kind struct {
	ASCII   bool // no byte is 0x80 or above
	Graphic bool // nothing but ASCII letters, digits and punctuation
	Upper   bool // an ASCII text has an upper-case letter; it means nothing for other texts
}

// KindOf returns the kind of s. Of each byte it computes a top bit that is set if the
// byte is outside of ASCII, not graphic, or upper case.
func KindOf(s string) Kind {
	var high, blank, upper uint64
	for rest := s; rest != ""; {
		var x uint64
		switch {
		case len(rest) >= 8:
			x, rest = word(rest), rest[8:]
		case len(s) >= 8: // the last eight bytes, some of them once more
			x, rest = word(s[len(s)-8:]), ""
		default:
			x = ones * 'a'
			for i := range len(rest) {
				x = x<<8 | uint64(rest[i])
			}
			rest = ""
		}
		high |= x
		blank |= (x - ones*'!') | (x + ones) // below '!' it borrows, 0x7f becomes 0x80
		upper |= (x + ones*(0x80-'A')) ^ (x + ones*(0x7f-'Z'))
	}
	return Kind{
		ASCII:   high&tops == 0,
		Graphic: (high|blank)&tops == 0,
		Upper:   upper&tops != 0,
	}
}

// word returns the first eight bytes of s, which the compiler loads as one.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
