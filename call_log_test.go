package demeterrr_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// logTo makes a client that logs to the buffer, without the random times.
func logTo(t *testing.T, out *bytes.Buffer, level slog.Level, steps []step) (*demeterrr.Client, *script) {
	t.Helper()
	return play(t, steps, demeterrr.WithLogger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "wait" {
				return slog.Attr{}
			}
			return a
		},
	}))))
}

func TestAttemptsAreLoggedAtDebugAndRetriesAtWarn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, _ := logTo(t, &out, slog.LevelDebug, []step{internal, reset, okContacts})
		_, err := c.Contacts.FindByEmail(t.Context(), email)
		wantNil(t, err)
		want := []string{
			`level=DEBUG msg="demeterrr: attempt" method=GET path=/contacts attempt=1 status=500 took=0s`,
			`level=WARN msg="demeterrr: retry" method=GET path=/contacts attempt=1 reason=backoff error.method=GET error.path=/contacts error.status=500 error.code=INTERNAL_ERROR error.message="Internal server error" error.attempts=1`,
			`level=DEBUG msg="demeterrr: attempt" method=GET path=/contacts attempt=2 status=0 took=0s`,
			`level=WARN msg="demeterrr: retry" method=GET path=/contacts attempt=2 reason=backoff error.method=GET error.path=/contacts error.message="no reply" error.cause="read tcp: read: connection reset by peer" error.attempts=2`,
			`level=DEBUG msg="demeterrr: attempt" method=GET path=/contacts attempt=3 status=200 took=0s`,
		}
		same(t, "log", strings.Split(strings.TrimSpace(out.String()), "\n"), want)
	})
}

func TestAtWarnOnlyRetriesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, _ := logTo(t, &out, slog.LevelWarn, []step{gateway, okContact, missing})
		wantNil(t, get(t.Context(), c))
		wantError(t, get(t.Context(), c), 1) // the returned error is not logged
		if got := strings.Count(out.String(), "\n"); got != 1 || !strings.Contains(out.String(), "502") {
			t.Errorf("got %d lines:\n%s", got, &out)
		}
	})
}

// recordHandler keeps the records, like a handler that writes on its own
// goroutine.
type recordHandler struct{ records chan slog.Record }

func (recordHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h recordHandler) WithAttrs([]slog.Attr) slog.Handler         { return h }
func (h recordHandler) WithGroup(string) slog.Handler              { return h }
func (h recordHandler) Handle(_ context.Context, r slog.Record) error {
	h.records <- r.Clone()
	return nil
}

// errorIn returns the error of a record.
func errorIn(r slog.Record) (e *demeterrr.Error) {
	for a := range r.Attrs {
		if a.Key == "error" {
			e, _ = a.Value.Any().(*demeterrr.Error)
		}
	}
	return e
}

// A record kept by a handler stays the same when the call goes on.
func TestTheErrorOfALogRecordNeverChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := recordHandler{make(chan slog.Record, 9)}
		c, _ := play(t, []step{gateway, internal}, demeterrr.WithLogger(slog.New(h)))
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		var kept []slog.Record
		var seen []string // text of each record's error at the time of logging
		back := make(chan struct{})
		go func() {
			defer close(back)
			err = create(ctx, c)
		}()
		for range 2 {
			record := <-h.records // the call sleeps before its next attempt
			kept, seen = append(kept, record), append(seen, errorIn(record).Error())
		}
		cancel()
		<-back
		wantIs(t, err, context.Canceled)
		same(t, "errors when logged", seen, []string{
			"demeterrr: POST /contacts: 502 Bad Gateway: <html> <head><title>502 Bad Gateway</title></head> <body><center><h1>502 Bad Gateway</h1></center></body> </html> (outcome unknown, it may have taken effect)",
			"demeterrr: POST /contacts: 500 INTERNAL_ERROR: Internal server error: temporary; contact support if it persists (2 attempts, outcome unknown, it may have taken effect)",
		})
		var now []string
		for _, r := range kept {
			now = append(now, errorIn(r).Error())
		}
		same(t, "errors of the kept records", now, seen)
	})
}

// No line shows the key, a query or a body, whatever the reply.
func TestTheLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		secrets := []string{testKey, email, "john.doe%40example.com", "+15551234567", "15551234567", "details-4711", contactJSON[:60]}
		echo := step{status: 502, body: "<html>no upstream for /contacts?email=john.doe%40example.com, key " + testKey + ", " + email + "</html>"}
		ownError := step{status: 500, body: `{"error":{"code":"INTERNAL_ERROR","message":"failed with ` + testKey + `","details":{"x":"details-4711"}}}`}
		for name, steps := range map[string][]step{
			"a page that echoes the request": {echo, echo, echo, echo},
			"the API's error":                {ownError, ownError, ownError, ownError},
			"a body cut short":               repeat(step{body: okContacts.body, cut: true}, 4),
			"a foreign body":                 repeat(step{body: `{"data":"` + email + `"}`}, 4),
			"success":                        {okContacts},
		} {
			for call, do := range map[string]func(*demeterrr.Client) error{
				"find": func(c *demeterrr.Client) error {
					_, err := c.Contacts.List(t.Context(), &demeterrr.ContactListParams{Email: email, Phone: "+15551234567"})
					return err
				},
				"create": func(c *demeterrr.Client) error {
					_, err := c.Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "John", Phone: "+15551234567"})
					return err
				},
			} {
				var out bytes.Buffer
				c, _ := logTo(t, &out, slog.LevelDebug, steps)
				err := do(c)
				logged := out.String()
				if err != nil {
					logged += err.Error()
				}
				if out.Len() == 0 {
					t.Errorf("%s, %s: nothing was logged", name, call)
				}
				for _, secret := range secrets {
					if strings.Contains(logged, secret) {
						t.Errorf("%s, %s: the log or the error shows %q:\n%s", name, call, secret, logged)
					}
				}
			}
		}
	})
}

// A handler may read a trace from the context.
func TestALoggerIsAskedInTheCallersContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var seen []any
		handler := contextHandler{handle: func(ctx context.Context) { seen = append(seen, ctx.Value(key{})) }}
		c, _ := play(t, []step{gateway, okContact}, demeterrr.WithLogger(slog.New(handler)))
		wantNil(t, get(context.WithValue(t.Context(), key{}, "trace"), c))
		same(t, "contexts", seen, []any{"trace", "trace", "trace"}) // two attempts, one retry
	})
}

type contextHandler struct {
	handle func(context.Context)
	record func(slog.Record)
}

func (h contextHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.handle != nil {
		h.handle(ctx)
	}
	if h.record != nil {
		h.record(r)
	}
	return nil
}
func (h contextHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h contextHandler) WithGroup(string) slog.Handler      { return h }

// Every wait of a second or more is logged once, with its reason.
func TestLongWaitsAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, s := logTo(t, &out, slog.LevelInfo, []step{limitedFor("60"), okContact, okContact, okContact})
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1, demeterrr.ErrRateLimited)
		wantNil(t, get(t.Context(), c))
		line := strings.TrimSpace(out.String())
		until := `level=INFO msg="demeterrr: wait" method=GET path=/contacts/` + contactID + ` reason=rate_limited until=`
		if !strings.HasPrefix(line, until) || strings.Contains(line, "\n") {
			t.Errorf("got %q, want one line %q…", line, until)
		}
		s.wantWaits(time.Minute)

		waits := []time.Duration{time.Second - 1, time.Second, 2 * time.Second}
		out.Reset()
		limiter := &turnstile{waits: waits}
		text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		c = s.client(demeterrr.WithLogger(slog.New(text)), demeterrr.WithLimiter(limiter))
		wantNil(t, get(t.Context(), c))
		wantNil(t, get(t.Context(), c))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second/2)
		defer cancel()
		wantIs(t, get(ctx, c), context.DeadlineExceeded)
		same(t, "log", strings.Split(strings.TrimSpace(out.String()), "\n"), []string{
			`level=INFO msg="demeterrr: wait" method=GET path=/contacts/` + contactID + ` reason=limiter wait=1s`,
			`level=INFO msg="demeterrr: wait" method=GET path=/contacts/` + contactID + ` reason=limiter wait=1.5s`,
		})
	})
}
