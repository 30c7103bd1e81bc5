package jsontext_test

import (
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

func TestNumbersAreComparedByTheirValue(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"19.9", "19.90", "1.99e1", "199E-1", "0.199e+2"},
		{"1", "1.0", "1e0", "10e-1", "0.1e1"},
		{"100", "1e2", "1E+2", "100.00", "1000e-1"},
		{"0", "-0", "0.0", "-0.00e5", "0e99999999999999999999"},
		{"-5", "-5.0", "-0.5e1"},
		{"9007199254740993", "9007199254740993.0", "9.007199254740993e15"},
		{"9007199254740992"},
		{"1e1000000000", "10e999999999", "0.1e1000000001"},
		{"1e-1000000000"},
		{"1e99999999999999999999"},
	} {
		for _, a := range same {
			for _, b := range same {
				if !jsontext.SameNumber(a, b) {
					t.Errorf("%s is not %s", a, b)
				}
			}
			for _, b := range []string{"19.91", "2", "-1", "1e3", "5", "9007199254740994", "1e1000000001", "1e99999999999999999998"} {
				if jsontext.SameNumber(a, b) {
					t.Errorf("%s is %s", a, b)
				}
			}
		}
	}
}

func TestAFloat64HoldsWhatItCanWriteAgain(t *testing.T) {
	t.Parallel()
	for number, ok := range map[string]bool{
		"0": true, "-0": true, "19.90": true, "1e2": true, "0.1": true, "0.10000000000000001": true, "5e-324": true, "1.7976931348623157e308": true,
		"0.1000000000000000055511151231257827": true, "123456789012345": true, "9007199254740992": true, "1e22": true, "100000000000000000000000": true,
		"9007199254740993": false, "123456789012345678901234567890": false, "0.30000000000000000001": false,
		"1e400": false, "-1e400": false, "1e-400": false, "1e1000000000": false, "1e99999999999999999999": false,
	} {
		want, _ := strconv.ParseFloat(number, 64)
		if f, held := jsontext.Float64(number); held != ok || ok && f != want {
			t.Errorf("%s: %v, %t", number, f, held)
		}
	}
}

// FuzzSameNumber compares it with exact fractions.
func FuzzSameNumber(f *testing.F) {
	f.Add("19.90", "1.99e1")
	f.Add("-0", "0e5")
	f.Add("1e10000", "10e9999")
	f.Fuzz(func(t *testing.T, a, b string) {
		begin := time.Now()
		got := jsontext.SameNumber(a, b)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%q, %q: it took %s", a, b, took)
		}
		for _, s := range []string{a, b} {
			if _, err := strconv.ParseFloat(s, 64); err != nil || len(s) > 20 || strings.ContainsAny(s, "xXpP_IiNn+") {
				return // too large for a fraction, or no number of JSON
			}
		}
		x, ok := new(big.Rat).SetString(a)
		y, too := new(big.Rat).SetString(b)
		if ok && too && got != (x.Cmp(y) == 0) {
			t.Errorf("%q, %q: the same is %t", a, b, got)
		}
	})
}
