package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

type keyFunc = func(context.Context) (string, error)

// keys returns a key function that gives one key after another, then fails.
func keys(list ...string) keyFunc {
	return func(context.Context) (string, error) {
		if len(list) == 0 {
			return "", errors.New("the vault is sealed")
		}
		key := list[0]
		list = list[1:]
		return key, nil
	}
}

// rotating returns a client with the key function. Its requests meet the steps.
func rotating(t *testing.T, f keyFunc, steps []step, opts ...demeterrr.Option) (*demeterrr.Client, *script) {
	t.Helper()
	s := &script{t: t, begin: time.Now(), steps: steps}
	opts = append([]demeterrr.Option{demeterrr.WithAPIKeyFunc(f), demeterrr.WithHTTPClient(&http.Client{Transport: s})}, opts...)
	return must(demeterrr.New("", opts...)), s
}

var errSealed = errors.New("the vault is sealed")

// sealed is an error that panics when its nil is read.
type sealed struct{ text string }

func (s *sealed) Error() string { return s.text }
func (s *sealed) Unwrap() error { return errors.New(s.text) }

// hasty is an error like a limiter's.
type hasty struct{}

func (hasty) Error() string             { return "the vault is busy" }
func (hasty) RetryAfter() time.Duration { return time.Minute }

func TestWithoutAGoodKeyNothingIsSent(t *testing.T) {
	t.Parallel()
	returns := func(key string, err error) keyFunc {
		return func(context.Context) (string, error) { return key, err }
	}
	panics := func(v any) keyFunc { return func(context.Context) (string, error) { panic(v) } }
	for name, test := range map[string]struct {
		f    keyFunc
		want error
		says string
	}{
		"an error":                 {returns("", errSealed), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an error and a key":       {returns(canaryKey, fmt.Errorf("%w: %s", errSealed, canaryKey)), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an error with a key":      {returns("", fmt.Errorf("%w: {%q}", errSealed, canaryKey)), demeterrr.ErrMissingAPIKey, "gave no key"},
		"a nil error that panics":  {returns("", (*sealed)(nil)), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an error with a wait":     {returns("", hasty{}), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an error of another call": {returns("", &demeterrr.Error{Code: demeterrr.CodeRateLimited}), demeterrr.ErrMissingAPIKey, "gave no key"},
		"a doubt of another call":  {returns("", demeterrr.ErrUnknownOutcome), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an error and half a key":  {returns(canaryKey[4:], errors.New("not a key: "+canaryKey[4:])), demeterrr.ErrMissingAPIKey, "gave no key"},
		"a panic":                  {panics("no key, but " + canaryKey), demeterrr.ErrMissingAPIKey, "gave no key"},
		"a panic with an error":    {panics(errSealed), demeterrr.ErrMissingAPIKey, "gave no key"},
		"an empty key":             {returns("", nil), demeterrr.ErrMissingAPIKey, "WithAPIKeyFunc: no API key was given"},
		"another product's key":    {returns("sk_"+canaryKey, nil), demeterrr.ErrInvalidAPIKeyFormat, "WithAPIKeyFunc: the API key must start with dem_"},
		"a newline":                {returns(canaryKey+"\n", nil), demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
		"a second header":          {returns(canaryKey+"\r\nX-Evil: 1", nil), demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
		"a non-ASCII character":    {returns(canaryKey+"é", nil), demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
	} {
		for _, e := range endpoints {
			limiter := limiterFunc(func(context.Context) error {
				t.Errorf("%s, %s: the limiter was asked", name, e.name)
				return nil
			})
			var log strings.Builder
			c, err := demeterrr.New("", demeterrr.WithAPIKeyFunc(test.f), demeterrr.WithLimiter(limiter),
				demeterrr.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
				demeterrr.WithHTTPClient(&http.Client{Transport: handlerTransport{neverSent(t)}}))
			wantNil(t, err)
			claim := demeterrr.WithBeforeSend(func(context.Context) error {
				t.Errorf("%s, %s: a claim was made", name, e.name)
				return nil
			})
			err = e.call(t.Context(), c, johnID, claim)
			refusedBeforeSending(t, name+", "+e.name, err, test.want, test.says)
			wantIs(t, err, demeterrr.ErrUnauthorized)
			wantIsNot(t, err, demeterrr.ErrRateLimited, demeterrr.ErrTimeout)
			if strings.Contains(log.String(), canaryKey) {
				t.Errorf("%s, %s: the key was logged: %s", name, e.name, &log)
			}
		}
	}
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Acquire(ctx context.Context) (demeterrr.Release, error) { return nil, f(ctx) }

func TestTheErrorOfAKeyFunctionIsWrapped(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]keyFunc{
		"returned": func(context.Context) (string, error) { return "", fmt.Errorf("key: %w", errSealed) },
		"panicked": func(context.Context) (string, error) { panic(errSealed) },
	} {
		c, _ := rotating(t, f, nil)
		err := get(t.Context(), c)
		wantError(t, err, 0, errSealed, demeterrr.ErrMissingAPIKey)
		if !strings.Contains(err.Error(), errSealed.Error()) {
			t.Errorf("%s: the text lacks the reason: %v", name, err)
		}
	}
}

func TestTheKeyIsAskedForBeforeThePlaceAndTheClaimOfEachAttempt(t *testing.T) {
	t.Parallel()
	type trace struct{}
	synctest.Test(t, func(t *testing.T) {
		var order []string
		note := func(what string) { order = append(order, what) }
		var got []any
		next := keys("dem_first", "dem_second", "dem_third")
		f := func(ctx context.Context) (string, error) {
			note("key")
			got = append(got, ctx.Value(trace{}))
			return next(ctx)
		}
		limiter := limiterFunc(func(context.Context) error { note("place"); return nil })
		c, s := rotating(t, f, []step{internal, limitedFor("60"), okExecution}, demeterrr.WithLimiter(limiter))
		claim := demeterrr.WithBeforeSend(func(context.Context) error { note("claim"); return nil })
		wantNil(t, execute(context.WithValue(t.Context(), trace{}, "span"), c, claim))
		same(t, "order", strings.Join(order, " "), "key place claim key place claim key place claim")
		same(t, "the caller's context", got, []any{"span", "span", "span"})
		var used []string
		for _, request := range s.sent {
			used = append(used, request.header["X-Api-Key"]...)
		}
		same(t, "keys", used, []string{"dem_first", "dem_second", "dem_third"})
	})
}

// Each reply is scrubbed of the key of its own request.
func TestARotatedKeyIsShownNowhere(t *testing.T) {
	t.Parallel()
	first, second := canaryKey, strings.ReplaceAll(canaryKey, "CANARY", "SECOND")
	echo := func(key string) map[string]step {
		return map[string]step{
			"the API's error": {status: 500, header: []string{"X-Request-Id", key, "X-Echo", key}, body: `{"error":{"code":"INTERNAL_ERROR","message":"no ` + key + `","details":{"key":"` + key + `"}}}`},
			"a page":          {status: 502, body: "<html>no upstream for " + key + "</html>"},
			"a lost reply":    {err: errors.New("malformed reply " + key)},
		}
	}
	for name := range echo("") {
		for _, available := range [][]string{{first}, {first, second}} {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c, s := rotating(t, keys(available...), []step{echo(first)[name], echo(second)[name], okContact}, demeterrr.WithLogger(logger))
				var resp demeterrr.Response
				err := get(t.Context(), c, demeterrr.WithResponse(&resp))
				// The last attempt has no key. The error is the previous
				// attempt's, and tells why no attempt followed.
				e := wantError(t, err, len(available), demeterrr.ErrMissingAPIKey)
				s.wantSent(len(available))
				if !strings.Contains(e.Error(), "the vault is sealed") || name != "a lost reply" && !strings.Contains(e.Error(), "[removed]") {
					t.Errorf("%s: got %v", name, e)
				}
				for _, v := range []any{e, c, resp, e.Details, log.String()} {
					noSecret(t, v, first, second)
				}
			})
		}
	}
}

func TestTheTimeOfAKeyFunctionIsTheCallers(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context) (string, error) {
		select {
		case <-time.After(time.Minute):
			return testKey, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, s := rotating(t, slow, []step{{body: okContact.body, took: 29 * time.Second}}, demeterrr.WithTimeout(30*time.Second))
		wantNil(t, get(t.Context(), c))
		s.wantSent(1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := execute(ctx, c)
		wantError(t, err, 0, context.DeadlineExceeded)
		wantIsNot(t, err, demeterrr.ErrMissingAPIKey, demeterrr.ErrUnknownOutcome, demeterrr.ErrTimeout)
		s.wantSent(1)
	})
}

// Another call can meet a 429 while this call waits for its key.
func TestACallWaitsForA429AfterItsKeyToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		slow := func(context.Context) (string, error) {
			if asked++; asked == 2 {
				time.Sleep(10 * time.Second)
			}
			return testKey, nil
		}
		c, s := rotating(t, slow, []step{{status: 429, body: limitedJSON, header: []string{"Retry-After", "60"}, took: 5 * time.Second}, okContact})
		limited := make(chan error)
		go func() { limited <- get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
		synctest.Wait()
		wantNil(t, get(t.Context(), c))
		wantIs(t, <-limited, demeterrr.ErrRateLimited)
		s.wantSent(2)
		if at := s.sent[1].at; at < 65*time.Second {
			t.Errorf("sent after %v", at)
		}
	})
}

func TestNoWayOfPrintingAKeyFunctionShowsTheKey(t *testing.T) {
	t.Parallel()
	option := demeterrr.WithAPIKeyFunc(keys(canaryKey))
	noSecret(t, option)
	noSecret(t, must(demeterrr.New("", option)))
}
