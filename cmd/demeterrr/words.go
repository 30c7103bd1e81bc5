package main

import (
	"strconv"
	"strings"
)

// count formats a number with a noun, plural except for 1.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return grouped(n) + " " + thing + "s"
}

// grouped formats a number with commas, as in 12,345.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// bare returns the text of an error without the prefix "demeterrr: ".
func bare(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "demeterrr: "), ": demeterrr: ", ": ")
}
