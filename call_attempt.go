package demeterrr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// reply is the result of one attempt.
type reply struct {
	status    int         // 0 if no reply came
	header    http.Header // unscrubbed: scrub before showing
	body      []byte
	err       error     // why the reply is missing or incomplete
	unsent    bool      // certainly nothing of the request left
	left      bool      // some of the request may have left, whatever err says
	at        time.Time // time of the reply or of the failure
	rateLimit RateLimit
}

// attempt makes one attempt: gate, key, limiter, then the request. It releases
// the place at the limiter also if the transport, a hook or a tracer panics.
func (k *call) attempt() {
	k.waiting = false
	defer k.release()
	err := k.acquire()
	if err == nil {
		err = k.beforeSend()
	}
	if err != nil {
		k.last, k.again = k.interrupted(err), false
		return
	}
	var rep reply
	if t := k.client.tracing; t != nil && t.attempts != nil {
		k.tracedSend(t.attempts, &rep)
	} else {
		k.send(k.ctx, &rep)
	}
}

// send starts the time limit, sends the request, and reads and classifies the
// whole reply.
func (k *call) send(ctx context.Context, rep *reply) {
	k.attempts++
	k.status = 0
	started := time.Now()
	if k.uncancelable {
		ctx = context.WithoutCancel(ctx)
	}
	end, cancel := started.Add(k.client.timeout), context.CancelFunc(nil)
	if deadline, ok := ctx.Deadline(); !ok || end.Before(deadline) { // else the caller's deadline comes first
		ctx, cancel = context.WithDeadline(ctx, end)
	}
	buf := buffers.Get().(*replyBuffer)
	transport := k.client.roundTripper()
	k.outcome.Sent = true // corrected below if nothing left
	attempt := watched(ctx, cancel, transport, buf.watch)
	defer attempt.end()
	*rep = k.exchange(transport, attempt, buf) //nolint:contextcheck // that is the context
	rep.at = time.Now()
	k.status = rep.status
	k.updateQuota(rep)
	k.outcome.StatusCode, k.outcome.RateLimit = rep.status, rep.rateLimit
	k.last, k.again = k.classify(rep, buf)
	k.outcome.Sent = !rep.unsent
	if rep.status == http.StatusTooManyRequests {
		k.outcome.RetryAfter = k.last.RetryAfter
	}
	if rep.err == nil {
		buf.release()
	}
	if k.client.logger != nil { // checked here too, to save the attributes
		k.logTo().write(slog.LevelDebug, "demeterrr: attempt", slog.Int("attempt", k.attempts), slog.Int("status", rep.status), slog.Duration("took", rep.at.Sub(started)))
	}
}

// acquire waits until the attempt may be sent: at the gate, then at the
// limiter, whose place the attempt holds from then on. It takes the key in
// between: without a key there is no need for a place. If the gate closes
// meanwhile, acquire releases the place, so that no waiting call holds one.
func (k *call) acquire() error {
	for {
		if k.ctx.Err() != nil {
			return contextError(k.ctx)
		}
		if err := k.waitAtGate(); err != nil {
			return err
		}
		if err := k.takeKey(); err != nil {
			return err
		}
		if k.client.limiter != nil {
			if err := k.acquirePlace(); err != nil {
				return err
			}
		} else if !k.client.asksKey {
			return nil // no time has passed
		}
		if k.client.gate.Left() <= 0 {
			return nil
		}
		k.release()
	}
}

// release gives the place back, if there is one.
func (k *call) release() {
	giveBack, outcome := k.place, k.outcome
	k.place, k.outcome = nil, LimitOutcome{}
	if giveBack != nil {
		giveBack(outcome)
	}
}

// beforeSend runs the hooks just before the attempt leaves. It comes after the
// limiter, which can hold the attempt back for an hour.
func (k *call) beforeSend() error {
	if ended(k.ctx) { // a limiter may have ignored it
		return contextError(k.ctx)
	}
	for _, hook := range k.sendHooks {
		if err := hook(k.ctx); err != nil {
			return err
		}
	}
	if len(k.sendHooks) > 0 && !k.uncancelable && ended(k.ctx) {
		return contextError(k.ctx)
	}
	return nil
}

// exchange sends the request and reads the whole reply, so that its connection
// can be reused.
func (k *call) exchange(transport http.RoundTripper, ctx *watchedContext, buf *replyBuffer) reply {
	resp, err := transport.RoundTrip(k.httpRequest(ctx))
	switch {
	case err != nil:
		return ctx.failed(scrub.Readable(err))
	case resp == nil || resp.StatusCode == 0:
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		return reply{err: errors.New("the transport returned neither a reply nor an error")}
	}
	if k.client.jar != nil {
		asked := k.url // a transport may have changed the request's URL
		k.client.jar.SetCookies(&asked, resp.Cookies())
	}
	rep := reply{status: resp.StatusCode, header: resp.Header}
	if resp.Body == nil { // some hand-written transports do this, and http.Client allows it
		return rep
	}
	defer resp.Body.Close()
	if rep.status != http.StatusSwitchingProtocols { // after a 101 another protocol follows
		rep.body, rep.err = buf.readBody(resp)
	}
	return rep
}

// updateQuota stores the reported quota for the whole client, and the reply for
// the caller's Response.
func (k *call) updateQuota(rep *reply) {
	if rep.status != 0 {
		if limit, remaining, reset, ok := headers.RateLimit(rep.header, rep.at); ok {
			reported := RateLimit{Limit: limit, Remaining: remaining, Reset: reset}
			k.client.rateLimit.Store(&reported)
			rep.rateLimit = reported
		}
	}
	for _, r := range k.responses {
		if rep.status != 0 {
			h := scrub.Header(rep.header, k.key)
			*r = Response{StatusCode: rep.status, Header: h, RateLimit: rep.rateLimit, RequestID: k.requestID(rep)}
		}
		r.Attempts = k.attempts
	}
}

// requestID returns the reply's X-Request-Id, scrubbed, or "".
func (k *call) requestID(rep *reply) string {
	if ids := rep.header["X-Request-Id"]; len(ids) > 0 {
		return scrub.Key(ids[0], k.key)
	}
	return ""
}

// decodeReply reads the body of a 2xx. An unreadable body counts as a lost
// reply. The API's own error in the body is the result, even if the caller
// wants no body.
func (k *call) decodeReply(rep *reply, buf *replyBuffer) *Error {
	decode := k.decode
	switch {
	case rep.err != nil && decode == nil:
		return nil
	case rep.err != nil:
		return &Error{
			StatusCode: rep.status, Message: messageUnreadable, RequestID: k.requestID(rep),
			cause: k.lostBy(rep.err), permanent: errors.Is(rep.err, errTooLarge),
		}
	case decode == nil:
		decode = whole
	}
	buf.reader = jsonread.New(rep.body)
	err := decode(&buf.reader)
	if err == nil {
		return nil
	}
	if failed := k.decodeError(rep); failed.Code != "" {
		return failed
	}
	if k.decode == nil {
		return nil
	}
	return &Error{StatusCode: rep.status, RequestID: k.requestID(rep), cause: fmt.Errorf("the reply is not what the API documents: %w", err)}
}
