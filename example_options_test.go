package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func ExampleWithHTTPClient() {
	// The transport may have a proxy, a client certificate or tracing.
	hc := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}

	_, err := demeterrr.New("dem_your_key_here", demeterrr.WithHTTPClient(hc))
	fmt.Println(err)
	// Output: <nil>
}

// A transport of your own sees every attempt, on the client's own connections.
func ExampleWithTransport() {
	client := newClient(demeterrr.WithTransport(func(next http.RoundTripper) http.RoundTripper {
		return printing{next} // or otelhttp.NewTransport(next)
	}))
	defer client.CloseIdleConnections()

	_, err := client.Contacts.List(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	// Output: GET 200
}

type printing struct{ next http.RoundTripper }

func (p printing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		fmt.Println(req.Method, resp.StatusCode)
	}
	return resp, err
}

// The key comes from a secret store, and changes while the program runs.
func ExampleWithAPIKeyFunc() {
	secrets := map[string]string{}
	client := newClient(demeterrr.WithAPIKeyFunc(func(context.Context) (string, error) {
		return secrets["demeterrr"], nil
	}))

	_, err := client.Contacts.List(ctx, nil)
	fmt.Println(errors.Is(err, demeterrr.ErrMissingAPIKey))

	secrets["demeterrr"] = srv.APIKey()
	_, err = client.Contacts.List(ctx, nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleClient_CloseIdleConnections() {
	client, err := demeterrr.New("dem_your_key_here")
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections() // at the end of the program
	// Output:
}

func ExampleWithBaseURL() {
	_, err := demeterrr.New("dem_your_key_here", demeterrr.WithBaseURL("https://feedback.example.com/api/v1"))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_BaseURL() {
	client, err := demeterrr.New("dem_your_key_here")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BaseURL())
	// Output: https://app.demeterrr.com/api/v1
}

func ExampleWithInsecureHTTP() {
	_, err := demeterrr.New("dem_your_key_here",
		demeterrr.WithBaseURL("http://feedback.internal/api/v1"),
		demeterrr.WithInsecureHTTP()) // the key is sent unencrypted
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithTimeout() {
	// 10 seconds for each attempt; the context limits the whole call.
	client := newClient(demeterrr.WithTimeout(10 * time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	_, err := client.Contacts.List(ctx, nil)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithRetryPolicy() {
	policy := demeterrr.DefaultRetryPolicy()
	policy.MaxRetries = 5
	policy.MaxRetryAfter = 10 * time.Minute // a nightly job has time
	policy.AtMostOnce = true                // prefer a missing survey to a double one

	_, err := demeterrr.New("dem_your_key_here", demeterrr.WithRetryPolicy(policy))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDefaultRetryPolicy() {
	policy := demeterrr.DefaultRetryPolicy()
	fmt.Println(policy.MaxRetries, policy.MinWait, policy.MaxWait, policy.MaxRetryAfter)
	// Output: 3 1s 30s 2m0s
}

func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level:       slog.LevelDebug,
		ReplaceAttr: withoutTimes, // for the same output each time
	}))
	client := newClient(demeterrr.WithLogger(logger))

	_, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
	if err != nil {
		log.Fatal(err)
	}
	// Output: level=DEBUG msg="demeterrr: attempt" method=GET path=/contacts attempt=1 status=200
}

func withoutTimes(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
		return slog.Attr{}
	}
	return a
}

func ExampleWithAppInfo() {
	_, err := demeterrr.New("dem_your_key_here", demeterrr.WithAppInfo("bookings", "2.1"))
	fmt.Println(err)
	// Output: <nil>
}

// oneAtATime is a Limiter that allows one request at a time.
type oneAtATime chan struct{}

func (l oneAtATime) Acquire(ctx context.Context) (demeterrr.Release, error) {
	select {
	case l <- struct{}{}:
		return func(demeterrr.LimitOutcome) { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func ExampleWithLimiter() {
	client := newClient(demeterrr.WithLimiter(make(oneAtATime, 1)))

	_, err := client.Contacts.List(ctx, nil)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithResponse() {
	client := newClient()

	var resp demeterrr.Response
	_, err := client.Contacts.List(ctx, nil, demeterrr.WithResponse(&resp))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"), resp.Attempts)
	// Output: 200 application/json; charset=utf-8 1
}

// A web request that cannot wait: one attempt, and the error at once.
func ExampleWithMaxRetries() {
	client := newClient()
	srv.Inject(demeterrrtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Minute})

	_, err := client.Contacts.List(ctx, nil, demeterrr.WithMaxRetries(0))

	var apiErr *demeterrr.Error
	if errors.Is(err, demeterrr.ErrRateLimited) && errors.As(err, &apiErr) {
		fmt.Println("try again in", apiErr.RetryAfter)
	}
	// Output: try again in 1m0s
}

func ExampleWithAtMostOnce() {
	client := newClient()
	srv.Inject(demeterrrtest.Fault{Status: http.StatusInternalServerError})

	_, err := client.Sequences.Execute(ctx, "880e8400-e29b-41d4-a716-446655440000", &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{{Email: "customer1@example.com", FirstName: "Alice"}},
	}, demeterrr.WithAtMostOnce())

	fmt.Println(errors.Is(err, demeterrr.ErrInternal), errors.Is(err, demeterrr.ErrUnknownOutcome), len(srv.Requests()))
	// Output: true true 1
}

// An outbox records each attempt just before it leaves.
func ExampleWithBeforeSend() {
	client := newClient()
	attempts := 0
	record := func(context.Context) error {
		attempts++ // such as a row in a database
		return nil
	}

	_, err := client.Contacts.List(ctx, nil, demeterrr.WithBeforeSend(record))
	fmt.Println(attempts, err)
	// Output: 1 <nil>
}

// A shutdown ends the context, but a request in flight may finish.
func ExampleWithUncancelableSend() {
	client := newClient()
	ctx, stop := context.WithCancel(ctx)
	shutdown := func(context.Context) error {
		stop()
		return nil
	}

	contact, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"},
		demeterrr.WithBeforeSend(shutdown), demeterrr.WithUncancelableSend())
	fmt.Println(contact.FirstName, err)
	// Output: Jane <nil>
}
