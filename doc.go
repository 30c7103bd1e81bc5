// Package demeterrr is the official Go client of the demeterrr customer-feedback
// API: contacts, survey sequences, and everything else through [Fetch],
// [FetchAll] and [Client.Do].
//
// A plain Execute retries after the API's own INTERNAL_ERROR, as the API
// documents. [WithAtMostOnce] turns that retry off for one call,
// [RetryPolicy].AtMostOnce for a client.
//
//	client, err := demeterrr.NewFromEnv() // DEMETERRR_API_KEY
//	if err != nil {
//		return err
//	}
//	contact, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{
//		Email:     "jane.smith@example.com",
//		FirstName: "Jane",
//	})
//	if errors.Is(err, demeterrr.ErrContactExists) {
//		// update that one instead: or call Upsert, which does all of this
//	}
//
// # Errors
//
// Every call that fails returns an [*Error]. Ask what happened with errors.Is and
// a sentinel: [ErrContactExists], [ErrRateLimited], [ErrValidation] and the others
// answer to the API's code, [ErrConflict], [ErrServer] and the others to the HTTP
// status. Input that cannot be right is refused before anything is sent, with the
// sentinel that the server would have earned and Error.Attempts 0.
//
// [ErrUnknownOutcome] matches every failed write that may still have taken effect.
// Any other failed call has changed nothing.
//
// [Error.Retryable] reports whether the same call can succeed later and do no
// harm. A worker redelivers its message then, after Error.RetryAfter.
//
// # Retries
//
// A call is repeated when the API says so, or when repeating it can do no harm:
//
//	what came back                        GET PATCH DELETE,  Execute,
//	                                      POST /contacts     other POST, PUT
//	429                                   again              again
//	500 with the API's INTERNAL_ERROR     again              again (not at most once)
//	408, 425, any other 5xx but 501       again              error, outcome unknown
//	no connection was made                again              again
//	certificate error                     error              error
//	reply lost, cut short or unreadable   again              error, outcome unknown
//	2xx with the API's own error          error              error, outcome unknown
//	anything else                         error              error
//
// A 2xx with the API's own error leaves the outcome of every write unknown.
// At most once, only a 429 and a failed connection are repeated. Waits
// double from 1 second (up to 30), plus up to 25 % random jitter; a retryAfter of
// the API is always honored. A 429 with a retryAfter holds back every call of the
// client, not only the one that met it. [RetryPolicy] has the numbers and the worst case: give the context
// a deadline, and no wait is begun that would pass it.
//
// # Quota
//
// The API's rate limit is one for the whole organization. A [Limiter] given with
// [WithLimiter] is asked before every attempt: a [Pacer] keeps one process within
// the limits so that it meets no 429, the module redislimit a whole fleet. Calls
// of [LowPriority] go last, and leave the Reserve of each [Limit] to the others.
// [Client.RateLimit] is what the API reported last.
//
// # Many contacts
//
// Package bulk syncs any number of contacts in few requests, and sends a sequence
// to any number of them, each once, across runs and crashes.
//
// # Other endpoints
//
// [FetchAll] and [Fetch] read the surveys, responses and reviews, which have no
// methods. They take a type of yours:
//
//	type Survey struct {
//		ID string `json:"id"`
//	}
//	for survey, err := range demeterrr.FetchAll[Survey](ctx, client, "/surveys", nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(survey.ID)
//	}
//
// [Client.Do] is for replies without a body or outside the API's envelope.
//
// # Seeing inside
//
// [WithLogger] logs attempts, retries and long waits. A [Tracer] given with
// [WithTracer] follows each call, with its attempts and waits, for traces and
// metrics. It learns durations, statuses, codes and the quota, and never an id or
// an email. [Client.TraceOperation] groups the calls of your own code.
//
// # Tests
//
// Package demeterrrtest is a fake demeterrr that runs in the test's own process:
// contacts, sequences, the documented errors, and faults on demand.
package demeterrr
