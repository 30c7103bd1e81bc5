package demeterrr_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// retryables are errors outside the table of retries. TestRetryTableExhausted
// checks the errors of the table.
var retryables = map[string]struct {
	call    func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
	steps   []step
	limiter error // of a limiter
	hook    error // of a WithBeforeSend
	want    bool
}{
	"input that is refused":             {call: do("HEAD", "/x", nil)},
	"no such contact":                   {call: find, steps: []step{okNobody}},
	"canceled before it is sent":        {call: executeTooLate, want: true},
	"get in flight":                     {call: cancelled(get), steps: []step{stalled}, want: true},
	"create in flight":                  {call: cancelled(create), steps: []step{stalled}, want: true},
	"update in flight":                  {call: cancelled(update), steps: []step{stalled}, want: true},
	"execute in flight":                 {call: cancelled(execute), steps: []step{stalled}},
	"execute waiting after a 429":       {call: cancelled(execute), steps: []step{limited}, want: true},
	"execute waiting after a 500":       {call: cancelled(execute), steps: []step{internal}},
	"execute: a 500, then 429":          {call: execute, steps: []step{internal, limited, limited, limited}},
	"execute: an hour to wait":          {call: execute, steps: []step{limitedFor("3600")}, want: true},
	"create meets its own contact":      {call: create, steps: []step{reset, exists}},
	"update: lost, then 404":            {call: update, steps: []step{reset, missing}},
	"upsert: lost, then the find fails": {call: upsert, steps: append([]step{reset, exists}, repeat(gateway, 4)...), want: true},
	"get: a reply that is too large":    {call: get, steps: []step{tooLarge}},
	"get: 502 with a page too large":    {call: get, steps: repeat(step{status: 502, body: tooLarge.body}, 4), want: true},
	"get: 303":                          {call: get, steps: []step{{status: 303}}},
	"get: 101":                          {call: get, steps: []step{{status: 101}}},
	"a list: a page that is wrong":      {call: fetchSurveys, steps: []step{anotherPage, anotherPage}, want: true},
	"a limiter without a place":         {call: execute, limiter: &demeterrr.Error{Code: demeterrr.CodeRateLimited, RetryAfter: time.Minute}, want: true},
	"a limiter that is broken":          {call: execute, limiter: errors.New("redis: connection refused"), want: true},
	"a hook that refuses":               {call: execute, hook: errors.New("the journal is full"), want: true},
}

// anotherPage is a wrong reply to a request for page 2.
var anotherPage = step{body: `{"data":[{"id":"s1"}],"meta":{"page":1,"perPage":1,"total":2,"totalPages":2}}`}

// cancelled makes a call whose context ends after a second.
func cancelled(f func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error) func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error {
	return func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return f(ctx, c, opts...)
	}
}

func executeTooLate(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return execute(ctx, c, opts...)
}

func find(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, err := c.Contacts.FindByEmail(ctx, email, opts...)
	return err
}

func upsert(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, _, err := c.Contacts.Upsert(ctx, createParams, opts...)
	return err
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	for name, tt := range retryables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts, callOpts := []demeterrr.Option{demeterrr.WithTimeout(attemptLimit)}, []demeterrr.CallOption{}
				if tt.limiter != nil {
					opts = append(opts, demeterrr.WithLimiter(waitsIn{tt.limiter}))
				}
				if tt.hook != nil {
					callOpts = append(callOpts, demeterrr.WithBeforeSend(func(context.Context) error { return tt.hook }))
				}
				c, s := play(t, tt.steps, opts...)
				err := tt.call(t.Context(), c, callOpts...)
				s.wantSent(len(tt.steps))
				var e *demeterrr.Error
				if !errors.As(err, &e) || e.Retryable() != tt.want {
					t.Errorf("Retryable is %t, want %t: %v", e.Retryable(), tt.want, err)
				}
			})
		})
	}
}

func TestRetryableWithoutACall(t *testing.T) {
	t.Parallel()
	_, noKey := demeterrr.New("")
	_, badKey := demeterrr.New("sk_1")
	var none, key, format *demeterrr.Error
	if !errors.As(noKey, &key) || !errors.As(badKey, &format) {
		t.Fatal(noKey, badKey)
	}
	for i, e := range []*demeterrr.Error{none, {}, key, format} {
		if e.Retryable() {
			t.Errorf("%d: %v is retryable", i, e)
		}
	}
}
