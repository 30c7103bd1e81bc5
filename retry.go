package demeterrr

import (
	"errors"
	"net/http"
	"time"
)

// RetryPolicy says how often a call is repeated and how long the client waits in
// between. What is repeated at all depends on what came back, and on whether
// repeating can do harm: see the package documentation.
//
// At worst a call takes MaxRetries + 1 attempts, each as long as [WithTimeout]
// allows, and the waits between them: with the defaults four attempts of 30
// seconds and waits of up to 2.5 minutes each. Give the context a deadline to
// bound it; a wait that would pass the deadline is not begun.
//
// A call of [LowPriority] that meets a 429 waits for a retryAfter of up to an hour.
// That wait uses up none of MaxRetries, also if they are 0.
type RetryPolicy struct {
	// MaxRetries is the number of attempts after the first; 0 means no retries: start from [DefaultRetryPolicy] to change other fields.
	MaxRetries int
	// MinWait is the wait before the first retry; it doubles with each further one. 0 means 1 second.
	MinWait time.Duration
	// MaxWait is where the doubling ends. 0 means 30 seconds.
	MaxWait time.Duration
	// MaxRetryAfter is the longest retryAfter of the API that is waited for; beyond it the call returns
	// at once, with Error.RetryAfter set. 0 means 2 minutes.
	MaxRetryAfter time.Duration
	// AtMostOnce makes every call of the client one with [WithAtMostOnce], reads included.
	AtMostOnce bool
}

// DefaultRetryPolicy is 3 retries after 1, 2 and 4 seconds, or after what the API
// asks for, up to 2 minutes. Each wait is up to a quarter longer by chance, by 30
// seconds at most.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{MaxRetries: 3, MinWait: time.Second, MaxWait: 30 * time.Second, MaxRetryAfter: 2 * time.Minute}
}

// complete puts the defaults where there is a zero. A default gives way to a
// bound that was set.
func (p RetryPolicy) complete() (RetryPolicy, error) {
	if p.MaxRetries < 0 || p.MinWait < 0 || p.MaxWait < 0 || p.MaxRetryAfter < 0 {
		return p, errors.New("RetryPolicy: no field may be negative")
	}
	if p.MaxWait != 0 && p.MinWait > p.MaxWait {
		return p, errors.New("RetryPolicy: MinWait must not be longer than MaxWait")
	}
	def := DefaultRetryPolicy()
	if p.MaxWait == 0 {
		p.MaxWait = max(def.MaxWait, p.MinWait)
	}
	if p.MinWait == 0 {
		p.MinWait = min(def.MinWait, p.MaxWait)
	}
	if p.MaxRetryAfter == 0 {
		p.MaxRetryAfter = def.MaxRetryAfter
	}
	return p, nil
}

// backoff is the wait after the given number of attempts, before chance lengthens it.
func (p RetryPolicy) backoff(attempts int) time.Duration {
	wait := p.MinWait
	for range attempts - 1 {
		if wait > p.MaxWait/2 {
			return p.MaxWait
		}
		wait *= 2
	}
	return wait
}

// classify says what a reply, or the lack of one, means: the error to return, nil
// for success, and whether the table of retries lets the call be repeated. Where
// a write may have taken effect, the call remembers it.
func (k *call) classify(rep *reply, buf *replyBuffer) (failed *Error, again bool) {
	var effect bool
	switch {
	case rep.status == 0:
		failed, again, effect = k.classifyLost(rep)
	case rep.status/100 == 2:
		if failed = k.decodeReply(rep, buf); failed == nil {
			return nil, false
		}
		// A code means the API's own error in a 2xx. It is final: a repeat could do the work twice.
		again, effect = failed.Code == "" && k.repeatable() && !failed.permanent, true
	case rep.status == http.StatusNotFound && k.method == http.MethodDelete && k.unknown:
		return nil, false // an earlier attempt has deleted it, and its reply was lost
	default:
		failed = k.decodeError(rep)
		if rep.status == http.StatusTooManyRequests {
			k.client.gate.Close(failed.RetryAfter)
		}
		again, effect = k.classifyStatus(failed)
	}
	if effect && k.method != http.MethodGet {
		k.unknown = true
	}
	return failed, again
}

// classifyStatus is the table of retries for replies that are errors. effect says
// that the server may have done the work all the same.
func (k *call) classifyStatus(e *Error) (again, effect bool) {
	switch e.StatusCode {
	case http.StatusTooManyRequests:
		return true, false
	case http.StatusInternalServerError:
		if e.Code == CodeInternal {
			return !k.atMostOnce, true // contract, section 7: "retry with exponential backoff"
		}
		return k.repeatable(), true
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return k.repeatable(), true
	case http.StatusNotImplemented:
		return false, true // a repeat would change nothing
	case http.StatusSeeOther:
		return false, true // how many servers say "done, look there"
	}
	if e.StatusCode/100 == 5 {
		return k.repeatable(), true
	}
	return false, e.StatusCode >= 600 || e.StatusCode < 200 // 101: what came of it is said in another protocol
}

// classifyLost is the table of retries for attempts that no reply came back from.
func (k *call) classifyLost(rep *reply) (failed *Error, again, effect bool) {
	failed = &Error{cause: k.lostBy(rep.err)}
	switch {
	case !rep.left && badCertificate(rep.err):
		failed.Message = messageCertificate
		failed.permanent, rep.unsent = true, true
		return failed, false, false
	case rep.unsent || !rep.left && neverConnected(rep.err): // else that was a transport's second try
		failed.Message, rep.unsent = messageNoConnection, true
		return failed, true, false
	case ended(k.ctx):
		failed.Message = messageCancelled
		return failed, false, true
	}
	failed.Message = messageNoReply
	return failed, k.repeatable(), true
}

// repeatable reports whether the client may send the call again although the first
// attempt may have taken effect.
func (k *call) repeatable() bool { return !k.atMostOnce && repeatable(k.method, k.path) }

// repeatable reports whether a call can be sent twice without harm: it reads, it
// sets or deletes what has an id, or it creates what its email keeps unique.
func repeatable(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodPatch, http.MethodDelete:
		return true
	}
	return method == http.MethodPost && path == routeContacts
}
