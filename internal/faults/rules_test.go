package faults

import (
	"context"
	"net/http"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// class is the effect of a fault under the rules.
type class string

// The rows of the table of retries.
const (
	noFault        class = "none"
	limited        class = "429"
	apiFailed      class = "500 with the API's own body"
	serverFailed   class = "408, 425, any other 5xx but 501"
	notThere       class = "501"
	noConnection   class = "no connection was made"
	badCertificate class = "certificate error"
	refused        class = "the server reports it as unprocessed"
	lost           class = "reply lost"
	badBody        class = "2xx with a broken body" // a lost reply for whom needs the body
	tooLarge       class = "2xx with an oversized body"
	failedIn2xx    class = "2xx with the API's own error"
	seeOther       class = "303 or 101: perhaps done, the result is elsewhere"
	refusal        class = "any other status"
)

// kind is the effect of a method under the rules.
type kind string

// The columns of the table of retries.
const (
	reads    kind = "reads"
	updates  kind = "Update"
	deletes  kind = "Delete"
	creates  kind = "Create"
	upserts  kind = "Upsert"
	executes kind = "Execute"
	sendOnce kind = "Execute, at most once"
)

// repeat selects the calls that are retried.
type repeat int

const (
	nobody   repeat = iota
	harmless        // reads, writes by id, and creates with a unique email
	willing         // all but calls with at most once
	everybody
)

// rule is one row of the table.
type rule struct {
	again  repeat
	effect bool // the server may have done the work: a write's outcome is unknown
}

// rules is section 5 of the design, row by row.
var rules = map[class]rule{
	noFault:        {},
	limited:        {everybody, false},
	apiFailed:      {willing, true},
	serverFailed:   {harmless, true},
	notThere:       {nobody, true},
	noConnection:   {everybody, false},
	badCertificate: {nobody, false},
	refused:        {harmless, true}, // net/http knows better, and says it in the text of an error only
	lost:           {harmless, true},
	badBody:        {harmless, true},
	tooLarge:       {nobody, true}, // it would only be as large again
	failedIn2xx:    {nobody, true},
	seeOther:       {nobody, true},
	refusal:        {nobody, false},
}

func (r rule) repeats(k kind) bool {
	switch r.again {
	case everybody:
		return true
	case willing:
		return k != sendOnce
	case harmless:
		return k != executes && k != sendOnce
	case nobody:
	}
	return false
}

// situation is the caller's behavior and the duration of the fault.
type situation string

const (
	stays    situation = "the fault stays"
	passes   situation = "the fault passes after one attempt"
	cancels  situation = "the caller cancels"
	deadline situation = "the caller's deadline passes"
)

// want is the required outcome.
type want struct {
	ok         bool
	status     int
	is         []error // exactly these, of all there are
	attempts   int     // 0: not checked
	unknown    bool
	retryAfter time.Duration // at least
	gated      bool          // the next call is not sent, as a 429 has asked to wait for long
}

// expect applies the rules.
func expect(f *fault, k kind, s situation) want {
	r := rules[f.class]
	bare := k == deletes && (f.class == badBody || f.class == tooLarge) // Delete needs only a status
	spared := f.bodies && (k == reads || k == deletes)
	if f.class == noFault || bare || spared {
		return want{ok: true, attempts: 1}
	}
	again := r.repeats(k) && f.retryAfter <= maxRetryAfter
	w := want{status: f.status, attempts: 1, unknown: r.effect && k != reads, retryAfter: f.retryAfter}
	w.is = sentinels(f.status, f.class)
	w.gated = f.class == limited && f.retryAfter > maxRetryAfter
	switch {
	case f.stalls && s == cancels:
		w.is = append(w.is, context.Canceled)
	case f.stalls && s == deadline:
		w.is = append(w.is, context.DeadlineExceeded)
	case s == cancels && again:
		w.is = append(w.is, context.Canceled) // while it waits for the next attempt
	case s == deadline && again:
		// The wait would outlast the deadline: the call returns at once, with
		// the outcome of the attempt.
	case s == passes && again, f.reused && again:
		return afterwards(k, r.effect && !f.early)
	case s == stays && again:
		w.attempts = maxRetries + 1
	}
	if f.stalls && (s == stays || s == passes) {
		w.is = append(w.is, demeterrr.ErrTimeout)
	}
	if w.unknown {
		w.is = append(w.is, demeterrr.ErrUnknownOutcome)
	}
	return w
}

// afterwards returns the outcome of the second attempt, without a fault.
func afterwards(k kind, done bool) want {
	if k == creates && done {
		// It meets the contact of the first attempt.
		return want{
			status: http.StatusConflict, attempts: 2, unknown: true,
			is: []error{demeterrr.ErrConflict, demeterrr.ErrContactExists, demeterrr.ErrUnknownOutcome},
		}
	}
	return want{ok: true, attempts: 2}
}

// sentinels returns the sentinels for a status, and for its code if the body is
// the API's.
func sentinels(status int, c class) []error {
	switch {
	case status == http.StatusTooManyRequests:
		return []error{demeterrr.ErrRateLimited}
	case c == apiFailed:
		return []error{demeterrr.ErrServer, demeterrr.ErrInternal}
	case c == failedIn2xx:
		return []error{demeterrr.ErrInternal} // by its code
	case status >= 500:
		return []error{demeterrr.ErrServer}
	}
	return nil
}

// all are the sentinels that the tests check.
var all = []error{
	demeterrr.ErrMissingAPIKey, demeterrr.ErrInvalidAPIKeyFormat, demeterrr.ErrInvalidAPIKey, demeterrr.ErrExpiredAPIKey,
	demeterrr.ErrInsufficientPermissions, demeterrr.ErrValidation, demeterrr.ErrSequenceInactive, demeterrr.ErrContactExists,
	demeterrr.ErrInternal, demeterrr.ErrNotFound, demeterrr.ErrRateLimited, demeterrr.ErrBadRequest, demeterrr.ErrUnauthorized,
	demeterrr.ErrForbidden, demeterrr.ErrConflict, demeterrr.ErrServer, demeterrr.ErrTimeout, demeterrr.ErrUnknownOutcome,
	context.Canceled, context.DeadlineExceeded,
}
