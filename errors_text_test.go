package demeterrr_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// A nil *Error in an error is a mistake of the code that returned it. It must
// not panic.
func TestANilErrorCanBeAskedAnything(t *testing.T) {
	t.Parallel()
	var e *demeterrr.Error
	const text = "demeterrr: the error is a nil *Error; return a plain nil instead"
	same(t, "Error", e.Error(), text)
	same(t, "LogValue", e.LogValue().String(), text)
	same(t, "Unwrap", e.Unwrap(), nil)
	same(t, "sentinels", matched(e), map[string]bool{})
	if err := e.DecodeDetails(new(any)); err == nil || err.Error() != "demeterrr: the error has no details" {
		t.Errorf("DecodeDetails: got %v", err)
	}
	noSecret(t, e)
}

// waitFails is a limiter that lets only the first few attempts pass.
type waitFails struct {
	passes int
	err    error
}

func (l *waitFails) Acquire(context.Context) (demeterrr.Release, error) {
	if l.passes--; l.passes >= 0 {
		return noPlace, nil
	}
	return nil, l.err
}

// onePrefix checks that an error's text has the prefix once, at its start.
func onePrefix(t *testing.T, what string, err error) {
	t.Helper()
	var e *demeterrr.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v is no *Error", what, err)
		return
	}
	if text := e.Error(); !strings.HasPrefix(text, "demeterrr: ") || strings.Count(text, "demeterrr: ") != 1 {
		t.Errorf("%s: %s", what, text)
	}
	if logged := e.LogValue().String(); strings.Contains(logged, "demeterrr: ") {
		t.Errorf("%s: its log value has the prefix: %s", what, logged)
	}
}

func TestATextHasOnePrefixHoweverErrorsAreNested(t *testing.T) {
	t.Parallel()
	inner := &demeterrr.Error{Code: demeterrr.CodeRateLimited, Message: "inner", RetryAfter: time.Minute}
	nested := map[string]error{
		"an Error": inner, "a wrapped one": fmt.Errorf("mine: %w", inner), "two of them": errors.Join(inner, fmt.Errorf("and %w", inner)),
		"a sentinel": demeterrr.ErrTimeout, "a wrapped sentinel": fmt.Errorf("mine: %w", demeterrr.ErrRateLimited),
		"one made of a text": &demeterrr.Error{Message: inner.Error()},
	}
	for name, err := range nested {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for attempts := range 2 {
					c, _ := play(t, []step{gateway}, demeterrr.WithLimiter(&waitFails{passes: attempts, err: err}))
					onePrefix(t, "of a limiter", get(t.Context(), c))
				}
				for _, s := range []step{{err: err}, {err: &url.Error{Op: "Get", URL: "/", Err: err}}} {
					c, _ := play(t, repeat(s, 4))
					onePrefix(t, "of a transport", get(t.Context(), c))
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(err)
				c, _ := play(t, nil)
				onePrefix(t, "of the context", get(ctx, c))
			})
		})
	}
	for problem, pacer := range map[string]*demeterrr.Pacer{"NewPacer: a limit of 0 requests": demeterrr.NewPacer(demeterrr.Limit{}), "the limiter is nil": nil} {
		_, err := demeterrr.New(canaryKey, demeterrr.WithLimiter(pacer))
		onePrefix(t, problem, err)
		if want := "demeterrr: VALIDATION_ERROR: WithLimiter: " + problem; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %q, want it to begin with %q", err, want)
		}
	}
}

// The shape of the details is undocumented. Their values may be personal data.
func TestAValidationErrorNamesFieldsAndNoValues(t *testing.T) {
	t.Parallel()
	many := "{"
	for i := range 12 {
		many += `"f` + strconv.Itoa(i) + `":"",`
	}
	for details, want := range map[string]string{
		`{"email":"Invalid: secret@example.com","firstName":["secret"]}`:                         "email, firstName",
		`[{"field":"email","message":"secret"},{"field":"contacts[3].phone"}]`:                   "email, contacts[3].phone",
		`[{"path":"a"},{"param":"b"},{"property":"c"},{"field":"a"},7,"secret",["secret"],null]`: "a, b, c",
		`[{"field":["secret"]},{"field":{"field":"secret"}},{"field":null}]`:                     "",
		`{"secret@example.com":"x","secret%40example.com":"x","ok":"x"}`:                         "ok",
		`{"+15551234567":1,"15551234567":1,"secret Doe":1,"é":1,"":1,"_id":1,"a-b":1}`:           "_id, a-b",
		`{"` + canaryKey + `":1,"x` + canaryKey + `":1,"` + strings.Repeat("x", 41) + `":1}`:     "",
		`[{"field":"` + canaryKey + `"},{"field":"secret@example.com"},{"name":"secret"}]`:       "",
		many + `"f0":""}`: "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, …",
		`"secret"`:        "", `7`: "", `{}`: "", `[]`: "", `true`: "",
	} {
		const body = `{"error":{"code":"VALIDATION_ERROR","message":"no","details":%s}}`
		e := failWith(t, 400, fmt.Sprintf(body, details))
		advice := "see Error.Details"
		if want != "" {
			advice = "fields " + want + "; " + advice
		}
		same(t, details, e.Error(), "demeterrr: GET /contacts: 400 VALIDATION_ERROR: no: "+advice)
		var fields string
		for _, a := range e.LogValue().Group() {
			if a.Key == "fields" {
				fields = a.Value.String()
			}
		}
		same(t, details+": in the log", fields, want)
		for _, text := range []string{e.Error(), e.LogValue().String()} {
			if strings.Contains(text, "secret") || strings.Contains(text, "555") || strings.Contains(text, canaryKey[:20]) {
				t.Errorf("%s: a value is shown: %s", details, text)
			}
		}
	}
	cut := &demeterrr.Error{StatusCode: 400, Code: demeterrr.CodeValidation, Details: []byte(`{"email":`)}
	same(t, "details that are not JSON", cut.Error(), "demeterrr: 400 VALIDATION_ERROR: see Error.Details")
	other := &demeterrr.Error{StatusCode: 404, Code: demeterrr.CodeNotFound, Details: []byte(`{"email":1}`)}
	same(t, "another code", other.Error(), "demeterrr: 404 NOT_FOUND")
}

// hollow is an error that panics when its nil is read.
type hollow struct{ err error }

func (h *hollow) Error() string { return h.err.Error() }
func (h *hollow) Unwrap() error { return h.err }

// bare is an error without a cause.
type bare struct{ text string }

func (b *bare) Error() string { return b.text }

// An error from outside may be a nil in an error, or have no cause inside.
func TestErrorsThatCannotBeReadAreReported(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a url.Error without an error": &url.Error{Op: "Get", URL: "https://x/"},
		"a nil url.Error":              (*url.Error)(nil),
		"a wrapped nil url.Error":      fmt.Errorf("proxy: %w", (*url.Error)(nil)),
		"a url.Error of a nil":         &url.Error{Op: "Get", URL: "/", Err: (*hollow)(nil)},
		"a url.Error of another nil":   &url.Error{Op: "Get", URL: "/", Err: (*bare)(nil)},
		"an OpError without an error":  &net.OpError{Op: "read", Net: "tcp"},
		"a nil OpError":                (*net.OpError)(nil),
		"a nil error of a user's":      (*hollow)(nil),
		"an empty one":                 &hollow{},
		"a joined nil":                 errors.Join((*hollow)(nil), io.EOF),
		"a nil Error":                  (*demeterrr.Error)(nil),
		"a wrapped nil Error":          fmt.Errorf("mine: %w", (*demeterrr.Error)(nil)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				failed := func(what string, err error, attempts int) {
					t.Helper()
					e := wantError(t, err, attempts)
					errors.Is(e, io.ErrNoProgress) // asks every error inside
					errors.As(e, new(*net.DNSError))
					noSecret(t, e)
					if len(e.Error()) < len("demeterrr: ")+10 {
						t.Errorf("%s: the text is too short: %v", what, e)
					}
				}
				c, _ := play(t, []step{{err: err}}, once)
				failed("of a transport", execute(t.Context(), c), 1)
				for _, call := range []step{okExecution, {status: 502, body: badGateway}} {
					hc := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: max(call.status, 200), Body: io.NopCloser(io.MultiReader(strings.NewReader(call.body[:9]), broken{err: err}))}, nil
					})}
					c, newErr := demeterrr.New(canaryKey, once, demeterrr.WithHTTPClient(hc))
					wantNil(t, newErr)
					failed("of a body", execute(t.Context(), c), 1)
				}
				for attempts := range 2 {
					c, _ := play(t, []step{gateway}, demeterrr.WithLimiter(&waitFails{passes: attempts, err: err}))
					failed("of a limiter", get(t.Context(), c), attempts)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(err)
				c, _ = play(t, nil)
				failed("of the context", get(ctx, c), 0)
			})
		})
	}
}

// On Go 1.27, encoding/json names the keys of maps in its errors.
func TestAnErrorOfTheReplysTypeShowsNoKeyOfAMap(t *testing.T) {
	t.Parallel()
	c := serving(t, answer(200, `{"data":{"jane@example.com":{"count":"7"}}}`))
	var out struct {
		Data map[string]struct{ Count int }
	}
	err := c.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/surveys"}, &out)
	if err == nil || !strings.Contains(err.Error(), "fit a Go int") {
		t.Errorf("got %v", err)
	}
	noSecret(t, err, "jane")
}

func TestACertificateErrorSaysWhatToCheck(t *testing.T) {
	t.Parallel()
	for _, err := range []error{badCert.err, x509.UnknownAuthorityError{}} {
		c, _ := play(t, []step{{err: err}})
		_, err := c.Contacts.Create(t.Context(), createParams)
		wantIsNot(t, wantError(t, err, 1), demeterrr.ErrUnknownOutcome)
		if want := "cannot be verified; check the base URL and the root certificates: x509: "; !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
}
