package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// A retry of an oversized reply would only download as much again.
var tooLarge = step{body: strings.Repeat(" ", 10<<20+1)}

func TestUnknownOutcomeIsOverAllAttempts(t *testing.T) {
	t.Parallel()
	invalid := step{status: 400, body: `{"error":{"code":"VALIDATION_ERROR","message":"Invalid request"}}`}
	for name, tt := range map[string]struct {
		call    func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
		steps   []step
		unknown bool
	}{
		"execute: a 500, then three 429":       {execute, []step{internal, limited, limited, limited}, true},
		"execute: a 500, then no connection":   {execute, []step{internal, refused, refused, refused}, true},
		"execute: a 500, then 400":             {execute, []step{internal, invalid}, true},
		"execute: three 429, then a 500":       {execute, []step{limited, limited, limited, internal}, true},
		"execute: four 429":                    {execute, []step{limited, limited, limited, limited}, false},
		"execute: no connection, then 400":     {execute, []step{refused, invalid}, false},
		"create: lost, then a certificate":     {create, []step{reset, badCert}, true},
		"update: truncated, then 404":          {update, []step{{body: okContact.body, cut: true}, missing}, true},
		"update: 503, then three 429":          {update, []step{{status: 503}, limited, limited, limited}, true},
		"update: 429, then 404":                {update, []step{limited, missing}, false},
		"get: a 500, then three 429":           {get, []step{internal, limited, limited, limited}, false},
		"get: lost four times":                 {get, []step{reset, reset, reset, reset}, false},
		"get: 303":                             {get, []step{{status: 303, header: []string{"Location", "/done"}}}, false},
		"create: 303 says done, look there":    {create, []step{{status: 303, header: []string{"Location", "/done"}}}, true},
		"execute: 303 without a Location":      {execute, []step{{status: 303}}, true},
		"execute: 101":                         {execute, []step{{status: 101}}, true},
		"delete: 303":                          {remove, []step{{status: 303, header: []string{"Location", "/done"}}}, true},
		"create: 307 says send it elsewhere":   {create, []step{{status: 307, header: []string{"Location", "/there"}}}, false},
		"execute: a reply of more than 10 MiB": {execute, []step{tooLarge}, true},
		"update: a reply of more than 10 MiB":  {update, []step{tooLarge}, true},
		"get: a reply of more than 10 MiB":     {get, []step{tooLarge}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, tt.steps)
				err := tt.call(t.Context(), c)
				s.wantSent(len(tt.steps))
				wantError(t, err, len(tt.steps))
				if got := errors.Is(err, demeterrr.ErrUnknownOutcome); got != tt.unknown {
					t.Errorf("unknown outcome is %t, want %t: %v", got, tt.unknown, err)
				}
			})
		})
	}
}

func TestUnknownOutcomeOfACancelledCall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call    func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
		steps   []step
		opts    []demeterrr.CallOption
		unknown bool
	}{
		"execute in flight":                       {execute, []step{stalled}, nil, true},
		"execute at most once in flight":          {execute, []step{stalled}, []demeterrr.CallOption{demeterrr.WithAtMostOnce()}, true},
		"delete in flight":                        {remove, []step{stalled}, nil, true},
		"create, in the body of its reply":        {create, []step{{body: okContact.body, freeze: true}}, nil, true},
		"get in flight":                           {get, []step{stalled}, nil, false},
		"execute waiting after a 429":             {execute, []step{limitedFor("60")}, nil, false},
		"execute waiting after a 500":             {execute, []step{{status: 500, body: internalJSON, header: []string{"Retry-After", "60"}}}, nil, true},
		"create waiting after no connection":      {create, []step{{err: refused.err, took: 9500 * time.Millisecond}}, nil, false},
		"execute in flight again, after a 429":    {execute, []step{limited, stalled}, nil, true},
		"update in the body of a 400: it is read": {update, []step{{status: 400, body: limitedJSON, freeze: true}}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, cancel)
				c, s := play(t, tt.steps)
				err := tt.call(ctx, c, tt.opts...)
				s.wantSent(len(tt.steps))
				wantError(t, err, len(tt.steps), context.Canceled)
				if got := errors.Is(err, demeterrr.ErrUnknownOutcome); got != tt.unknown {
					t.Errorf("unknown outcome is %t, want %t: %v", got, tt.unknown, err)
				}
			})
		})
	}
}

func TestWhatWasNotSentHasAKnownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c, s := play(t, nil)
		for _, op := range operations {
			err := op.call(ctx, c)
			wantError(t, err, 0, context.Canceled)
			wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
		}
		_, err := c.Sequences.Execute(t.Context(), sequenceID, &demeterrr.ExecuteParams{})
		wantError(t, err, 0, demeterrr.ErrValidation)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
		s.wantSent(0)
	})
}

func TestCreateMeetsItsOwnContact(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]step{"reply lost": reset, "500": internal, "502": gateway, "timeout": stalled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{lost, exists})
				err := create(t.Context(), c)
				s.wantSent(2)
				wantError(t, err, 2, demeterrr.ErrContactExists, demeterrr.ErrConflict, demeterrr.ErrUnknownOutcome)
			})
		})
	}
}

func TestCreateMeetsAnothersContact(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{"at once": {exists}, "after a 429": {limited, exists}, "after no connection": {refused, exists}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := play(t, steps)
				err := create(t.Context(), c)
				wantError(t, err, len(steps), demeterrr.ErrContactExists)
				wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
			})
		})
	}
}

func TestUpsertAfterALostReplyFindsItsOwnContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{reset, exists, okContacts})
		contact, outcome, err := c.Contacts.Upsert(t.Context(), createParams)
		wantNil(t, err)
		if contact.ID != contactID || outcome != demeterrr.UpsertUnchanged {
			t.Errorf("got contact %s, %s; the API did not confirm the creation", contact.ID, outcome)
		}
		s.wantSent(3) // no difference, so no PATCH
		if got := s.sent[2].path; got != "/api/v1/contacts?email=john.doe%40example.com" {
			t.Errorf("looked for %s", got)
		}
	})
}

func TestUpsertAfterALostReplyPatchesWhatDiffers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{stalled, exists, okContacts, reset, okContact})
		_, outcome, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "Jack"})
		wantNil(t, err)
		s.wantSent(5)
		for _, i := range []int{3, 4} {
			if got := s.sent[i]; outcome != demeterrr.UpsertUpdated || got.method != "PATCH" || got.body != `{"firstName":"Jack"}` {
				t.Errorf("%s, then sent %s %s", outcome, got.method, got.body)
			}
		}
	})
}

func TestDeleteRepeatedAfterALostReplySucceedsOn404(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{"reset": reset, "timeout": stalled, "500": internal, "502": gateway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{first, limited, missing})
				var r demeterrr.Response
				wantNil(t, remove(t.Context(), c, demeterrr.WithResponse(&r)))
				s.wantSent(3)
				if r.StatusCode != 404 || r.Attempts != 3 {
					t.Errorf("the response says %d after %d attempts", r.StatusCode, r.Attempts)
				}
			})
		})
	}
}

func TestDeleteOfWhatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{"at once": {missing}, "after a 429": {limited, missing}, "after no connection": {refused, missing}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := play(t, steps)
				err := remove(t.Context(), c)
				wantError(t, err, len(steps), demeterrr.ErrNotFound)
				wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
			})
		})
	}
}

// The 404 has no result to decode, so out stays unchanged.
func TestRawDeleteRepeatedAfterALostReplySucceedsOn404(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]step{"reset": reset, "a reply that is not JSON": {body: "OK"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{lost, missing})
				out := map[string]any{"kept": true}
				wantNil(t, c.Do(t.Context(), &demeterrr.Request{Method: "DELETE", Path: "/surveys/s1"}, &out))
				s.wantSent(2)
				same(t, "out", out, map[string]any{"kept": true})
			})
		})
	}
}

func TestOnlyADeleteTakesA404ForSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{reset, missing, reset, missing})
		wantError(t, get(t.Context(), c), 2, demeterrr.ErrNotFound)
		wantError(t, update(t.Context(), c), 2, demeterrr.ErrNotFound, demeterrr.ErrUnknownOutcome)
	})
}

// waitsIn is a limiter whose wait fails with the error of another call.
type waitsIn struct{ err error }

func (w waitsIn) Acquire(context.Context) (demeterrr.Release, error) { return nil, w.err }

func TestTheDoubtOfAnotherCallIsNotThisOnes(t *testing.T) {
	t.Parallel()
	lost := lostElsewhere(t)
	for name, err := range map[string]error{"itself": lost, "wrapped": fmt.Errorf("take a place: %w", lost)} {
		e := wantError(t, create(t.Context(), serving(t, answer(200, ""), demeterrr.WithLimiter(waitsIn{err}))), 0)
		wantIsNot(t, e, demeterrr.ErrUnknownOutcome)
		if e.StatusCode != 0 || !strings.Contains(e.Error(), "502") {
			t.Errorf("%s: got status %d: %v", name, e.StatusCode, e)
		}
	}
}

// lostElsewhere returns the error of another client's call with an unknown
// outcome.
func lostElsewhere(t *testing.T) error {
	t.Helper()
	err := create(t.Context(), serving(t, answer(502, "")))
	wantIs(t, err, demeterrr.ErrUnknownOutcome)
	return err
}
