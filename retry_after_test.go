package demeterrr_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// limitedWith returns a 429 with this member in the error or in its details.
func limitedWith(inError, inDetails string) step {
	return step{status: 429, body: fmt.Sprintf(`{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later."%s,"details":{"limit":1000%s,"window":"1 hour"}}}`, inError, inDetails)}
}

func (s step) with(header ...string) step {
	s.header = append(s.header[:len(s.header):len(s.header)], header...)
	return s
}

func TestRetryAfterIsAFloor(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, tt := range map[string]struct {
		step
		want time.Duration
	}{
		"header":                           {limitedFor("7"), 7 * second},
		"header with a fraction":           {limitedFor("1.5"), 1500 * time.Millisecond},
		"header below MinWait":             {limitedFor("0.25"), 250 * time.Millisecond},
		"error.details":                    {limitedWith("", `,"retryAfter":9`), 9 * second},
		"error.details, documented sample": {step{status: 429, body: limited60JSON}, 60 * second},
		"error":                            {limitedWith(`,"retryAfter":11`, ""), 11 * second},
		"a fraction in the body":           {limitedWith(`,"retryAfter":2.5`, ""), 2500 * time.Millisecond},
		"a text in the body":               {limitedWith(`,"retryAfter":"12"`, ""), 12 * second},
		"the largest is the header":        {limitedWith(`,"retryAfter":3`, `,"retryAfter":4`).with("Retry-After", "5"), 5 * second},
		"the largest is in error":          {limitedWith(`,"retryAfter":6`, `,"retryAfter":4`).with("Retry-After", "5"), 6 * second},
		"the largest is in error.details":  {limitedWith(`,"retryAfter":6`, `,"retryAfter":8`).with("Retry-After", "5"), 8 * second},
		"the largest of two headers":       {limitedFor("3").with("Retry-After", "13"), 13 * second},
		"the largest header comes first":   {limitedFor("13").with("Retry-After", "3"), 13 * second},
		"one good header beside a bad one": {limitedFor("soon").with("Retry-After", "4"), 4 * second},
		"a bad header beside a good body":  {limitedWith("", `,"retryAfter":9`).with("Retry-After", "-1"), 9 * second},
		"exactly MaxRetryAfter":            {limitedFor("120"), 120 * second},
		"a 503":                            {step{status: 503}.with("Retry-After", "7"), 7 * second},
		"a 502, ignored by the library":    {step{status: 502}.with("Retry-After", "7"), 7 * second},
		"an INTERNAL_ERROR":                {internal.with("Retry-After", "7"), 7 * second},
		"a 500 with it in the body":        {step{status: 500, body: `{"error":{"code":"INTERNAL_ERROR","message":"x","retryAfter":5}}`}, 5 * second},
		"a foreign 429":                    {step{status: 429, body: "slow down"}.with("Retry-After", "7"), 7 * second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for range 20 { // jitter must never make it earlier
					c, s := play(t, []step{tt.step, okContact})
					wantNil(t, get(t.Context(), c))
					s.wantWaits(tt.want)
				}
			})
		})
	}
}

// The clock of a synctest bubble starts at midnight of 2000-01-01 UTC.
func TestRetryAfterDateIsReadAgainstTheReplysDate(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, tt := range map[string]struct {
		ahead            time.Duration // client's clock minus midnight
		date, retryAfter string
		want             time.Duration
	}{
		"the clocks agree":               {0, "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * second},
		"the client is 24 years behind":  {0, "Sat, 10 Feb 2024 10:00:00 GMT", "Sat, 10 Feb 2024 10:00:09 GMT", 9 * second},
		"the client is hours ahead":      {5 * time.Hour, "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * second},
		"the client is a second ahead":   {1900 * time.Millisecond, "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * second},
		"no Date: the client's clock":    {0, "", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * second},
		"an invalid Date":                {0, "yesterday", "Sat, 01 Jan 2000 00:00:09 GMT", 9 * second},
		"RFC 850":                        {0, "Saturday, 10-Feb-24 10:00:00 GMT", "Saturday, 10-Feb-24 10:00:20 GMT", 20 * second},
		"asctime":                        {0, "Sat Feb 10 10:00:00 2024", "Sat Feb 10 10:00:20 2024", 20 * second},
		"a date in the past means none":  {0, "Sat, 10 Feb 2024 10:00:00 GMT", "Sat, 10 Feb 2024 09:00:00 GMT", second},
		"past by Date, future by client": {0, "Sat, 10 Feb 2024 10:00:00 GMT", "Sat, 10 Feb 2024 09:59:59 GMT", second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(tt.ahead)
				first := limitedFor(tt.retryAfter)
				if tt.date != "" {
					first = first.with("Date", tt.date)
				}
				c, s := play(t, []step{first, okContact})
				wantNil(t, get(t.Context(), c))
				s.wantWaits(tt.want)
			})
		})
	}
}

func TestARetryAfterThatIsNoneIsIgnored(t *testing.T) {
	t.Parallel()
	steps := map[string]step{}
	for _, v := range []string{
		"", "0", "0.0", "-5", "-0.5", "+5", "soon", "5s", "5, 10", "NaN", "nan", "Inf", "-Inf", "1e3", "0x10", ".", "1.2.3", "１０",
		"9223372036", "9223372037", "18446744073709551616", "99999999999999999999999999", "Sat, 32 Jan 2000 00:00:09 GMT",
		"Fri, 31 Dec 1999 23:59:59 GMT",
	} {
		steps["header "+v] = limitedFor(v)
	}
	for _, v := range []string{`0`, `-5`, `-0.5`, `"soon"`, `""`, `null`, `true`, `{}`, `[60]`, `{"retryAfter":60}`, `99999999999999999999`, `1e400`, `"-60"`, `"NaN"`} {
		steps["error "+v] = limitedWith(`,"retryAfter":`+v, "")
		steps["details "+v] = limitedWith("", `,"retryAfter":`+v)
	}
	steps["details are an array"] = step{status: 429, body: `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"x","details":[{"retryAfter":60}]}}`}
	steps["beside the error"] = step{status: 429, body: `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"x"},"retryAfter":60}`}
	for name, first := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, repeat(first, 10))
				e := wantError(t, get(t.Context(), c), 4, demeterrr.ErrRateLimited)
				s.wantWaits(1*time.Second, 2*time.Second, 4*time.Second)
				if e.RetryAfter != 0 {
					t.Errorf("RetryAfter is %v", e.RetryAfter)
				}
			})
		})
	}
}

func TestARetryAfterBeyondMaxRetryAfterReturnsAtOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		max time.Duration
		step
		want time.Duration
	}{
		"default of 2 minutes":       {0, limitedFor("121"), 121 * time.Second},
		"an hour":                    {0, limitedFor("3600"), time.Hour},
		"484,289 hours":              {0, limitedFor("1743440400"), 484289 * time.Hour},
		"in the body":                {59 * time.Second, step{status: 429, body: limited60JSON}, time.Minute},
		"a nanosecond too long":      {time.Minute - 1, limitedFor("60"), time.Minute},
		"a 503":                      {time.Minute, step{status: 503}.with("Retry-After", "61"), 61 * time.Second},
		"a date in the next century": {0, limitedFor("Fri, 01 Jan 2100 00:00:00 GMT"), 876600 * time.Hour},
		"a date that overflows":      {0, limitedFor("Fri, 31 Dec 9999 23:59:59 GMT"), 1<<63 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				c, s := play(t, []step{tt.step, okContact}, demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MaxRetryAfter: tt.max}))
				e := wantError(t, get(t.Context(), c), 1)
				s.wantSent(1)
				if e.RetryAfter != tt.want || e.StatusCode != tt.status {
					t.Errorf("got %d with RetryAfter %v, want %d with %v", e.StatusCode, e.RetryAfter, tt.status, tt.want)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("it returned after %v", took)
				}
			})
		})
	}
}

func TestADefaultMaxRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("120"), okContact}, demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 1}))
		wantNil(t, get(t.Context(), c))
		s.wantWaits(2 * time.Minute)
	})
}

func TestARetryAfterPastTheDeadlineReturnsAtOnce(t *testing.T) {
	t.Parallel()
	for _, retryAfter := range []string{"30", "31", "100"} {
		t.Run(retryAfter, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				c, s := play(t, []step{limitedFor(retryAfter), okContact})
				err := get(ctx, c)
				e := wantError(t, err, 1, demeterrr.ErrRateLimited)
				wantIsNot(t, err, context.DeadlineExceeded, demeterrr.ErrTimeout) // the deadline is still ahead
				s.wantSent(1)
				if want, _ := time.ParseDuration(retryAfter + "s"); e.RetryAfter != want || e.Code != demeterrr.CodeRateLimited {
					t.Errorf("got %s with RetryAfter %v", e.Code, e.RetryAfter)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("it returned after %v", took)
				}
			})
		})
	}
}

// Jitter never pushes a wait beyond the deadline.
func TestChanceDoesNotPushARetryAfterPastTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second+time.Millisecond)
			c, s := play(t, []step{{status: 429, body: limited60JSON}, okContact})
			wantNil(t, get(ctx, c))
			s.wantWaits(time.Minute)
			cancel()
		}
	})
}

func TestChanceLengthensARetryAfterByLessThanAQuarter(t *testing.T) {
	t.Parallel()
	wantSpread(t, limitedFor("100"), 100*time.Second)
}

// The back-off goes on doubling after a retry with a retryAfter.
func TestARetryAfterDoesNotStopTheDoubling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{gateway, limitedFor("0.5"), gateway, okContact})
		wantNil(t, get(t.Context(), c))
		s.wantWaits(1*time.Second, 500*time.Millisecond, 4*time.Second)
	})
}

func TestTheLastRetryAfterIsInTheError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("1"), limitedFor("2"), limitedFor("3"), {status: 429, body: limited60JSON}})
		e := wantError(t, get(t.Context(), c), 4, demeterrr.ErrRateLimited)
		s.wantWaits(1*time.Second, 2*time.Second, 3*time.Second)
		if e.RetryAfter != time.Minute || e.Message != "Rate limit exceeded. Please try again later." {
			t.Errorf("got %v, RetryAfter %v", e, e.RetryAfter)
		}
		same(t, "details", string(e.Details), `{"retryAfter":60,"limit":1000,"window":"1 hour"}`)
	})
}
