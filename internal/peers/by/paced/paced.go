// Package paced is this project with a Pacer that never has to wait.
package paced

import (
	"context"
	"net/http"
	"time"

	"github.com/demeterrr/demeterrr-go"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/sdk"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// plenty is more than any client sends in a minute.
const plenty = 5_000_000

// One makes a client with one limit.
func One(base string, rt http.RoundTripper, retry bool) work.Peer {
	return with(demeterrr.NewPacer(demeterrr.Limit{Requests: plenty, Window: time.Second}), base, rt, retry)
}

// Two makes a client with two limits.
func Two(base string, rt http.RoundTripper, retry bool) work.Peer {
	return with(two(0), base, rt, retry)
}

// Crowded makes a client with two limits, which keep all places but one for calls of normal priority. One call of low
// priority holds that place, and ten wait for it as long as the program runs.
func Crowded(base string, rt http.RoundTripper, retry bool) work.Peer {
	pacer, low := two(plenty-1), demeterrr.LowPriority(context.Background())
	if _, err := pacer.Acquire(low); err != nil {
		panic(err)
	}
	for range 10 {
		go func() { _, _ = pacer.Acquire(low) }()
	}
	return with(pacer, base, rt, retry)
}

func two(reserve int) *demeterrr.Pacer {
	return demeterrr.NewPacer(demeterrr.Limit{Requests: plenty, Window: time.Second, Reserve: reserve}, demeterrr.Limit{Requests: plenty, Window: time.Minute, Reserve: reserve})
}

func with(pacer *demeterrr.Pacer, base string, rt http.RoundTripper, retry bool) work.Peer {
	return sdk.New(base, rt, retry, demeterrr.WithLimiter(pacer))
}
