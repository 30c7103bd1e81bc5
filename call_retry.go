package demeterrr

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/demeterrr/demeterrr-go/internal/gate"
)

// loop is a call in the hands of go-retryablehttp, which from the second attempt
// on repeats it, sleeps in between and watches the context, until planRetry says
// that it is over. A light client of the library for each call, whose transport is
// the loop itself, keeps the call where the library's hooks can reach it.
type loop struct {
	call
	repeater retryablehttp.Client
	http     http.Client
	turn     retryablehttp.Request // what the library takes for the request
}

// repeat goes on with a call whose first attempt may be repeated. It waits for the
// second one itself: the library cannot begin with a wait, and an empty turn of its
// loop before it costs as much as a tenth of the call.
func (k *call) repeat() {
	if again, _ := k.planRetry(k.ctx, nil, nil); !again || k.sleep(k.waitReason(), k.wait) != nil {
		return
	}
	l := &loop{call: *k}
	defer func() { *k = l.call }()
	l.http = http.Client{Transport: l}
	l.repeater = retryablehttp.Client{
		HTTPClient: &l.http,
		Logger:     nil,         // it would log URLs, which hold emails
		RetryMax:   math.MaxInt, // planRetry counts
		CheckRetry: l.planRetry,
		Backoff:    l.beginPlannedWait,
	}
	req := http.Request{Method: k.method, URL: k.client.base, Header: noHeader}
	l.turn.Request = req.WithContext(k.ctx)
	_, _ = l.repeater.Do(&l.turn) //nolint:bodyclose // it has none: the call has kept all that it met
}

// noHeader is what http.Client, which copies it, is shown of the headers. Nothing writes to it.
var noHeader = http.Header{}

// emptyReply is what the library is shown of every reply, as the real one is read
// and classified already, and must not be drained, dropped, or followed to another
// host. Nothing writes to it.
var emptyReply = &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}

// RoundTrip is where the library makes an attempt.
func (l *loop) RoundTrip(*http.Request) (*http.Response, error) {
	l.endWait(nil)
	l.attempt()
	return emptyReply, nil
}

// planRetry is what go-retryablehttp asks after each attempt. The wait is found
// here, where the reply is known, as the library drops it before it asks for one.
func (k *call) planRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	if !k.again {
		return false, nil
	}
	const longestExtra = 30 * time.Second
	floor, ok := k.nextWait()
	left := room(ctx)
	if !ok || floor >= left {
		return false, nil // it would sleep in vain
	}
	k.wait, k.waiting = lengthen(floor, min(floor/4, longestExtra), left), true
	if k.client.logger != nil { // asked here too, as the copy is not free
		failed := *k.last // the handler may keep it, and the call goes on to change its own
		failed.Method, failed.Path = k.method, k.path
		failed.Attempts, failed.unknown = k.attempts, k.unknown
		k.logTo().write(slog.LevelWarn, "demeterrr: retry", slog.Int("attempt", k.attempts), slog.Duration("wait", k.wait), slog.String("reason", string(k.waitReason())), slog.Any("error", &failed))
	}
	return true, nil
}

// nextWait returns the shortest wait before the next attempt, or false if there is
// no next attempt.
func (k *call) nextWait() (time.Duration, bool) {
	policy, asked := k.client.policy, k.last.RetryAfter
	if asked > 0 && k.waitReason() == WaitReasonRateLimited && k.waitsForQuota() {
		wait := asked
		if k.pauses > 0 { // the API may ask for a second for ever
			wait = max(wait, policy.backoff(k.pauses))
		}
		k.pauses++
		return wait, asked <= k.maxRetryAfter()
	}
	counted := k.attempts - k.pauses
	if counted > k.maxRetries || asked > policy.MaxRetryAfter {
		return 0, false
	}
	if asked > 0 {
		return asked, true
	}
	return policy.backoff(counted), true
}

// waitsForQuota reports whether the call waits for a retryAfter of up to an hour,
// whatever its number of retries. A call with WithMaxRetries(0) does not.
func (k *call) waitsForQuota() bool { return !k.neverWaits && IsLowPriority(k.ctx) }

// maxRetryAfter is the longest retryAfter of a 429 that the call waits for.
func (k *call) maxRetryAfter() time.Duration {
	longest := k.client.policy.MaxRetryAfter
	if k.waitsForQuota() {
		longest = max(longest, gate.MaxClosed)
	}
	return longest
}

// waitReason is why the call waits after its last attempt.
func (k *call) waitReason() WaitReason {
	if k.last.StatusCode == http.StatusTooManyRequests {
		return WaitReasonRateLimited
	}
	return WaitReasonBackoff
}

// beginPlannedWait hands go-retryablehttp the wait that planRetry found, which the
// library begins at once.
func (k *call) beginPlannedWait(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	now := time.Now()
	k.beginWait(k.waitReason(), now, now.Add(k.wait))
	return k.wait
}

// waitAtGate waits while a 429 has closed the client's gate, by the same rules as
// a retry: not for too long, not past the deadline, and not at all if the call
// must not be repeated. When the gate opens, those who wait are spread a little.
func (k *call) waitAtGate() error {
	for {
		left := k.client.gate.Left()
		if left <= 0 {
			return nil
		}
		until := room(k.ctx)
		never := k.maxRetries == 0 && !k.waitsForQuota()
		if never || left > k.maxRetryAfter() || left >= until {
			return &Error{Code: CodeRateLimited, Message: "not sent: an earlier reply asked every request to wait", RetryAfter: left}
		}
		wait := lengthen(left, min(left/20, time.Second), until)
		k.logTo().wait(WaitReasonRateLimited, wait, slog.Time("until", time.Now().Add(wait)))
		if err := k.sleep(WaitReasonRateLimited, wait); err != nil {
			return err
		}
	}
}

// lengthen is wait and a random part of extra, so that clients which were stopped
// together do not come back together. It takes at most half of the time that is
// left between the wait and the deadline.
func lengthen(wait, extra, left time.Duration) time.Duration {
	extra = min(extra, (left-wait)/2)
	return wait + time.Duration(rand.Float64()*float64(extra)) //nolint:gosec // nobody gains by guessing it
}

// room is the time until the deadline of the context; a very long one if it has none.
func room(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 1<<63 - 1
	}
	return time.Until(deadline)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return contextError(ctx)
	case <-timer.C:
		return nil
	}
}
