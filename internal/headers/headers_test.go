package headers_test

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/internal/headers"
)

var now = time.Date(2026, 2, 10, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }

func TestSecondsAreANonNegativeDecimalNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "60": time.Minute, "0.5": time.Second / 2, "60.": time.Minute, ".5": time.Second / 2, "007": 7 * time.Second, "9000000000": 9000000000 * time.Second,
	} {
		if got, ok := headers.Seconds(text); !ok || got != want {
			t.Errorf("%q: got %s, %t", text, got, ok)
		}
	}
	for _, bad := range []string{"", " ", "-1", "+1", "1e3", "0x10", "1_0", "NaN", "Inf", "1.5.2", ".", "60s", " 60", "60 ", "9223372036", "99999999999999999999", "１"} {
		if got, ok := headers.Seconds(bad); ok || got != 0 {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}

func TestRetryAfterIsTheLongestWaitAsked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []string
		date   string
		want   time.Duration
	}{
		{nil, "", 0},
		{[]string{"60"}, "", time.Minute},
		{[]string{"60", "90", "30"}, "", 90 * time.Second},
		{[]string{"soon", "-5", ""}, "", 0},
		{[]string{"garbage", "30"}, "", 30 * time.Second},
		{[]string{at(time.Minute)}, "", time.Minute},
		{[]string{at(-time.Minute)}, "", 0},
		{[]string{at(time.Minute), "90"}, "", 90 * time.Second},
		// The Retry-After was made with the clock of the reply's own Date.
		{[]string{at(time.Hour + time.Minute)}, at(time.Hour), time.Minute},
		{[]string{at(-time.Hour + time.Minute)}, at(-time.Hour), time.Minute},
		{[]string{at(time.Hour)}, at(time.Hour), 0},
		{[]string{at(time.Minute)}, "yesterday", time.Minute},
		{[]string{at(time.Minute)}, at(-2 * time.Second), 62 * time.Second},
		{[]string{"60"}, at(time.Hour), time.Minute},
	} {
		h := http.Header{"Retry-After": test.values}
		if test.date != "" {
			h.Set("Date", test.date)
		}
		if got := headers.RetryAfter(h, now); got != test.want {
			t.Errorf("%q at %q: got %s, want %s", test.values, test.date, got, test.want)
		}
	}
}

func TestRateLimitNeedsALimitAndWhatRemains(t *testing.T) {
	t.Parallel()
	type report struct {
		Limit, Remaining int
		Reset            time.Time
		OK               bool
	}
	reset := strconv.FormatInt(now.Add(time.Minute).Unix(), 10)
	for _, test := range []struct {
		limit, remaining, reset, date string
		want                          report
	}{
		{"1000", "987", reset, "", report{1000, 987, now.Add(time.Minute), true}},
		{"1000", "0", "", "", report{1000, 0, time.Time{}, true}},
		{"1000", "987", reset, at(time.Hour), report{1000, 987, now.Add(-time.Hour + time.Minute), true}},
		{"1000", "987", "soon", "", report{1000, 987, time.Time{}, true}},
		{"1000", "987", "-1", "", report{1000, 987, time.Time{}, true}},
		{"1000", "987", "253402300799", "", report{1000, 987, time.Unix(253402300799, 0), true}},
		{"1000", "987", "253402300800", "", report{1000, 987, time.Time{}, true}},
		{"1000", "987", "9223372036854775807", "", report{1000, 987, time.Time{}, true}},
		{"1000", "", reset, "", report{}},
		{"", "987", reset, "", report{}},
		{"-1", "987", reset, "", report{}},
		{"1000", "-1", reset, "", report{}},
		{"1e3", "987", reset, "", report{}},
		{"+5", "987", reset, "", report{}},
		{strconv.Itoa(math.MaxInt), "987", "", "", report{math.MaxInt, 987, time.Time{}, true}},
		{"9999999999999999999", "987", "", "", report{}},
		{"00000000000000001000", "987", "", "", report{}},
		{"9223372036854775808", "987", reset, "", report{}},
		{"", "", "", "", report{}},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"X-RateLimit-Limit": test.limit, "X-RateLimit-Remaining": test.remaining, "X-RateLimit-Reset": test.reset, "Date": test.date} {
			if value != "" {
				h.Set(name, value)
			}
		}
		var got report
		got.Limit, got.Remaining, got.Reset, got.OK = headers.RateLimit(h, now)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test, diff)
		}
	}
	double := http.Header{"X-Ratelimit-Limit": {"1", "2"}, "X-Ratelimit-Remaining": {"1"}}
	if _, _, _, ok := headers.RateLimit(double, now); ok {
		t.Error("two limits were read as one")
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"60", "-1", "1e9", "9223372036854775807", at(time.Hour), "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"} {
		f.Add(seed, "")
		f.Add("60", seed)
		f.Add(seed, at(0))
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		got := headers.RetryAfter(h, now)
		if got < 0 {
			t.Errorf("%q at %q is %s", value, date, got)
		}
		if seconds, ok := headers.Seconds(value); ok && got != seconds {
			t.Errorf("%q is %s, not %s", value, got, seconds)
		}
		if _, err := http.ParseTime(value); err != nil && got > 0 {
			if n, err := strconv.ParseFloat(value, 64); err != nil || n < 0 {
				t.Errorf("garbage %q is %s", value, got)
			}
		}
	})
}

func FuzzRateLimitHeaders(f *testing.F) {
	f.Add("1000", "987", "1644518400", "")
	f.Add("-1", "+5", "9223372036854775807", at(0))
	f.Add("1", "1", "0", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, limit, remaining, reset, date string) {
		h := http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "Date": {date}}
		most, left, until, ok := headers.RateLimit(h, now)
		if most < 0 || left < 0 || !ok && (most != 0 || left != 0 || !until.IsZero()) {
			t.Errorf("got %d, %d, %s, %t", most, left, until, ok)
		}
		if ok && strings.TrimLeft(limit, "0") != strconv.Itoa(most) && most != 0 {
			t.Errorf("%q was read as %d", limit, most)
		}
	})
}
