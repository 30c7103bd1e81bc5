package demeterrr_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// minuteOf10 is the report of a minute of ten, with places left until a reset.
func minuteOf10(remaining int, reset time.Duration) demeterrr.LimitOutcome {
	quota := demeterrr.RateLimit{Limit: 10, Remaining: remaining, Reset: time.Now().Add(reset)}
	return demeterrr.LimitOutcome{Sent: true, StatusCode: 200, RateLimit: quota}
}

func TestAWaitFailsWhenOthersMakeItsDeadlineTooEarly(t *testing.T) {
	t.Parallel()
	for _, low := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Minute}, demeterrr.Limit{Requests: 3, Window: time.Second})
			reply := acquire(t, p, false)
			acquire(t, p, false)(wasSent)
			acquire(t, p, false)(wasSent)
			patient, late := start(t, p, low, 0), start(t, p, low, 25*time.Second)
			if patient.back() || late.back() {
				t.Fatal("a call failed or got a place before the second was over")
			}
			reply(minuteOf10(0, 29*time.Second)) // all other places are others'
			synctest.Wait()
			if e := refusal(t, late.call); e.RetryAfter < 30*time.Second {
				t.Errorf("low %t: it would take %v, want the reset at least", low, e.RetryAfter)
			}
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if !patient.tookExactly(30 * time.Second) {
				t.Errorf("low %t: the patient one: %+v, want a place after the reset", low, patient.outcome.Load())
				patient.cancel()
			}
		})
	}
}

// A call without a deadline leaves the line, and one with a deadline remains.
func TestAWaitFailsEarlyBehindACallWithoutADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Minute})
		acquire(t, p, false)(wasSent)
		refused := acquire(t, p, false)
		patient, late := start(t, p, false, 0), start(t, p, false, 70*time.Second)
		patient.cancel()
		synctest.Wait()
		refused(demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RetryAfter: 2 * time.Minute})
		synctest.Wait()
		if e := refusal(t, late.call); e.RetryAfter != 2*time.Minute {
			t.Errorf("it would take %v, want the retryAfter", e.RetryAfter)
		}
	})
}

// A 429 asks for a short pause. Low priority then waits for its own place until
// 90 s, and normal calls do not.
func TestANormalCallIsNotLateBecauseLowPriorityIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 3, Window: time.Minute, Reserve: 2})
		acquire(t, p, false)(wasSent)
		time.Sleep(30 * time.Second)
		acquire(t, p, true)(wasSent)
		refused := acquire(t, p, false)
		next := start(t, p, false, 40*time.Second)
		refused(demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RetryAfter: 5 * time.Second})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !next.tookExactly(5 * time.Second) {
			t.Errorf("%+v, want a place after the retryAfter", next.outcome.Load())
			next.cancel()
		}
	})
}

// Two calls share one place a minute. A 429 makes the normal one late, so the
// one of low priority moves up.
func TestALateCallDelaysNobodyBehindIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Minute})
		refused := acquire(t, p, false)
		late, behind := start(t, p, false, 65*time.Second), start(t, p, true, 130*time.Second)
		refused(demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RetryAfter: 100 * time.Second})
		synctest.Wait()
		_ = refusal(t, late.call)
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if !behind.tookExactly(100 * time.Second) {
			t.Errorf("%+v, want a place after the retryAfter", behind.outcome.Load())
			behind.cancel()
		}
	})
}

// Others have used up the minute, and its reset has passed. One request asks
// whether it is open, and the next waits for the answer.
func TestASecondCallWaitsForTheQuestionOfTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Minute})
		acquire(t, p, false)(minuteOf10(0, 19*time.Second))
		time.Sleep(20 * time.Second)
		asks := acquire(t, p, false)
		second := start(t, p, false, 0)
		if second.back() {
			t.Fatal("two calls asked at once")
		}
		time.Sleep(3 * time.Second)
		asks(minuteOf10(8, 57*time.Second))
		synctest.Wait()
		if !second.tookExactly(3 * time.Second) {
			t.Errorf("%+v, want a place after the answer", second.outcome.Load())
			second.cancel()
		}
	})
}

// Without a reset, the minute of the others counts from now.
func TestAUsedUpQuotaWithoutAResetWaitsForTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Minute})
		acquire(t, p, false)(demeterrr.LimitOutcome{Sent: true, StatusCode: 200, RateLimit: demeterrr.RateLimit{Limit: 10}})
		if e := refusal(t, start(t, p, false, 59*time.Second).call); e.RetryAfter != time.Minute {
			t.Errorf("it would take %v, want a minute", e.RetryAfter)
		}
	})
}

// Two places come free while the newcomer asks, so it shares the moment with the
// call before it. The timer may run first or last.
func TestANewcomerGetsThePlaceBehindThoseInLine(t *testing.T) {
	t.Parallel()
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Second})
			acquire(t, p, false)(wasSent)
			acquire(t, p, false)(wasSent)
			first := start(t, p, false, 0)
			time.Sleep(time.Second)
			if acquire(t, p, false) == nil {
				t.Error("the newcomer has a place without a Release")
			}
			synctest.Wait()
			if !first.tookExactly(time.Second) {
				t.Errorf("the first in line: %+v", first.outcome.Load())
				first.cancel()
			}
		})
	}
}
