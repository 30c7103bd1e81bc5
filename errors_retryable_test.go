package demeterrr_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// These are the errors beside the table of retries, which TestRetryTableExhausted holds.
func TestRetryable(t *testing.T) {
	t.Parallel()
	type call = func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
	cancelled := func(f call) call {
		return func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return f(ctx, c, opts...)
		}
	}
	early := func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return execute(ctx, c, opts...)
	}
	hook := demeterrr.WithBeforeSend(func(context.Context) error { return errors.New("the journal is full") })
	find := func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		_, err := c.Contacts.FindByEmail(ctx, email, opts...)
		return err
	}
	upsert := func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		_, _, err := c.Contacts.Upsert(ctx, createParams, opts...)
		return err
	}
	limiter := func(err error) demeterrr.Option { return demeterrr.WithLimiter(waitsIn{err}) }
	another := step{body: `{"data":[{"id":"s1"}],"meta":{"page":1,"perPage":1,"total":2,"totalPages":2}}`} // for page 2
	for name, tt := range map[string]struct {
		call  call
		steps []step
		opts  []demeterrr.CallOption
		setUp demeterrr.Option
		want  bool
	}{
		"input that is refused":               {call: do("HEAD", "/x", nil)},
		"no such contact":                     {call: find, steps: []step{okNobody}},
		"cancelled before it is sent":         {call: early, want: true},
		"get in flight":                       {call: cancelled(get), steps: []step{stalled}, want: true},
		"create in flight":                    {call: cancelled(create), steps: []step{stalled}, want: true},
		"update in flight":                    {call: cancelled(update), steps: []step{stalled}, want: true},
		"execute in flight":                   {call: cancelled(execute), steps: []step{stalled}},
		"execute waiting after a 429":         {call: cancelled(execute), steps: []step{limited}, want: true},
		"execute waiting after a 500":         {call: cancelled(execute), steps: []step{internal}},
		"execute: a 500, then 429":            {call: execute, steps: []step{internal, limited, limited, limited}},
		"execute: an hour to wait":            {call: execute, steps: []step{limitedFor("3600")}, want: true},
		"create meets its own contact":        {call: create, steps: []step{reset, exists}},
		"update: lost, then 404":              {call: update, steps: []step{reset, missing}},
		"upsert: lost, then the find fails":   {call: upsert, steps: append([]step{reset, exists}, repeat(gateway, 4)...), want: true},
		"get: a reply that is too large":      {call: get, steps: []step{tooLarge}},
		"get: 502 with a page too large":      {call: get, steps: repeat(step{status: 502, body: tooLarge.body}, 4), want: true},
		"get: 303":                            {call: get, steps: []step{{status: 303}}},
		"get: 101":                            {call: get, steps: []step{{status: 101}}},
		"a list: a page that is wrong":        {call: fetchSurveys, steps: []step{another, another}, want: true},
		"a limiter without a place":           {call: execute, setUp: limiter(&demeterrr.Error{Code: demeterrr.CodeRateLimited, RetryAfter: time.Minute}), want: true},
		"a limiter that is broken":            {call: execute, setUp: limiter(errors.New("redis: connection refused")), want: true},
		"a limiter with another call's doubt": {call: execute, setUp: limiter(lostElsewhere(t)), want: true},
		"a hook that refuses":                 {call: execute, opts: []demeterrr.CallOption{hook}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := []demeterrr.Option{demeterrr.WithTimeout(attemptLimit)}
				if tt.setUp != nil {
					opts = append(opts, tt.setUp)
				}
				c, s := play(t, tt.steps, opts...)
				err := tt.call(t.Context(), c, tt.opts...)
				s.wantSent(len(tt.steps))
				var e *demeterrr.Error
				if !errors.As(err, &e) || e.Retryable() != tt.want {
					t.Errorf("Retryable is %t, want %t: %v", e.Retryable(), tt.want, err)
				}
			})
		})
	}
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
