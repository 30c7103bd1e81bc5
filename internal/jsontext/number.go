package jsontext

import (
	"strconv"
	"strings"
)

// Float64 returns the float64 of a JSON number. ok is false if a float64 cannot
// hold the number: written with as many digits, it would differ.
func Float64(number string) (f float64, ok bool) {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	if len(number) <= 15 && !strings.ContainsAny(number, "eE") {
		return f, true // a float64 holds 15 digits
	}
	want, ok := decimalOf(number)
	if !ok {
		return 0, false
	}
	got, _ := decimalOf(strconv.FormatFloat(f, 'e', max(len(want.digits)-1, 0), 64))
	return f, got == want
}

// SameNumber reports whether two JSON numbers have the same value: 1e2 is
// 100.0, and -0 is 0. It only compares exponents, so their size is harmless.
func SameNumber(a, b string) bool {
	x, ok := decimalOf(a)
	y, too := decimalOf(b)
	return a == b || ok && too && x == y
}

// decimal is the number of its digits times ten to the exponent. The digits
// have no zero at either end.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

// decimalOf returns the value of a JSON number. ok is false if its exponent has
// more than 61 bits.
func decimalOf(number string) (d decimal, ok bool) {
	number, d.negative = strings.CutPrefix(number, "-")
	mantissa, exponent := number, "0"
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, exponent = number[:i], number[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(all, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	scale, err := strconv.ParseInt(exponent, 10, 62) // no overflow below
	d.exponent = scale - int64(len(fraction)) + int64(len(all)-len(d.digits))
	return d, err == nil
}
