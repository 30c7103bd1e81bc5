package demeterrr_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// read holds the compared fields of a Response.
type read struct {
	Status, Attempts, Remaining int
	RequestID, Step             string
}

func readResponse(r demeterrr.Response) read {
	return read{r.StatusCode, r.Attempts, r.RateLimit.Remaining, r.RequestID, r.Header.Get("X-Step")}
}

func (s step) named(name string) step { return s.with("X-Step", name, "X-Request-Id", "id-"+name) }

func TestWithResponseHoldsTheLastReply(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		want  read
		fails bool
	}{
		"success":                {[]step{okContact.named("a").quota("9")}, read{200, 1, 9, "id-a", "a"}, false},
		"success after retries":  {[]step{gateway.named("a").quota("9"), limited.named("b"), okContact.named("c").quota("7")}, read{200, 3, 7, "id-c", "c"}, false},
		"no quota is not an old": {[]step{gateway.named("a").quota("9"), okContact.named("b")}, read{200, 2, 0, "id-b", "b"}, false},
		"failure":                {[]step{missing.named("a").quota("8")}, read{404, 1, 8, "id-a", "a"}, true},
		"retries used up":        {[]step{gateway, gateway, gateway, internal.named("d")}, read{500, 4, 0, "id-d", "d"}, true},
		"no reply at all":        {repeat(refused, 4), read{0, 4, 0, "", ""}, true},
		"no reply in the end":    {[]step{gateway.named("a"), reset, reset, reset}, read{502, 4, 0, "id-a", "a"}, true},
		"a body cut short":       {repeat(step{body: okContact.body, cut: true}.named("a"), 4), read{200, 4, 0, "id-a", "a"}, true},
		"a redirect":             {[]step{step{status: 302}.named("a")}, read{302, 1, 0, "id-a", "a"}, true},
		"beyond MaxRetryAfter":   {[]step{limitedFor("3600").named("a")}, read{429, 1, 0, "id-a", "a"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := demeterrr.Response{StatusCode: 1, RequestID: "old", Attempts: 9}
				var second demeterrr.Response
				c, _ := play(t, tt.steps)
				err := get(t.Context(), c, demeterrr.WithResponse(&first), demeterrr.WithResponse(&second))
				if tt.fails != (err != nil) {
					t.Fatalf("got %v", err)
				}
				same(t, "response", readResponse(first), tt.want)
				same(t, "second response", readResponse(second), tt.want)
				var e *demeterrr.Error
				if errors.As(err, &e) && e.StatusCode != 0 && e.RequestID != tt.want.RequestID {
					t.Errorf("the error's RequestID is %q", e.RequestID)
				}
			})
		})
	}
}

func TestWithResponseIsEmptyIfNothingWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{limitedFor("3600").named("a")})
		r := demeterrr.Response{StatusCode: 1, RequestID: "old", Attempts: 9}
		wantError(t, get(t.Context(), c, demeterrr.WithResponse(&r)), 1)
		wantError(t, get(t.Context(), c, demeterrr.WithResponse(&r)), 0, demeterrr.ErrRateLimited) // the gate
		same(t, "response", readResponse(r), read{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Attempts = 9
		wantError(t, get(ctx, c, demeterrr.WithResponse(&r)), 0, context.Canceled)
		same(t, "response", readResponse(r), read{})
		wantError(t, get(t.Context(), c, demeterrr.WithResponse(nil)), 0, demeterrr.ErrValidation)
	})
}

func TestWithResponseOfSeveralCallsHoldsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{exists.named("a"), okContacts.named("b"), gateway.named("c"), okContact.named("d")})
		var r demeterrr.Response
		_, _, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "Jack"}, demeterrr.WithResponse(&r))
		wantNil(t, err)
		same(t, "response", readResponse(r), read{200, 2, 0, "id-d", "d"})
	})
}

// The clock of a synctest bubble starts at midnight of 2000-01-01 UTC.
func TestRateLimitIsTheLastThatWasReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		midnight := time.Now()
		reset := step{err: reset.err}
		c, _ := play(t, []step{
			okContact.quota("987").with("X-RateLimit-Reset", "946684860"), // midnight and a minute
			okContact, reset,
			missing.quota("986"),
			limitedFor("60").quota("0"),
		})
		same(t, "before any call", c.RateLimit(), demeterrr.RateLimit{})
		first := demeterrr.RateLimit{Limit: 1000, Remaining: 987, Reset: midnight.Add(time.Minute)}
		wantNil(t, get(t.Context(), c))
		same(t, "a success", c.RateLimit(), first)
		wantNil(t, get(t.Context(), c))
		same(t, "a reply without a quota", c.RateLimit(), first)
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1)
		same(t, "no reply", c.RateLimit(), first)
		wantError(t, get(t.Context(), c), 1)
		same(t, "an error", c.RateLimit(), demeterrr.RateLimit{Limit: 1000, Remaining: 986})
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1)
		same(t, "a 429", c.RateLimit(), demeterrr.RateLimit{Limit: 1000})
	})
}

func TestTheResetIsReadAgainstTheReplysDate(t *testing.T) {
	t.Parallel()
	for name, date := range map[string]string{
		"the clocks agree":              "",
		"the client is 24 years behind": "Sat, 10 Feb 2024 10:00:00 GMT",
		"the client is a day ahead":     "Fri, 31 Dec 1999 00:00:00 GMT",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, header := time.Now(), okContact
				if date != "" {
					server = must(time.Parse(time.RFC1123, date))
					header = header.with("Date", date)
				}
				resets := server.Add(90 * time.Second).Unix()
				c, _ := play(t, []step{header.quota("987").with("X-RateLimit-Reset", strconv.FormatInt(resets, 10))})
				var r demeterrr.Response
				wantNil(t, get(t.Context(), c, demeterrr.WithResponse(&r)))
				want := demeterrr.RateLimit{Limit: 1000, Remaining: 987, Reset: time.Now().Add(90 * time.Second)}
				same(t, "of the client", c.RateLimit(), want)
				same(t, "of the response", r.RateLimit, want)
			})
		})
	}
}

func TestARateLimitThatIsNoneIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, headers := range [][]string{
			{"X-RateLimit-Limit", "1000"},
			{"X-RateLimit-Remaining", "5"},
			{"X-RateLimit-Limit", "many", "X-RateLimit-Remaining", "5"},
			{"X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "-5"},
			{"X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", "99999999999999999999"},
			{"X-RateLimit-Limit", "1000", "X-RateLimit-Limit", "50", "X-RateLimit-Remaining", "5"},
		} {
			c, _ := play(t, []step{okContact.with(headers...)})
			wantNil(t, get(t.Context(), c))
			same(t, "rate limit", c.RateLimit(), demeterrr.RateLimit{})
		}
		for _, resets := range []string{"soon", "-1", "99999999999999999999", "253402300800"} {
			c, _ := play(t, []step{okContact.quota("5").with("X-RateLimit-Reset", resets)})
			wantNil(t, get(t.Context(), c))
			same(t, "reset "+resets, c.RateLimit(), demeterrr.RateLimit{Limit: 1000, Remaining: 5})
		}
	})
}
