package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// Tests with hostile or careless callers, transports and servers.

// roundTrip makes a transport from a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func through(t *testing.T, f roundTrip, opts ...demeterrr.Option) *demeterrr.Client {
	t.Helper()
	c, err := demeterrr.New(testKey, append(opts, demeterrr.WithHTTPClient(&http.Client{Transport: f}))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func replying(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// errgroup cancels the other calls with the first one's error.
func TestACauseOfTheContextIsNotTakenForTheCallsOwn(t *testing.T) {
	t.Parallel()
	other := &demeterrr.Error{StatusCode: 404, Code: demeterrr.CodeNotFound, RetryAfter: time.Hour}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(other)
	c := through(t, func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return replying(204, ""), nil
	})

	err := c.Contacts.Delete(ctx, "550e8400-e29b-41d4-a716-446655440000")

	if !errors.Is(err, context.Canceled) || errors.Is(err, demeterrr.ErrNotFound) {
		t.Errorf("got %v: another contact must count as not found", err)
	}
	if e, ok := errors.AsType[*demeterrr.Error](err); !ok || e.RetryAfter != 0 || e.StatusCode != 0 {
		t.Errorf("got %#v", e)
	}
	if !strings.Contains(err.Error(), "NOT_FOUND") {
		t.Errorf("%q lacks the cause", err)
	}
}

// The cause stays in reach of errors.As and errors.Is, but for what is only true of the other call.
func TestTheCauseOfAContextKeepsItsType(t *testing.T) {
	t.Parallel()
	cause := &net.OpError{Op: "read", Err: fmt.Errorf("%w: %w", demeterrr.ErrTimeout, io.ErrUnexpectedEOF)}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := get(ctx, through(t, func(*http.Request) (*http.Response, error) { return replying(200, ""), nil }))
	wantIs(t, err, context.Canceled, io.ErrUnexpectedEOF)
	wantIsNot(t, err, demeterrr.ErrTimeout)
	if found, _ := errors.AsType[*net.OpError](err); found != cause {
		t.Errorf("errors.As finds %v, want the cause", found)
	}
}

func TestUpsertKeepsTheDoubtOfItsFirstCreateThroughTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, begin: time.Now(), steps: []step{reset, exists, okNobody, {status: 400, body: `{"error":{"code":"VALIDATION_ERROR","message":"x"}}`}}}
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: s}))
		wantNil(t, err)
		_, _, err = c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "a@x.com", FirstName: "A"})
		wantIs(t, err, demeterrr.ErrValidation, demeterrr.ErrUnknownOutcome)
	})
}

// In Unicode, the Kelvin sign folds to k.
func TestALookAlikeEmailIsAStranger(t *testing.T) {
	t.Parallel()
	c := through(t, func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			return replying(409, existsJSON), nil
		}
		return replying(200, `{"data":[{"id":"victim","email":"kim@x.com","firstName":"Kim"}],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`), nil
	})
	_, _, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "\u212aim@x.com", FirstName: "Mallory"})
	wantIs(t, err, demeterrr.ErrContactExists)
	if found, err := c.Contacts.FindByEmail(t.Context(), "KIM@x.com"); err != nil || found.ID != "victim" {
		t.Errorf("got %v, %v: the case of ASCII letters does not matter", found, err)
	}
}

func TestATransportMayWriteOverWhatItIsGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		c := through(t, func(r *http.Request) (*http.Response, error) {
			same(t, "X-API-Key", r.Header.Get("X-API-Key"), testKey)
			same(t, "Accept", r.Header.Get("Accept"), "application/json")
			same(t, "URL", r.URL.String(), "https://app.demeterrr.com/api/v1/contacts/x")
			for name := range r.Header {
				r.Header[name][0] = "redacted"
			}
			r.URL.Path, r.URL.RawQuery = "/elsewhere", "key=1"
			if attempts++; attempts%3 != 0 {
				return replying(502, ""), nil
			}
			return replying(200, `{"data":{"id":"x"}}`), nil
		})
		for range 2 {
			_, err := c.Contacts.Get(t.Context(), "x")
			wantNil(t, err)
		}
		same(t, "attempts", attempts, 6)
	})
}

func TestARetryLeavesWhatTheFirstAttemptWasGivenAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first *http.Request
		c := through(t, func(r *http.Request) (*http.Response, error) {
			if first == nil {
				first = r
				first.Header["X-Api-Key"][0], first.URL.Path = "redacted", "/redacted"
				return replying(502, ""), nil
			}
			same(t, "the first attempt's key and path", first.Header.Get("X-Api-Key")+first.URL.Path, "redacted/redacted")
			return replying(200, okContact.body), nil
		})
		wantNil(t, get(t.Context(), c))
	})
}

func TestAPanicGivesTheLimitersPlaceBack(t *testing.T) {
	t.Parallel()
	for name, panics := range map[string]func(*testing.T, *demeterrr.Client){
		"in a transport": func(t *testing.T, c *demeterrr.Client) {
			t.Helper()
			_, _ = c.Contacts.Get(t.Context(), "panic")
		},
		"before sending": func(t *testing.T, c *demeterrr.Client) {
			t.Helper()
			_, _ = c.Contacts.Get(t.Context(), "x", demeterrr.WithBeforeSend(func(context.Context) error { panic("a bug in a hook") }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := through(t, func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, "/panic") {
						panic("a bug in a transport")
					}
					return replying(200, `{"data":{"id":"x"}}`), nil
				}, demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Second})))
				func() {
					defer func() {
						if recover() == nil {
							t.Error("the panic was swallowed")
						}
					}()
					panics(t, c)
				}()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := c.Contacts.Get(ctx, "x")
				wantNil(t, err)
			})
		})
	}
}

func TestDoRefusesABodyThatWouldNotBeSentAsItIs(t *testing.T) {
	t.Parallel()
	c := through(t, func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return replying(200, "{}"), nil
	})
	for _, body := range []any{strings.NewReader(`{"a":1}`), []byte(`{"a":1}`)} {
		err := c.Do(t.Context(), &demeterrr.Request{Method: http.MethodPost, Path: "/surveys", Body: body}, nil)
		wantIs(t, err, demeterrr.ErrValidation)
	}
}

// idle is a body that gives nothing and never ends.
type idle struct{ count int }

func (i idle) Read([]byte) (int, error) { return i.count, nil }
func (idle) Close() error               { return nil }

func TestABodyThatGivesNothingEnds(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, -1, 1 << 30} {
		c := through(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: idle{count}, ContentLength: -1}, nil
		}, demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
		if _, err := c.Contacts.Get(t.Context(), "x"); err == nil {
			t.Errorf("%d: no error", count)
		}
	}
}

func TestALongMessageIsCutWhereItIsShown(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	c := through(t, func(*http.Request) (*http.Response, error) {
		return replying(400, `{"error":{"code":"`+long+`","message":"`+long+`"}}`), nil
	})
	_, err := c.Contacts.Get(t.Context(), "x")
	e, ok := errors.AsType[*demeterrr.Error](err)
	if !ok || e.Message != long {
		t.Fatal("the message itself is kept whole")
	}
	if n := len(err.Error()); n > 4096 {
		t.Errorf("the error's text has %d bytes", n)
	}
	if n := len(e.LogValue().String()); n > 4096 {
		t.Errorf("the log record has %d bytes", n)
	}
}

func TestNewRefusesALimiterThatWouldRefuseEverything(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]demeterrr.Limiter{
		"a nil Pacer":            (*demeterrr.Pacer)(nil),
		"a Pacer without window": demeterrr.NewPacer(demeterrr.Limit{Requests: 100}),
		"a typed nil":            (*waitFails)(nil),
	} {
		if _, err := demeterrr.New(testKey, demeterrr.WithLimiter(l)); !errors.Is(err, demeterrr.ErrValidation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// away is an error like redislimit's: the next place is an hour away.
type away struct{}

func (away) Error() string             { return "the next place is 1h0m0s away" }
func (away) RetryAfter() time.Duration { return time.Hour }

func TestALimitersErrorThatKnowsTheWaitIsARateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := keepDiary(t, &diary{fails: map[int]error{1: away{}}}, nil)
		e := wantError(t, create(t.Context(), c), 0, demeterrr.ErrRateLimited, away{})
		same(t, "RetryAfter", e.RetryAfter, time.Hour)
	})
}

func TestAKeyAcrossTheExcerptsEndIsNotShown(t *testing.T) {
	t.Parallel()
	for cut := 1; cut < len(testKey); cut++ {
		body := strings.Repeat(" ", 16<<10-cut) + testKey
		c := through(t, func(*http.Request) (*http.Response, error) { return replying(400, body), nil })
		_, err := c.Contacts.Get(t.Context(), "x")
		if e, ok := errors.AsType[*demeterrr.Error](err); !ok || e.Message != "" {
			t.Fatalf("%d of %d characters of the key: %v", cut, len(testKey), err)
		}
	}
}

func TestDetailsDoNotHoldTheKeyInAnyForm(t *testing.T) {
	t.Parallel()
	for shown, want := range map[string]string{testKey: `{"header":"[removed]"}`, strings.Replace(testKey, "_", `\u005f`, 1): ""} {
		c := through(t, func(*http.Request) (*http.Response, error) {
			return replying(400, `{"error":{"code":"VALIDATION_ERROR","message":"m","details":{"header":"`+shown+`"}}}`), nil
		})
		_, err := c.Contacts.Get(t.Context(), "x")
		e, _ := errors.AsType[*demeterrr.Error](err)
		same(t, "details", string(e.Details), want)
	}
}

// tracing is a body as a tracing transport may return it.
type tracing struct{ io.Reader }

func (b tracing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		err = fmt.Errorf("traced: %w", err)
	}
	return n, err
}

func TestAWrappedEndIsAnEnd(t *testing.T) {
	t.Parallel()
	c := through(t, func(*http.Request) (*http.Response, error) {
		r := replying(200, okExecution.body)
		r.Body = io.NopCloser(tracing{r.Body})
		return r, nil
	})
	wantNil(t, execute(t.Context(), c))
}

// lagging is a body that reads on its own goroutine, and may go on after Read
// has given up.
type lagging struct {
	ctx  context.Context
	late string
}

func (l lagging) Close() error { return nil }

func (l lagging) Read(p []byte) (int, error) {
	done := make(chan int)
	go func() {
		time.Sleep(2 * time.Second)
		n := copy(p, l.late)
		select {
		case done <- n:
		case <-l.ctx.Done():
		}
	}()
	select {
	case n := <-done:
		return n, io.EOF
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	}
}

// slow is a body with a delay before its last byte.
type slow struct{ text string }

func (s *slow) Read(p []byte) (int, error) {
	if len(s.text) <= 1 {
		time.Sleep(3 * time.Second)
		return copy(p, s.text), io.EOF
	}
	n := copy(p, s.text[:len(s.text)-1])
	s.text = s.text[n:]
	return n, nil
}

// This test can fail only without -race: with it, sync.Pool drops values.
func TestABufferThatMayStillBeWrittenToIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mallory, kim := `{"data":{"id":"x","email":"mallory@example.com"}}`, `{"data":{"id":"x","email":"kim.kim@example.com"}}`
		n := 0
		c := through(t, func(r *http.Request) (*http.Response, error) {
			if n++; n%2 == 1 {
				return &http.Response{StatusCode: 200, Body: lagging{r.Context(), mallory}, ContentLength: int64(len(mallory))}, nil
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(&slow{kim}), ContentLength: int64(len(kim))}, nil
		})
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _ = c.Contacts.Get(ctx, "x")
			cancel()
			if got, err := c.Contacts.Get(t.Context(), "x"); err != nil || got.Email != "kim.kim@example.com" {
				t.Errorf("got %v, %v", got, err)
			}
		}
	})
}
