package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestACancelledWaitKeepsTheLastReply(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		last   step
		status int
		code   demeterrr.Code
	}{
		"429":            {step{status: 429, body: limited60JSON}, 429, demeterrr.CodeRateLimited},
		"INTERNAL_ERROR": {internal.with("Retry-After", "60"), 500, demeterrr.CodeInternal},
		"503":            {step{status: 503}.with("Retry-After", "60"), 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, cancel)
				var r demeterrr.Response
				c, s := play(t, []step{gateway, tt.last, okContact})
				err := get(ctx, c, demeterrr.WithResponse(&r))
				e := wantError(t, err, 2, context.Canceled)
				wantIsNot(t, err, context.DeadlineExceeded, demeterrr.ErrTimeout)
				if e.StatusCode != tt.status || e.Code != tt.code || e.RetryAfter != time.Minute || r.StatusCode != tt.status {
					t.Errorf("got %d %s, RetryAfter %v, response %d", e.StatusCode, e.Code, e.RetryAfter, r.StatusCode)
				}
				if took := time.Since(begin); took != 10*time.Second {
					t.Errorf("it returned after %v", took)
				}
				s.wantSent(2)
			})
		})
	}
}

func TestACallCancelledAsItsReplyArrivesKeepsTheReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{t: t, begin: time.Now(), steps: []step{limited, okContact}}
		last := transport(func(req *http.Request) (*http.Response, error) {
			defer cancel()
			return s.RoundTrip(req)
		})
		c := s.client(demeterrr.WithHTTPClient(&http.Client{Transport: last}))
		wantError(t, get(ctx, c), 1, context.Canceled, demeterrr.ErrRateLimited)
		s.wantSent(1)
	})
}

func TestACancelledWaitAfterANetworkFailureIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		c, s := play(t, []step{reset, okContact})
		e := wantError(t, create(ctx, c), 1, context.Canceled, demeterrr.ErrUnknownOutcome)
		if e.StatusCode != 0 {
			t.Errorf("got %v", e)
		}
		s.wantSent(1)
	})
}

var errShutdown = errors.New("the server is shutting down")

func TestTheCauseOfAContextIsKept(t *testing.T) {
	t.Parallel()
	type ending struct {
		after  time.Duration
		step   step
		status int
		sent   int
	}
	for name, end := range map[string]ending{
		"before anything is sent": {0, okContact, 0, 0},
		"in flight":               {10 * time.Second, stalled, 0, 1},
		"in the body":             {10 * time.Second, step{body: okContact.body, freeze: true}, 200, 1},
		"in the body of an error": {10 * time.Second, step{status: 503, body: badGateway, freeze: true}, 503, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if end.after == 0 {
					cancel(errShutdown)
				}
				timer := time.AfterFunc(end.after, func() { cancel(errShutdown) })
				defer timer.Stop()
				c, s := play(t, []step{end.step, okContact})
				e := wantError(t, get(ctx, c), end.sent, context.Canceled, errShutdown)
				if e.StatusCode != end.status || !strings.Contains(e.Error(), "shutting down") {
					t.Errorf("got %d: %v", e.StatusCode, e)
				}
				s.wantSent(end.sent)
			})
		})
	}
}

func TestTheCauseOfAContextThatEndsWhileACallWaitsIsKept(t *testing.T) {
	t.Parallel()
	t.Run("for its retry", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second, func() { cancel(errShutdown) })
			c, _ := play(t, []step{limitedFor("60")})
			wantError(t, get(ctx, c), 1, context.Canceled, errShutdown, demeterrr.ErrRateLimited)
		})
	})
	t.Run("at the gate", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second, func() { cancel(errShutdown) })
			c, _ := play(t, []step{limitedFor("60")})
			closeGate(t, c)
			wantError(t, get(ctx, c), 0, context.Canceled, errShutdown)
		})
	})
	t.Run("for a reply until its deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errShutdown)
			defer cancel()
			c, _ := play(t, []step{stalled})
			err := create(ctx, c)
			wantError(t, err, 1, context.DeadlineExceeded, errShutdown, demeterrr.ErrUnknownOutcome)
			wantIsNot(t, err, context.Canceled, demeterrr.ErrTimeout)
		})
	})
}

// A cause may be the error of another call, with an email in its URL.
func TestTheCauseOfAContextIsShownWithoutItsURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(&url.Error{Op: "Get", URL: "https://x.example/?email=" + email, Err: errShutdown})
		c, _ := play(t, nil)
		err := get(ctx, c)
		wantError(t, err, 0, context.Canceled, errShutdown)
		if strings.Contains(err.Error(), email) {
			t.Errorf("the error shows the email: %v", err)
		}
	})
}

func TestADeadlineInFlightIsTheCallers(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{
		"no reply":    stalled,
		"in the body": {body: okContact.body, freeze: true},
		"dial":        {err: &net.OpError{Op: "dial", Net: "tcp", Err: timeoutError{}}, took: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				c, s := play(t, []step{first, okContact})
				err := get(ctx, c)
				wantError(t, err, 1, context.DeadlineExceeded)
				wantIsNot(t, err, demeterrr.ErrTimeout, context.Canceled, demeterrr.ErrUnknownOutcome)
				s.wantSent(1)
			})
		})
	}
}

func TestADeadlineAtTheTimeLimitOfTheAttemptIsTheCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c, s := play(t, []step{stalled, okContact})
		err := get(ctx, c)
		wantError(t, err, 1, context.DeadlineExceeded)
		wantIsNot(t, err, demeterrr.ErrTimeout)
		s.wantSent(1)
	})
}

// Dialing checks the deadline itself and can fail before the context's timer
// fires. Nothing was sent, so the outcome is known.
func TestADeadlineWhileDiallingHasAKnownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		dial := transport(func(*http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Second)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: timeoutError{}}
		})
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: dial}))
		wantNil(t, err)
		err = execute(ctx, c)
		wantError(t, err, 1, context.DeadlineExceeded)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome, demeterrr.ErrTimeout)
	})
}

// transport makes an http.RoundTripper from a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// quietTimeout is a transport's error that says of itself that it is no timeout.
type quietTimeout struct{ error }

func (quietTimeout) Timeout() bool   { return false }
func (q quietTimeout) Unwrap() error { return q.error }

func TestAnAttemptsTimeLimitIsNotTheCallersDeadline(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step
		status int
	}{
		"no reply":                   {stalled, 0},
		"in the body":                {step{body: okContact.body, freeze: true}, 200},
		"in the body of an error":    {step{status: 503, body: badGateway, freeze: true}, 503},
		"dial timeout":               {dialError("dial", timeoutError{}), 0},
		"dial timeout of os":         {dialError("dial", os.ErrDeadlineExceeded), 0},
		"DNS timeout":                {step{err: &net.DNSError{Err: "i/o timeout", Name: "app.demeterrr.com", IsTimeout: true}}, 0},
		"transport's own deadline":   {step{err: context.DeadlineExceeded}, 0},
		"wrapped, not a timeout":     {step{err: quietTimeout{context.DeadlineExceeded}}, 0},
		"wrapped in a *url.Error":    {step{err: &url.Error{Op: "Get", URL: "https://x.example", Err: timeoutError{}}}, 0},
		"wrapped in another":         {step{err: fmt.Errorf("awaiting headers: %w", timeoutError{})}, 0},
		"body timeout of net (read)": {dialError("read", timeoutError{}), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				c, _ := play(t, repeat(tt.step, 4))
				err := get(ctx, c)
				e := wantError(t, err, 4, demeterrr.ErrTimeout)
				wantIsNot(t, err, context.DeadlineExceeded, context.Canceled)
				if e.StatusCode != tt.status {
					t.Errorf("StatusCode is %d, want %d", e.StatusCode, tt.status)
				}
				var timeout interface{ Timeout() bool }
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Error("the error is no timeout")
				}
			})
		})
	}
}

// What is below a timeout stays in reach, but for the deadline that it claims to be.
func TestTheCauseOfATimeoutIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, repeat(dialError("read", os.ErrDeadlineExceeded), 4))
		err := get(t.Context(), c)
		wantError(t, err, 4, demeterrr.ErrTimeout, os.ErrDeadlineExceeded)
		wantIsNot(t, err, context.DeadlineExceeded, os.ErrNotExist)
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "read" {
			t.Errorf("errors.As finds %v", op)
		}
		if dns, ok := errors.AsType[*net.DNSError](err); ok {
			t.Errorf("errors.As finds %v", dns)
		}
	})
}

func TestTheTimeLimitOfAnAttempt(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, tt := range map[string]struct {
		option, client, want time.Duration // 0: not given
	}{
		"default":                     {0, 0, 30 * s},
		"WithTimeout":                 {5 * s, 0, 5 * s},
		"http.Client.Timeout":         {0, 7 * s, 7 * s},
		"longer than the default":     {0, 90 * s, 90 * s},
		"the shorter is the option":   {5 * s, 7 * s, 5 * s},
		"the shorter is the client's": {9 * s, 7 * s, 7 * s},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slow := okContact
				slow.took = tt.want - time.Millisecond
				script := &script{t: t, begin: time.Now(), steps: []step{slow, stalled}}
				opts := []demeterrr.Option{demeterrr.WithHTTPClient(&http.Client{Transport: script, Timeout: tt.client})}
				if tt.option > 0 {
					opts = append(opts, demeterrr.WithTimeout(tt.option))
				}
				c := script.client(opts...)
				wantNil(t, get(t.Context(), c))
				begin := time.Now()
				wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1, demeterrr.ErrTimeout)
				if took := time.Since(begin); took != tt.want {
					t.Errorf("the attempt lasted %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// Each attempt has the whole time limit. The caller's deadline covers all of
// them.
func TestTheTimeLimitIsOfOneAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := okContact
		slow.took = 29 * time.Second
		c, s := play(t, []step{stalled, stalled, slow})
		wantNil(t, get(t.Context(), c))
		s.wantSent(3)
	})
}

func TestNetworkFailuresAreUnwrapped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrapped := step{err: &url.Error{Op: "Get", URL: "https://app.demeterrr.com/?email=" + email, Err: reset.err}}
		c, _ := play(t, []step{wrapped})
		err := get(t.Context(), c, demeterrr.WithMaxRetries(0))
		var op *net.OpError
		var withURL *url.Error
		if !errors.As(err, &op) || errors.As(err, &withURL) || strings.Contains(err.Error(), email) {
			t.Errorf("want the cause, without the URL: %v", err)
		}
		wantIsNot(t, err, demeterrr.ErrTimeout, context.Canceled)
	})
}

func TestACancelledFirstWaitReturnsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		c, s := play(t, []step{limitedFor("60"), okContact})
		wantError(t, get(ctx, c), 1, context.Canceled, demeterrr.ErrRateLimited)
		same(t, "it took", time.Since(begin), 10*time.Second)
		s.wantSent(1)
	})
}
