package jsonread_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// wantTime holds the reading of a time to package time.
func wantTime(t *testing.T, text string) {
	t.Helper()
	var want time.Time
	wantErr := want.UnmarshalJSON([]byte(`"` + text + `"`))
	if wantErr != nil {
		want = time.Time{}
	}
	r := jsonread.New([]byte(`"` + text + `"`))
	got := r.Time()
	if err := r.End(); (err != nil) != (wantErr != nil) {
		t.Errorf("%s: error %v, want %v", text, err, wantErr)
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Location() != want.Location() {
		t.Errorf("%s (-want +got)\n%s", text, diff)
	}
}

// Each byte of a time takes each character.
func TestTimesAreReadAsPackageTimeReadsThem(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-01-15T10:30:00.000Z", "1999-12-28T23:59:59.999Z", "2024-02-29T10:20:10.120Z", "2024-06-30T00:00:00.001Z"} {
		wantTime(t, text)
		for i := range len(text) {
			for c := byte(' '); c < 0x7f; c++ {
				if c != '"' && c != '\\' {
					wantTime(t, text[:i]+string(c)+text[i+1:])
				}
			}
		}
	}
	for _, text := range []string{
		"0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2025-02-29T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026-04-31T00:00:00.000Z",
		"2026-01-15T10:30:00Z", "2026-01-15T10:30:00.5Z", "2026-01-15T10:30:00.0000Z", "2026-01-15T10:30:00.00+01:00", "2026-01-15T10:30:00+00:00", "2026-01-15T1:30:00.0000Z", "",
	} {
		wantTime(t, text)
	}
}
