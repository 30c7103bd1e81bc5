package jsonread

import "time"

// apiTime reads a time in the API's form, "2006-01-02T15:04:05.000Z". It
// reports false for any other form, and for the days after the 28th: some
// months have fewer.
func apiTime(text []byte) (t time.Time, ok bool) {
	if len(text) != len("2006-01-02T15:04:05.000Z") {
		return t, false
	}
	b := (*[24]byte)(text)
	if b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != '.' || b[23] != 'Z' {
		return t, false
	}
	year, month, day := 100*two(b[0], b[1])+two(b[2], b[3]), two(b[5], b[6]), two(b[8], b[9])
	hour, minute, second := two(b[11], b[12]), two(b[14], b[15]), two(b[17], b[18])
	milli := 10*two(b[20], b[21]) + two('0', b[22])
	if year > 9999 || month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 || milli > 999 {
		return t, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), time.UTC), true
}

// two returns the number of two digits, or more than 9999 if one of them is not
// a digit.
func two(tens, ones byte) int {
	if tens -= '0'; tens > 9 {
		return 10_000
	}
	if ones -= '0'; ones > 9 {
		return 10_000
	}
	return 10*int(tens) + int(ones)
}
