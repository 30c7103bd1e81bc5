package demeterrrotel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Output with "canary" in it leaks an email, an id or other text of a person.
const (
	canaryEmail = "canary.jane@example.com"
	canaryID    = "canary-0001"
)

// echo is a reply that repeats everything it knows.
const echo = "canary.jane@example.com /contacts/canary-0001?email=canary.jane%40example.com KEY"

// faults has every kind of fault of the fake.
func faults(key string) map[string]demeterrrtest.Fault {
	text := strings.ReplaceAll(echo, "KEY", key)
	header := http.Header{"X-Request-Id": {text}, "Location": {"https://example.com/" + canaryID}, "Retry-After": {text}, "X-Canary": {text}}
	all := map[string]demeterrrtest.Fault{
		"none":          {Route: "GET /nowhere", Status: 500},
		"no connection": {Drop: demeterrrtest.NoConnection},
		"drop before":   {Drop: demeterrrtest.DropBefore},
		"drop after":    {Drop: demeterrrtest.DropAfter},
		"truncate":      {Drop: demeterrrtest.Truncate},
		"delay":         {Delay: time.Hour},
		"page":          {IgnoreQuery: []string{"page", "email"}},
		"half done":     {Status: 500, AfterWork: true},
		"echo in 200":   {Body: text, ContentType: "text/html"},
		"error in 200":  {Body: `{"error":{"code":"UNLISTED_CODE","message":"` + text + `"}}`},
		"code":          {Status: 400, Body: `{"error":{"code":"` + canaryEmail + `","message":"` + text + `","details":[{"field":"` + text + `"}]}}`},
		"key as code":   {Status: 400, Body: `{"error":{"code":"` + key + `","message":"` + key + `"}}`},
	}
	for _, status := range []int{302, 400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 501, 502, 503} {
		all[fmt.Sprint(status)] = demeterrrtest.Fault{Status: status, Header: header}
		all[fmt.Sprint(status, " with an echo")] = demeterrrtest.Fault{Status: status, Header: header, Body: text, ContentType: "text/html"}
		all[fmt.Sprint(status, " with the API's error")] = demeterrrtest.Fault{
			Status: status, Header: header, RetryAfter: time.Second,
			Body: `{"error":{"code":"VALIDATION_ERROR","message":"` + text + `","requiredScope":"` + text + `"}}`,
		}
	}
	return all
}

// calls has a call of every kind, with canaries in all texts.
func calls(sequence string) map[string]func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error {
	type (
		ctx    = context.Context
		client = *demeterrr.Client
		option = demeterrr.CallOption
	)
	all := rawCalls()
	maps.Copy(all, map[string]func(ctx, client, ...option) error{
		"get": func(ctx ctx, c client, opts ...option) error {
			_, err := c.Contacts.Get(ctx, canaryID, opts...)
			return err
		},
		"find": func(ctx ctx, c client, opts ...option) error {
			_, err := c.Contacts.FindByEmail(ctx, canaryEmail, opts...)
			return err
		},
		"delete": func(ctx ctx, c client, opts ...option) error { return c.Contacts.Delete(ctx, canaryID, opts...) },
		"create": func(ctx ctx, c client, opts ...option) error {
			_, err := c.Contacts.Create(ctx, &demeterrr.ContactParams{Email: canaryEmail, FirstName: "Canary"}, opts...)
			return err
		},
		"update": func(ctx ctx, c client, opts ...option) error {
			_, err := c.Contacts.Update(ctx, canaryID, &demeterrr.ContactUpdate{FirstName: demeterrr.Set("Canary")}, opts...)
			return err
		},
		"upsert": func(ctx ctx, c client, opts ...option) error {
			_, _, err := c.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: canaryEmail, FirstName: "Canary"}, opts...)
			return err
		},
		"all": func(ctx ctx, c client, opts ...option) error {
			for _, err := range c.Contacts.All(ctx, &demeterrr.ContactListParams{Email: canaryEmail}, opts...) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"execute": func(ctx ctx, c client, opts ...option) error {
			_, err := c.Sequences.Execute(ctx, sequence, &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: canaryEmail}}}, opts...)
			return err
		},
		"sync": func(ctx ctx, c client, _ ...option) error {
			_, err := bulk.Sync(ctx, c, bulk.Slice([]demeterrr.ContactParams{{Email: canaryEmail, FirstName: "Canary"}}), nil)
			return err
		},
		"execute all": func(ctx ctx, c client, _ ...option) error {
			_, err := bulk.Execute(ctx, c, sequence, bulk.Slice([]demeterrr.ExecuteContact{{Email: canaryEmail}}), nil)
			return err
		},
	})
	return all
}

// rawCalls has the calls to endpoints without a method.
func rawCalls() map[string]func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error {
	type call = func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
	raw := func(method, path string, body any) call {
		return func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
			return c.Do(ctx, &demeterrr.Request{Method: method, Path: path, Query: url.Values{"email": {canaryEmail}}, Body: body}, nil, opts...)
		}
	}
	return map[string]call{
		"fetch": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
			_, err := demeterrr.Fetch[map[string]any](ctx, c, &demeterrr.Request{Method: "GET", Path: "/surveys/" + canaryID}, opts...)
			return err
		},
		"fetch all": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
			for _, err := range demeterrr.FetchAll[map[string]any](ctx, c, "/surveys/"+canaryID+"/responses", url.Values{"email": {canaryEmail}}, opts...) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"raw":                 raw("GET", "/surveys/"+canaryID+"/responses/"+canaryEmail, nil),
		"raw without a slash": raw("GET", "surveys/"+canaryID, nil),
		"raw, an id alone":    raw("DELETE", "/"+canaryID, nil),
		"raw put":             raw("PUT", "/surveys/"+url.PathEscape(canaryEmail), map[string]string{"email": canaryEmail}),
		"raw, refused":        raw("GET", "/surveys/../"+canaryID, nil),
		"raw, a query":        raw("GET", "/surveys?email="+canaryEmail, nil),
		"raw, no method":      raw(canaryID, "/surveys", nil),
	}
}

func TestNeitherTheKeyNorAPersonIsInSpansOrMetricsUnderAnyFault(t *testing.T) {
	t.Parallel()
	for name, fault := range faults(demeterrrtest.NewServer().APIKey()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, call := range calls("canary-sequence") {
				synctest.Test(t, func(t *testing.T) {
					srv, client, o := canaries(t)
					fault.Times = demeterrrtest.Always
					srv.Inject(fault)
					_ = call(t.Context(), client)
					o.holdsNone(t, method, srv.APIKey())
				})
			}
		})
	}
}

// Texts from the program's own parts are as dangerous: limiters, hooks, causes,
// panics.
func TestNothingForeignIsInSpansOrMetrics(t *testing.T) {
	t.Parallel()
	foreign := errors.New(echo)
	refuse := limiterFunc(func(context.Context) error { time.Sleep(time.Second); return foreign })
	hook := func(err any) demeterrr.CallOption {
		return demeterrr.WithBeforeSend(func(context.Context) error {
			if err, ok := err.(error); ok {
				return err
			}
			panic(err)
		})
	}
	for method, call := range calls("canary-sequence") {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, client, o := canaries(t, demeterrr.WithLimiter(refuse))
				_ = call(t.Context(), client)
				o.holdsNone(t, "a limiter", srv.APIKey())

				srv, client, o = canaries(t)
				_ = call(t.Context(), client, hook(foreign))
				func() {
					defer func() { _ = recover() }()
					_ = call(t.Context(), client, hook(echo))
				}()
				o.holdsNone(t, "a hook", srv.APIKey())

				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(foreign)
				_ = call(ctx, client)
				o.holdsNone(t, "a cause", srv.APIKey())

				srv, client, o = canaries(t, demeterrr.WithHTTPClient(&http.Client{Transport: panicking{}}))
				func() {
					defer func() { _ = recover() }()
					_ = call(t.Context(), client)
				}()
				o.holdsNone(t, "a transport that panics", srv.APIKey())
			})
		})
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic(echo) }

// The check can fail: it finds a canary in a name.
func TestTheCheckFindsACanary(t *testing.T) {
	t.Parallel()
	o := observe(t)
	ctx := o.TraceOperationStart(t.Context(), demeterrr.OperationStart{Operation: canaryID})
	o.TraceOperationEnd(ctx, demeterrr.OperationEnd{})
	if !strings.Contains(o.all(t), "canary") {
		t.Error("a span's name is not looked at")
	}
}

// canaries returns a server that knows the canaries, and its client with an
// observer.
func canaries(t *testing.T, opts ...demeterrr.Option) (*demeterrrtest.Server, *demeterrr.Client, *observer) {
	t.Helper()
	srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.Limit{Requests: 50, Window: time.Hour}))
	srv.AddContact(demeterrr.Contact{ID: canaryID, Email: canaryEmail})
	srv.AddSequence(demeterrr.Sequence{ID: "canary-sequence", Name: "Canary"})
	o := observe(t)
	return srv, srv.Client(append([]demeterrr.Option{demeterrr.WithTracer(o)}, opts...)...), o
}

func (o *observer) holdsNone(t *testing.T, what, key string) {
	t.Helper()
	text := o.all(t)
	for _, secret := range []string{key, "canary"} {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(secret)); i >= 0 {
			t.Errorf("%s: %q is in …%s…", what, secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
	if started, ended := len(o.spans.Started()), len(o.spans.Ended()); started != ended {
		t.Errorf("%s: %d spans have started, %d have ended", what, started, ended)
	}
}
