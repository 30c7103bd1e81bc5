package headers

import (
	"net/http"
	"testing"
	"time"
)

// FuzzParseTime compares the fast reading of a date with net/http's.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{
		"Tue, 10 Feb 2026 14:20:00 GMT", "Mon, 29 Feb 2016 00:00:00 GMT", "Mon, 29 Feb 2026 00:00:00 GMT", "Tue, 31 Apr 2026 23:59:59 GMT", "Tue, 00 Feb 2026 14:20:00 GMT",
		"Tue, 10 Feb 2026 24:00:00 GMT", "Tue, 10 Feb 2026 23:60:00 GMT", "Tue, 10 Feb 2026 23:59:60 GMT", "Abc, 10 Feb 2026 14:20:00 GMT", "Tue, 10 ebM 2026 14:20:00 GMT",
		"Tue, 10 Xxx 2026 14:20:00 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", "Tue, 1a Feb 2026 14:20:00 GMT", "Tue, 10 Feb 2026 14:20:00 UTC", "tue, 10 feb 2026 14:20:00 GMT", "unM, 10 Feb 2026 14:20:00 GMT",
		"Tuesday, 10-Feb-26 14:20:00 GMT", "Tue Feb 10 14:20:00 2026", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime(s)
		want, wantErr := http.ParseTime(s)
		if (err == nil) != (wantErr == nil) || err == nil && !got.Equal(want) {
			t.Errorf("%q: %v %v, net/http reads %v %v", s, got.Format(time.RFC3339), err, want.Format(time.RFC3339), wantErr)
		}
	})
}
