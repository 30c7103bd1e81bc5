package demeterrr

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/demeterrr/demeterrr-go/internal/gate"
)

// loop hands a call to go-retryablehttp from its second attempt. The library
// repeats the call, sleeps in between and watches the context, until planRetry
// ends it. Each loop has its own light client of the library, with the loop as
// its transport, so that the hooks reach the call.
type loop struct {
	call
	repeater retryablehttp.Client
	http     http.Client
	turn     retryablehttp.Request // of standIn
	standIn  http.Request          // stands for the request in the library
}

// repeat retries a call after its first attempt. It makes the first wait
// itself. The library cannot start with a wait, and an empty turn of its loop
// costs up to a tenth of the call.
func (k *call) repeat() {
	if again, _ := k.planRetry(k.ctx, nil, nil); !again || k.sleep(k.waitReason(), k.wait) != nil {
		return
	}
	l := loops.Get().(*loop)
	l.call = *k
	returned := false
	defer func() {
		*k = l.call
		if returned { // after a panic, the library may still hold it
			l.call, l.standIn, l.turn.Request = call{}, http.Request{}, nil
			loops.Put(l)
		}
	}()
	l.standIn = *new(http.Request).WithContext(k.ctx)
	l.standIn.Method, l.standIn.URL, l.standIn.Header = k.method, k.client.base, noHeader
	l.turn.Request = &l.standIn
	_, _ = l.repeater.Do(&l.turn) //nolint:bodyclose // it has none: the call has kept all that it met
	returned = true
}

// loops holds loops for reuse. The library keeps nothing of one when Do returns.
var loops = sync.Pool{New: func() any {
	l := new(loop)
	l.http.Transport = l
	l.repeater = retryablehttp.Client{
		HTTPClient: &l.http,
		Logger:     nil,         // it would log URLs with emails
		RetryMax:   math.MaxInt, // planRetry counts
		CheckRetry: l.planRetry,
		Backoff:    l.beginPlannedWait,
	}
	return l
}}

// noHeader stands for the headers in http.Client, which copies it. It stays
// empty.
var noHeader = http.Header{}

// emptyReply stands for every reply in the library. The real reply is already
// read and classified. The library must not drain it, drop it or follow it to
// another host. Nothing writes to emptyReply.
var emptyReply = &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}

// RoundTrip makes an attempt for the library.
func (l *loop) RoundTrip(*http.Request) (*http.Response, error) {
	l.endWait(nil)
	l.attempt()
	return emptyReply, nil
}

// planRetry decides after each attempt whether go-retryablehttp retries. It
// also computes the wait, as the library drops the reply before it asks for
// one.
func (k *call) planRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	if !k.again {
		return false, nil
	}
	const longestExtra = 30 * time.Second
	floor, ok := k.nextWait()
	left := room(ctx)
	if !ok || floor >= left {
		return false, nil // no further attempt, or none before the deadline
	}
	k.wait, k.waiting = lengthen(floor, min(floor/4, longestExtra), left), true
	if k.client.logger != nil { // checked here too, to save the copy
		failed := *k.last // a copy: the handler may keep it
		failed.Method, failed.Path = k.method, k.path
		failed.Attempts, failed.unknown = k.attempts, k.unknown
		k.logTo().write(slog.LevelWarn, "demeterrr: retry", slog.Int("attempt", k.attempts), slog.Duration("wait", k.wait), slog.String("reason", string(k.waitReason())), slog.Any("error", &failed))
	}
	return true, nil
}

// nextWait returns the minimum wait before the next attempt, or false if there
// is no next attempt.
func (k *call) nextWait() (time.Duration, bool) {
	policy, asked := k.client.policy, k.last.RetryAfter
	if asked > 0 && k.waitReason() == WaitReasonRateLimited && k.waitsForQuota() {
		wait := asked
		if k.pauses > 0 { // the API may ask for one second each time
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

// waitsForQuota reports whether the call waits for a retryAfter of up to an
// hour, whatever its number of retries. With WithMaxRetries(0) it does not.
func (k *call) waitsForQuota() bool { return !k.neverWaits && IsLowPriority(k.ctx) }

// maxRetryAfter returns the longest retryAfter of a 429 that the call waits
// for.
func (k *call) maxRetryAfter() time.Duration {
	longest := k.client.policy.MaxRetryAfter
	if k.waitsForQuota() {
		longest = max(longest, gate.MaxClosed)
	}
	return longest
}

// waitReason returns the reason for a wait after the last attempt.
func (k *call) waitReason() WaitReason {
	if k.last.StatusCode == http.StatusTooManyRequests {
		return WaitReasonRateLimited
	}
	return WaitReasonBackoff
}

// beginPlannedWait returns the wait found by planRetry. The library begins it
// at once.
func (k *call) beginPlannedWait(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	now := time.Now()
	k.beginWait(k.waitReason(), now, now.Add(k.wait))
	return k.wait
}

// waitAtGate waits while a 429 has closed the client's gate. The rules are
// those of a retry: the wait must stay within MaxRetryAfter and the deadline,
// and MaxRetries 0 forbids it. Random jitter spreads the calls when the gate
// opens.
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

// lengthen adds a random part of extra to wait, so that paused clients come
// back at different times. It uses at most half of the time between the wait
// and the deadline.
func lengthen(wait, extra, left time.Duration) time.Duration {
	extra = min(extra, (left-wait)/2)
	return wait + time.Duration(rand.Float64()*float64(extra)) //nolint:gosec // nobody gains by guessing it
}

// room returns the time until the deadline of the context, or the maximum.
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
