package demeterrr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// These tests cover tasks that go-retryablehttp (version 0.7.8) leaves to the
// client, and its unwanted behavior.

const quietChild = "DEMETERRR_TEST_QUIET_CHILD"

// The library's default logger writes to the process's original standard error.
// Only another process can see it.
func TestTrapNothingIsWrittenToStandardError(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestQuietChild$", "-test.v")
	child.Env = append(os.Environ(), quietChild+"=1")
	var stdout, stderr bytes.Buffer
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	if !strings.Contains(stdout.String(), "--- PASS: TestQuietChild") {
		t.Errorf("the child did not run its test:\n%s", &stdout)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error is not empty:\n%s", &stderr)
	}
}

func TestQuietChild(t *testing.T) {
	t.Parallel()
	if os.Getenv(quietChild) == "" {
		t.Skip("runs in a process of its own")
	}
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{reset, gateway, limited, internal, okContacts, refused, {body: "{"}, okNobody})
		_, err := c.Contacts.FindByEmail(t.Context(), email)
		wantError(t, err, 4)
		_, err = c.Contacts.FindByEmail(t.Context(), email)
		wantNil(t, err)
		_, err = c.Contacts.FindByEmail(t.Context(), email)
		wantError(t, err, 3, demeterrr.ErrNotFound)
		s.wantSent(8)
	})
}

// The library drains a body before it asks for the wait.
func TestTrapTheErrorsBodyIsReadBeforeItIsDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{gateway, {status: 429, body: limited60JSON}, okContact}) // the library makes the second wait
		wantNil(t, get(t.Context(), c))
		s.wantWaits(time.Second, time.Minute) // only the body has it
	})
}

// The library drops the last reply when the retries are used up.
func TestTrapExhaustedRetriesKeepTheLastError(t *testing.T) {
	t.Parallel()
	last := `{"error":{"code":"INTERNAL_ERROR","message":"The fourth","details":{"trace":"t4"},"requiredScope":"x"}}`
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{gateway, limited, reset, {status: 500, body: last, header: []string{"X-Request-Id", "r4"}}})
		err := update(t.Context(), c)
		wantError(t, err, 4, demeterrr.ErrInternal, demeterrr.ErrServer)
		wantIsNot(t, err, demeterrr.ErrRateLimited)
		var e *demeterrr.Error
		errors.As(err, &e)
		got := []string{string(e.Code), e.Message, string(e.Details), e.RequestID, e.Method, e.Path}
		same(t, "error", got, []string{"INTERNAL_ERROR", "The fourth", `{"trace":"t4"}`, "r4", "PATCH", "/contacts/" + contactID})
	})
}

// The library would sleep for an hour, for 484,289 hours, or, if the
// nanoseconds overflow, not at all.
func TestTrapARetryAfterIsNotTrusted(t *testing.T) {
	t.Parallel()
	for retryAfter, attempts := range map[string]int{
		"3600": 1, "1743440400": 1, // beyond MaxRetryAfter: no retry
		"9223372037": 4, "9223372036854775807": 4, "18446744074": 4, "-1": 4, // not a time: back-off
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(status, " ", retryAfter), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					begin := time.Now()
					c, s := play(t, repeat(step{status: status}.with("Retry-After", retryAfter), 10))
					wantError(t, get(t.Context(), c), attempts)
					if attempts == 4 {
						s.wantWaits(1*time.Second, 2*time.Second, 4*time.Second)
					} else if took := time.Since(begin); took != 0 {
						t.Errorf("it returned after %v", took)
					}
				})
			})
		}
	}
}

// The library closes the idle connections of its client after a final failure
// and after a canceled wait. script.CloseIdleConnections fails every test in
// this case.
func TestTrapIdleConnectionsOfTheCallerAreNeverClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		steps := append(repeat(gateway, 4), repeat(reset, 4)...)
		steps = append(steps, badCert, missing, gateway, limitedFor("60"))
		s := &script{t: t, begin: time.Now(), steps: steps}
		mine := &http.Client{Transport: s, Timeout: time.Minute}
		before := *mine
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(mine))
		wantNil(t, err)
		wantError(t, get(t.Context(), c), 4)
		wantError(t, get(t.Context(), c), 4)
		wantError(t, get(t.Context(), c), 1)
		wantError(t, get(t.Context(), c), 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(10*time.Second, cancel) // in the second wait, made by the library
		wantError(t, get(ctx, c), 2, context.Canceled)
		s.wantSent(12)
		if mine.Transport != before.Transport || mine.CheckRedirect != nil || mine.Jar != nil || mine.Timeout != before.Timeout {
			t.Error("the caller's client was changed")
		}
	})
}

// The library reads at most 4,096 bytes of a reply, and the rest costs the
// connection. This test needs real connections and real time: the waits are 1
// ns.
func TestTrapLargeRepliesDoNotCostTheirConnection(t *testing.T) {
	t.Parallel()
	const page = 256 << 10
	var requests, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := requests.Add(1); n%4 != 0 {
			w.WriteHeader([]int{0, 500, 502, 429}[n%4])
			_, _ = w.Write(bytes.Repeat([]byte("x"), page))
			return
		}
		_, _ = w.Write([]byte(`{"data":` + contactJSON + strings.Repeat(" ", page) + `}`))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	quick := demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: 1, MaxWait: 1})
	for name, opts := range map[string][]demeterrr.Option{
		"own transport":     {quick},
		"caller's client":   {quick, demeterrr.WithHTTPClient(&http.Client{Transport: &http.Transport{}})},
		"the server's own":  {quick, demeterrr.WithHTTPClient(server.Client())},
		"default transport": {quick, demeterrr.WithHTTPClient(&http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()})},
	} {
		requests.Store(0)
		connections.Store(0)
		c, err := demeterrr.New(testKey, append(opts, demeterrr.WithBaseURL(server.URL))...)
		wantNil(t, err)
		for range 5 {
			wantNil(t, get(t.Context(), c))
		}
		if requests.Load() != 20 || connections.Load() != 1 {
			t.Errorf("%s: %d requests took %d connections, want 20 and 1", name, requests.Load(), connections.Load())
		}
	}
}

// The library returns the bare error of the context.
func TestTrapACancelledWaitIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel) // in the second wait, made by the library
		c, _ := play(t, []step{refused, {status: 429, body: limited60JSON}})
		e := wantError(t, execute(ctx, c), 2, context.Canceled, demeterrr.ErrRateLimited)
		if e.StatusCode != 429 || e.Code != demeterrr.CodeRateLimited || e.RetryAfter != time.Minute {
			t.Errorf("got %v", e)
		}
	})
}

// The call itself keeps the data of a retry, as a shared client would mix them
// up.
func TestTrapConcurrentCallsDoNotMixTheirReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		codes := transport(func(req *http.Request) (*http.Response, error) {
			id := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
			time.Sleep(time.Millisecond)
			s := &script{t: t, steps: []step{{status: 500, body: `{"error":{"code":"INTERNAL_ERROR","message":"of ` + id + `"}}`}}}
			return s.RoundTrip(req)
		})
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: codes}))
		wantNil(t, err)
		var calls sync.WaitGroup
		for i := range 50 {
			calls.Go(func() {
				id := fmt.Sprint("c", i)
				_, err := c.Contacts.Get(t.Context(), id)
				var e *demeterrr.Error
				if !errors.As(err, &e) || e.Message != "of "+id || e.Path != "/contacts/"+id || e.Attempts != 4 {
					t.Errorf("%s: got %v", id, err)
				}
			})
		}
		calls.Wait()
	})
}

// http.Client adds the jar's cookies to the request, and every attempt shares
// this request.
func TestTrapCookiesAreSentOnceInEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jar := must(cookiejar.New(nil))
		address := must(url.Parse(demeterrr.DefaultBaseURL))
		jar.SetCookies(address, []*http.Cookie{{Name: "route", Value: "a", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}})
		s := &script{t: t, begin: time.Now(), steps: []step{
			gateway, gateway.with("Set-Cookie", "route=b; Path=/"), gateway, okContact,
		}}
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: s, Jar: jar}))
		wantNil(t, err)
		wantNil(t, get(t.Context(), c))
		for i, want := range []string{"route=a", "route=a", "route=b", "route=b"} {
			if got := s.sent[i].header["Cookie"]; len(got) != 1 || got[0] != want {
				t.Errorf("attempt %d has the cookies %q, want %s", i+1, got, want)
			}
		}
	})
}
