package demeterrr_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// refusedBeforeSending checks an error for input that is rejected before a
// request.
func refusedBeforeSending(t testing.TB, what string, err, want error, says string) {
	t.Helper()
	var e *demeterrr.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v is no *Error", what, err)
		return
	}
	if !errors.Is(err, want) || e.Attempts != 0 || e.StatusCode != 0 {
		t.Errorf("%s: got %#v, want %v and no attempt", what, err, want)
	}
	if !strings.Contains(e.Message, says) || strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("%s: the text lacks %q, or is more than one line: %v", what, says, err)
	}
	if errors.Is(err, demeterrr.ErrUnknownOutcome) {
		t.Errorf("%s: nothing was sent, but the outcome is unknown", what)
	}
	noSecret(t, err)
}

func TestBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	secret := canaryKey[4:]
	for _, test := range []struct {
		key  string
		want error
		says string
	}{
		{"", demeterrr.ErrMissingAPIKey, "dashboard"},
		{secret, demeterrr.ErrInvalidAPIKeyFormat, "must start with dem_"},
		{"DEM_" + secret, demeterrr.ErrInvalidAPIKeyFormat, "must start with dem_"},
		{" " + canaryKey, demeterrr.ErrInvalidAPIKeyFormat, "must start with dem_"},
		{"Bearer " + canaryKey, demeterrr.ErrInvalidAPIKeyFormat, "must start with dem_"},
		{canaryKey + "\n", demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
		{canaryKey + "\r\nX-Evil: 1", demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
		{canaryKey + " x", demeterrr.ErrInvalidAPIKeyFormat, "trim it"},
		{canaryKey + "\x00", demeterrr.ErrInvalidAPIKeyFormat, "control"},
		{canaryKey + "\x7f", demeterrr.ErrInvalidAPIKeyFormat, "control"},
		{canaryKey + "é", demeterrr.ErrInvalidAPIKeyFormat, "non-ASCII"},
		{canaryKey + "\xff", demeterrr.ErrInvalidAPIKeyFormat, "non-ASCII"},
	} {
		c, err := demeterrr.New(test.key)
		if c != nil {
			t.Errorf("%q: a client came back", test.key)
		}
		refusedBeforeSending(t, test.key, err, test.want, test.says)
		same(t, "unauthorized", errors.Is(err, demeterrr.ErrUnauthorized), true)
	}
	// The server checks the length (contract, section 2).
	for _, key := range []string{"dem_", "dem_x", canaryKey + "49"} {
		if _, err := demeterrr.New(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestBaseURLRules(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://app.demeterrr.com/api/v1", "https://app.demeterrr.com/api/v1/", "https://self.hosted.example",
		"https://self.hosted.example/", "https://self.hosted.example:8443", "HTTPS://self.hosted.example", "https://[2001:db8::1]:8443/x",
		"https://host/a%2Fb", "https://host/a%20b", "http://localhost:8080", "http://LocalHost/", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8080/api",
	} {
		if _, err := demeterrr.New(canaryKey, demeterrr.WithBaseURL(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"":                                 "must start with https://",
		"app.demeterrr.com/api/v1":         "must start with https://",
		"//app.demeterrr.com":              "must start with https://",
		"ftp://app.demeterrr.com":          "must start with https://",
		"https:app.demeterrr.com":          "no host",
		"https:///api":                     "no host",
		"https://:443/api":                 "no host",
		"https://" + canaryKey + "@host":   "user or a password",
		"https://u:" + canaryKey + "@host": "user or a password",
		"https://@host":                    "user or a password",
		"https://host/?key=" + canaryKey:   "query",
		"https://host?":                    "query",
		"https://host/#" + canaryKey:       "fragment",
		"https://host/#":                   "fragment",
		"http://host":                      "WithInsecureHTTP",
		"http://localhost.evil.example":    "WithInsecureHTTP",
		"http://127.0.0.1.evil.example":    "WithInsecureHTTP",
		"http://10.0.0.1":                  "WithInsecureHTTP",
		"http://0.0.0.0":                   "WithInsecureHTTP",
		"https://ho st/" + canaryKey:       "cannot be parsed",
		"https://host:port":                "cannot be parsed",
		"https://[::1":                     "cannot be parsed",
		"https://host/%zz" + canaryKey:     "cannot be parsed",
		"https://host/api\n":               "cannot be parsed",
		"https://host/\x7f":                "cannot be parsed",
		"https://host/a/../b":              "dot segments",
		"https://host/%2e%2e/b":            "dot segments",
		"https://host/a/.":                 "dot segments",
		"https://host/api ":                "space at its end",
		"https://host/é":                   "need escaping",
		"https://host//api":                "path",
		" https://host":                    "cannot be parsed",
	} {
		_, err := demeterrr.New(canaryKey, demeterrr.WithBaseURL(bad))
		refusedBeforeSending(t, bad, err, demeterrr.ErrValidation, says)
	}
	if _, err := demeterrr.New(canaryKey, demeterrr.WithInsecureHTTP(), demeterrr.WithBaseURL("http://host:8080/api")); err != nil {
		t.Errorf("WithInsecureHTTP: %v", err)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	t.Parallel()
	policy := func(p demeterrr.RetryPolicy) demeterrr.Option { return demeterrr.WithRetryPolicy(p) }
	transport := func(rt http.RoundTripper) demeterrr.Option {
		return demeterrr.WithTransport(func(http.RoundTripper) http.RoundTripper { return rt })
	}
	for _, test := range []struct {
		option demeterrr.Option
		says   string
	}{
		{nil, "option 1 is nil"},
		{demeterrr.WithHTTPClient(nil), "WithHTTPClient: the client is nil"},
		{demeterrr.WithHTTPClient(&http.Client{Transport: (*http.Transport)(nil)}), "the client's Transport is a nil *http.Transport; leave it unset"},
		{demeterrr.WithHTTPClient(&http.Client{Transport: roundTripper(nil)}), "the client's Transport is a nil demeterrr_test.roundTripper; leave it unset"},
		{demeterrr.WithHTTPClient(&http.Client{Jar: (*cookiejar.Jar)(nil)}), "the client's Jar is a nil *cookiejar.Jar; leave it unset"},
		{demeterrr.WithTransport(nil), "WithTransport: the function is nil"},
		{transport(nil), "WithTransport: the function returned a nil transport (<nil>)"},
		{transport((*http.Transport)(nil)), "WithTransport: the function returned a nil transport (*http.Transport)"},
		{transport(roundTripper(nil)), "WithTransport: the function returned a nil transport (demeterrr_test.roundTripper)"},
		{demeterrr.WithAPIKeyFunc(nil), "WithAPIKeyFunc: the function is nil"},
		{demeterrr.WithAPIKeyFunc(keys(canaryKey)), "WithAPIKeyFunc: New was given a key too; pass New an empty key"},
		{demeterrr.WithLimiter(nil), "WithLimiter: the limiter is nil"},
		{demeterrr.WithLimiter((*demeterrr.Pacer)(nil)), "WithLimiter: the limiter is nil"},
		{demeterrr.WithLimiter(funcLimiter(nil)), "WithLimiter: the limiter is nil"},
		{demeterrr.WithLimiter(mapLimiter(nil)), "WithLimiter: the limiter is nil"},
		{demeterrr.WithLimiter(chanLimiter(nil)), "WithLimiter: the limiter is nil"},
		{demeterrr.WithLogger(nil), "WithLogger: the logger is nil"},
		{demeterrr.WithLogger(&slog.Logger{}), "WithLogger: the logger has no handler; make it with slog.New"},
		{demeterrr.WithLogger(slog.New((*slog.TextHandler)(nil))), "WithLogger: the logger has no handler; make it with slog.New"},
		{demeterrr.WithTimeout(0), "WithTimeout: the timeout must be positive"},
		{demeterrr.WithTimeout(-time.Second), "WithTimeout: the timeout must be positive"},
		{policy(demeterrr.RetryPolicy{MaxRetries: -1}), "RetryPolicy: no field may be negative"},
		{policy(demeterrr.RetryPolicy{MinWait: -1}), "RetryPolicy: no field may be negative"},
		{policy(demeterrr.RetryPolicy{MaxWait: -1}), "RetryPolicy: no field may be negative"},
		{policy(demeterrr.RetryPolicy{MaxRetryAfter: -1}), "RetryPolicy: no field may be negative"},
		{policy(demeterrr.RetryPolicy{MinWait: 2, MaxWait: 1}), "MinWait must not be longer than MaxWait"},
		{demeterrr.WithAppInfo("", "1.0"), "WithAppInfo: the name cannot be sent"},
		{demeterrr.WithAppInfo("my shop", "1.0"), "WithAppInfo: the name cannot be sent"},
		{demeterrr.WithAppInfo("shop", "1.0\r\nX-Evil: 1"), "WithAppInfo: the version cannot be sent"},
		{demeterrr.WithAppInfo("shop", "1.0 (beta)"), "WithAppInfo: the version cannot be sent"},
		{demeterrr.WithAppInfo("shöp", ""), "WithAppInfo: the name cannot be sent"},
		{demeterrr.WithAppInfo("shop/1.0", ""), "WithAppInfo: the name cannot be sent"},
	} {
		_, err := demeterrr.New(canaryKey, test.option)
		refusedBeforeSending(t, test.says, err, demeterrr.ErrValidation, test.says)
	}
}

// Limiters whose nil can be in a non-nil interface.
type (
	funcLimiter func(context.Context) error
	mapLimiter  map[string]demeterrr.Limiter
	chanLimiter chan struct{}
)

func (f funcLimiter) Acquire(ctx context.Context) (demeterrr.Release, error) { return nil, f(ctx) }

func (m mapLimiter) Acquire(ctx context.Context) (demeterrr.Release, error) {
	return m["a"].Acquire(ctx)
}

func (c chanLimiter) Acquire(context.Context) (demeterrr.Release, error) { <-c; return noPlace, nil }

func TestNewTellsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]error{"": demeterrr.ErrMissingAPIKey, "x" + canaryKey: demeterrr.ErrInvalidAPIKeyFormat, canaryKey: demeterrr.ErrValidation} {
		_, err := demeterrr.New(key, demeterrr.WithTimeout(-1), nil, demeterrr.WithBaseURL("http://host"))
		for _, says := range []string{"WithTimeout", "option 2 is nil", "WithInsecureHTTP"} {
			refusedBeforeSending(t, key, err, want, says)
		}
	}
}

func TestBadCallOptionsAreRefusedByEveryMethod(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		option demeterrr.CallOption
		says   string
	}{
		{nil, "call option 2 is nil"},
		{demeterrr.WithResponse(nil), "WithResponse: the response is nil"},
		{demeterrr.WithMaxRetries(-1), "WithMaxRetries: the number must not be negative"},
		{demeterrr.WithBeforeSend(nil), "WithBeforeSend: the function is nil"},
	} {
		for _, e := range endpoints {
			err := e.call(t.Context(), serving(t, neverSent(t)), johnID, demeterrr.WithMaxRetries(0), test.option)
			refusedBeforeSending(t, e.name, err, demeterrr.ErrValidation, test.says)
		}
	}
}

func TestNilContextIsRefusedByEveryMethod(t *testing.T) {
	t.Parallel()
	var none context.Context
	for _, e := range endpoints {
		refusedBeforeSending(t, e.name, e.call(none, serving(t, neverSent(t)), johnID), demeterrr.ErrValidation, "the context is nil")
	}
}

func TestAClientThatNewDidNotMakeSaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*demeterrr.Client{
		"zero":          {},
		"zero services": {Contacts: &demeterrr.ContactsService{}, Sequences: &demeterrr.SequencesService{}},
	} {
		for _, e := range endpoints {
			refusedBeforeSending(t, name+" "+e.name, e.call(t.Context(), c, johnID), demeterrr.ErrValidation, "not made by New")
		}
		same(t, name, c.RateLimit(), demeterrr.RateLimit{})
	}
	var none *demeterrr.Client
	same(t, "nil", none.RateLimit(), demeterrr.RateLimit{})
	err := none.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/surveys"}, nil)
	refusedBeforeSending(t, "nil", err, demeterrr.ErrValidation, "not made by New")
}

// TestEnvironment sets the environment, so it is not parallel.
func TestEnvironment(t *testing.T) {
	t.Setenv("DEMETERRR_API_KEY", "")
	t.Setenv("DEMETERRR_BASE_URL", "")
	_, err := demeterrr.NewFromEnv()
	refusedBeforeSending(t, "no key", err, demeterrr.ErrMissingAPIKey, "DEMETERRR_API_KEY")

	t.Setenv("DEMETERRR_API_KEY", canaryKey+"\n")
	_, err = demeterrr.NewFromEnv()
	refusedBeforeSending(t, "newline", err, demeterrr.ErrInvalidAPIKeyFormat, "trim it")

	t.Setenv("DEMETERRR_API_KEY", canaryKey)
	t.Setenv("DEMETERRR_BASE_URL", "http://public.example")
	_, err = demeterrr.NewFromEnv()
	refusedBeforeSending(t, "plain http", err, demeterrr.ErrValidation, "WithInsecureHTTP")

	t.Setenv("DEMETERRR_BASE_URL", "http://localhost/env")
	var j journal
	through := demeterrr.WithHTTPClient(&http.Client{Transport: handlerTransport{j.record(answer(204, ""))}})
	for _, opts := range [][]demeterrr.Option{{through}, {through, demeterrr.WithBaseURL("http://localhost/option")}} {
		c, err := demeterrr.NewFromEnv(opts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Contacts.Delete(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	}
	same(t, "requests", j.lines(), []string{"DELETE /env/contacts/x", "DELETE /option/contacts/x"})
	same(t, "key", j.arrivals()[0].Header["X-Api-Key"], []string{canaryKey})

	// WithAPIKeyFunc needs no variable, and overrides one.
	for _, env := range []string{"", canaryKey, "malformed"} {
		t.Setenv("DEMETERRR_API_KEY", env)
		c := must(demeterrr.NewFromEnv(through, demeterrr.WithAPIKeyFunc(keys("dem_option"))))
		wantNil(t, c.Contacts.Delete(t.Context(), "x"))
		same(t, "key", j.arrivals()[len(j.arrivals())-1].Header["X-Api-Key"], []string{"dem_option"})
	}
	t.Setenv("DEMETERRR_API_KEY", "")
	_, err = demeterrr.NewFromEnv(demeterrr.WithAPIKeyFunc(nil))
	refusedBeforeSending(t, "nil function", err, demeterrr.ErrMissingAPIKey, "DEMETERRR_API_KEY")
	refusedBeforeSending(t, "nil function", err, demeterrr.ErrMissingAPIKey, "the function is nil")
}

func TestTheShorterTimeoutLimitsAnAttempt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		theirs time.Duration
		opts   []demeterrr.Option
		want   time.Duration
	}{
		{0, nil, 30 * time.Second},
		{-time.Second, nil, 30 * time.Second},
		{time.Hour, nil, time.Hour},
		{time.Hour, []demeterrr.Option{demeterrr.WithTimeout(time.Minute)}, time.Minute},
		{time.Minute, []demeterrr.Option{demeterrr.WithTimeout(time.Hour)}, time.Minute},
		{0, []demeterrr.Option{demeterrr.WithTimeout(math.MaxInt64 / 4)}, math.MaxInt64 / 4},
	} {
		var left time.Duration
		hc := &http.Client{Timeout: test.theirs, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			deadline, _ := r.Context().Deadline()
			left = time.Until(deadline)
			return &http.Response{StatusCode: 204}, nil
		})}
		before := *hc
		c, err := demeterrr.New(canaryKey, slices.Concat([]demeterrr.Option{demeterrr.WithHTTPClient(hc)}, test.opts)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Contacts.Delete(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if left > test.want || left < test.want/2 {
			t.Errorf("client %s, options %d: %s were left, want %s", test.theirs, len(test.opts), left, test.want)
		}
		if hc.Timeout != before.Timeout || hc.Jar != nil || hc.CheckRedirect != nil {
			t.Errorf("the caller's client was modified: %+v", hc)
		}
	}
}

func TestALoggerSeesNeitherKeyNorQueryNorBody(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := demeterrr.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	c := serving(t, answer(409, documented[8].body), logger)
	_, _, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "secret@example.com", FirstName: "Secret"})
	if err == nil {
		t.Fatal("success")
	}
	for _, secret := range []string{canaryKey, "secret", "Secret", "example.com"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q was logged: %s", secret, log.String())
		}
	}
	same(t, "attempts logged", strings.Count(log.String(), `msg="demeterrr: attempt"`), 2)
}

func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{"https://host", "http://localhost:80/a%2fb/", "http://[::1]/", "https://u:p@h?q#f", "https://h/../x", "https://h/a;b=c:d@e", "http://127.1", "https://h/%2e", "https://h//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var got *http.Request
		hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r
			return &http.Response{StatusCode: 204}, nil
		})}
		c, err := demeterrr.New(canaryKey, demeterrr.WithHTTPClient(hc), demeterrr.WithBaseURL(raw))
		if err != nil {
			refusedBeforeSending(t, raw, err, demeterrr.ErrValidation, "")
			return
		}
		if err := c.Contacts.Delete(context.Background(), "x y"); err != nil {
			t.Fatalf("%q was accepted, and then: %v", raw, err)
		}
		want, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got.URL.Host != want.Host || got.URL.Scheme != want.Scheme || got.URL.User != nil || got.URL.Fragment != "" {
			t.Errorf("%q became %q", raw, got.URL)
		}
		if want.Scheme != "https" && !slices.Contains([]string{"localhost", "::1"}, strings.ToLower(want.Hostname())) && !strings.HasPrefix(want.Hostname(), "127.") && !strings.Contains(want.Hostname(), ":") {
			t.Errorf("%q sends the key in the clear", raw)
		}
		if path := strings.TrimRight(want.EscapedPath(), "/") + "/contacts/x%20y"; got.URL.RequestURI() != path {
			t.Errorf("%q: the path is %q, want %q", raw, got.URL.RequestURI(), path)
		}
	})
}

//nolint:paralleltest // it replaces http.DefaultTransport
func TestANilTransportIsTheDefaultOfTheMoment(t *testing.T) {
	plain := must(demeterrr.New(canaryKey, once, demeterrr.WithHTTPClient(&http.Client{})))
	wrapped := must(demeterrr.New(canaryKey, once, demeterrr.WithHTTPClient(&http.Client{}), demeterrr.WithTransport(clone)))
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = handlerTransport{answer(200, `{"data":`+johnJSON+`}`)}
	for _, c := range []*demeterrr.Client{plain, wrapped} {
		_, err := c.Contacts.Get(t.Context(), johnID)
		wantNil(t, err)
	}
}
