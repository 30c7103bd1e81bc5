package demeterrr

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// loop is a call in the hands of go-retryablehttp, which makes its second attempt
// and repeats that for as long as checkRetry says. A light client of the library
// for each call, whose transport is the loop itself, keeps the call where the
// library's hooks can reach it.
type loop struct {
	call
	repeater retryablehttp.Client
	http     http.Client
	request  retryablehttp.Request
}

// repeat goes on with a call whose first attempt may be repeated.
func (k *call) repeat() {
	if again, _ := k.checkRetry(k.ctx, nil, nil); !again || sleep(k.ctx, k.wait) != nil {
		return
	}
	l := &loop{call: *k}
	l.http = http.Client{Transport: l}
	l.repeater = retryablehttp.Client{
		HTTPClient: &l.http,
		Logger:     nil, // it would log URLs, which hold emails
		RetryMax:   k.maxRetries - 1,
		CheckRetry: l.checkRetry,
		Backoff:    l.backoff,
	}
	req := http.Request{Method: k.method, URL: &k.handed.url, Header: shown.Header}
	l.request.Request = req.WithContext(k.ctx)
	_, _ = l.repeater.Do(&l.request) //nolint:bodyclose // it has none: the call has kept all that it met
	*k = l.call
}

// shown is what the library is shown of every reply, as the real one is read and
// judged already, and must not be drained, dropped, or followed to another host.
// Nothing writes to it.
var shown = &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}

// RoundTrip is where the library makes an attempt.
func (l *loop) RoundTrip(*http.Request) (*http.Response, error) {
	l.attempt()
	return shown, nil
}

// checkRetry is what go-retryablehttp asks after each attempt. The wait is
// computed here, where the reply is known, as the library drops it before it
// calls Backoff.
func (k *call) checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	if !k.again || k.attempts > k.maxRetries {
		return false, nil
	}
	floor := k.last.RetryAfter
	if floor > k.client.policy.MaxRetryAfter {
		return false, nil
	}
	if floor == 0 {
		floor = k.client.policy.backoff(k.attempts)
	}
	left := room(ctx)
	if floor >= left {
		return false, nil // it would sleep in vain
	}
	k.wait, k.waiting = lengthen(floor, floor/4, left), true
	k.last.Attempts, k.last.unknown = k.attempts, k.unknown
	k.log(slog.LevelWarn, "demeterrr: retry", slog.Int("attempt", k.attempts), slog.Duration("wait", k.wait), slog.Any("error", k.last))
	return true, nil
}

// backoff hands go-retryablehttp the wait that checkRetry found.
func (k *call) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return k.wait
}
