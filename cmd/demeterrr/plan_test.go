package main

import (
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestTheEstimateCountsTheQuota(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	used := demeterrr.RateLimit{Limit: 1000, Remaining: 50, Reset: now.Add(20 * time.Minute)}
	for _, tt := range []struct {
		requests int
		quota    demeterrr.RateLimit
		want     time.Duration
	}{
		{0, demeterrr.RateLimit{}, 0},
		{100, demeterrr.RateLimit{}, 0},
		{101, demeterrr.RateLimit{}, time.Minute},
		{600, demeterrr.RateLimit{}, 5 * time.Minute},
		{1481, demeterrr.RateLimit{}, 64 * time.Minute},
		{2000, demeterrr.RateLimit{}, 69 * time.Minute},
		{2001, demeterrr.RateLimit{}, 2 * time.Hour},
		{50, used, 0},
		{51, used, 20 * time.Minute},
		{250, used, 21 * time.Minute},
		{600, demeterrr.RateLimit{Limit: 100, Remaining: 1}, 5 * time.Minute}, // the window of a minute
	} {
		if got := estimate(tt.requests, 100, 1000, tt.quota, now); got != tt.want {
			t.Errorf("%d requests at %+v: %v, want %v", tt.requests, tt.quota, got, tt.want)
		}
	}
}

func TestTheEndIsTold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)
	for takes, want := range map[time.Duration]string{
		0:                "done in under a minute",
		time.Minute:      "done about 12:01, in 1 minute",
		64 * time.Minute: "done about 13:04, in 64 minutes",
		29 * time.Hour:   "done about Sat 28 Nov 17:00, in 29 hours",
	} {
		if got := done(takes, now); got != want {
			t.Errorf("%v: %q, want %q", takes, got, want)
		}
	}
}
