// Package headers reads what a reply's headers say about the quota. It trusts
// none of them: what is not plainly a number or a date is as good as absent.
package headers

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxSeconds is what still fits a time.Duration.
const maxSeconds = float64(math.MaxInt64/int64(time.Second)) - 1

// Seconds reads a non-negative decimal number of seconds, such as "60" or
// "0.5". Anything else, and what overflows a time.Duration, is refused.
func Seconds(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && c != '.' {
			return 0, false
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds > maxSeconds {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// RetryAfter is the longest wait that the Retry-After headers ask for: seconds,
// or an HTTP date, which is read against the reply's own Date so that a wrong
// clock on either side does no harm. The Date is cut to the second, which makes
// the wait too long rather than too short. It is 0 if they ask for none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	var longest time.Duration
	for _, value := range h["Retry-After"] {
		wait, ok := Seconds(value)
		if !ok {
			at, err := http.ParseTime(value)
			if err != nil {
				continue
			}
			wait = at.Sub(date(h, now))
		}
		longest = max(longest, wait)
	}
	return longest
}

// RateLimit reads X-RateLimit-Limit, -Remaining and -Reset (Unix seconds). ok is
// false unless the first two are there. The reset is given by the local clock.
func RateLimit(h http.Header, now time.Time) (limit, remaining int, reset time.Time, ok bool) {
	most, ok1 := count(h, "X-Ratelimit-Limit", math.MaxInt)
	left, ok2 := count(h, "X-Ratelimit-Remaining", math.MaxInt)
	if !ok1 || !ok2 {
		return 0, 0, time.Time{}, false
	}
	if at, ok := count(h, "X-Ratelimit-Reset", maxUnix); ok {
		reset = time.Unix(at, 0).Add(now.Sub(serverNow(h, now)))
	}
	return int(most), int(left), reset, true
}

// maxUnix is the year 9999: later is a mistake, and overflows what is done with it.
const maxUnix = 253402300799

// count is the header's number, if it has one that is at most most.
func count(h http.Header, name string, most int64) (n int64, ok bool) {
	values := h[name]
	if len(values) != 1 || values[0] == "" || len(values[0]) > 19 { // 19 digits fit an uint64
		return 0, false
	}
	var sum uint64
	for _, c := range []byte(values[0]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		sum = 10*sum + uint64(c-'0')
	}
	return int64(sum), sum <= uint64(most) //nolint:gosec // most is positive, and sum at most most
}

// serverNow is the time by the server's clock. A Date is cut to the second and
// has travelled, so that a difference below two seconds is none.
func serverNow(h http.Header, now time.Time) time.Time {
	server := date(h, now)
	if now.Sub(server).Abs() < 2*time.Second {
		return now
	}
	return server
}

// date is the reply's Date; now if it has none.
func date(h http.Header, now time.Time) time.Time {
	if values := h["Date"]; len(values) > 0 {
		if server, err := parseTime(values[0]); err == nil {
			return server
		}
	}
	return now
}

// parseTime is http.ParseTime, at a fifth of the time for the one form that servers send:
// "Tue, 10 Feb 2026 14:20:00 GMT". Every reply has one.
func parseTime(s string) (time.Time, error) {
	if len(s) != len(http.TimeFormat) || s[3:5] != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || s[19] != ':' || s[22] != ':' || s[25:] != " GMT" {
		return http.ParseTime(s)
	}
	day, year := digits(s[5:7]), 100*digits(s[12:14])+digits(s[14:16])
	hour, minute, second := digits(s[17:19]), digits(s[20:22]), digits(s[23:25])
	month, weekday := nameIn("JanFebMarAprMayJunJulAugSepOctNovDec", s[8:11]), nameIn("SunMonTueWedThuFriSat", s[:3])
	if min(day, year, hour, minute, second, month, weekday) < 0 || hour > 23 || minute > 59 || second > 59 {
		return http.ParseTime(s)
	}
	t := time.Date(year, time.Month(month+1), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day {
		return http.ParseTime(s)
	}
	return t, nil
}

// nameIn is the place of a name of three letters in a list of them; -1 if it is not there.
func nameIn(names, name string) int {
	for i := 0; i < len(names); i += 3 {
		if names[i:i+3] == name {
			return i / 3
		}
	}
	return -1
}

// digits is the value of two digits; far below zero if they are none.
func digits(s string) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return math.MinInt16
	}
	return 10*int(a) + int(b)
}
