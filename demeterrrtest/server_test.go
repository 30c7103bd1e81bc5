package demeterrrtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

func TestPortAndMemoryAnswerAlike(t *testing.T) {
	t.Parallel()
	s := NewServer()
	defer s.Close()
	s.AddContact(john())
	if url := s.URL(); url != s.URL() || !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.HasSuffix(url, "/api/v1") {
		t.Errorf("URL %q, then %q", url, s.URL())
	}
	for _, target := range []string{"GET /contacts", "POST /contacts", "PATCH /contacts/" + john().ID, "DELETE /contacts/none", "GET /nothing?x=1"} {
		method, path, _ := strings.Cut(target, " ")
		var got [2]answer
		for i := range got {
			req := newRequest(t, s, method, path, `{"firstName":"J"}`)
			transport := s.Transport()
			if i == 1 {
				transport = onPort(t, s, req)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.Header.Get("Date") == "" || resp.ContentLength != int64(len(body)) || resp.Status != fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)) {
				t.Errorf("%s: Date %q, ContentLength %d, Status %q", target, resp.Header.Get("Date"), resp.ContentLength, resp.Status)
			}
			resp.Header.Del("Date")
			got[i] = answer{resp.StatusCode, resp.Header, string(body)}
		}
		ignoreTimes := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".body" && method == "PATCH" }, cmp.Ignore())
		if diff := cmp.Diff(got[0], got[1], cmp.AllowUnexported(answer{}), ignoreTimes); diff != "" {
			t.Errorf("%s (-memory +port):\n%s", target, diff)
		}
	}
}

func TestRequestsAreLoggedWithoutTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		req := newRequest(t, s, "POST", "/contacts?x=1&x=2", newContact)
		req.Header.Set("Authorization", "Bearer "+s.APIKey())
		roundTrip(t, s, req)
		want := []Request{{
			Method: "POST", Path: "/contacts", Query: url.Values{"x": {"1", "2"}},
			Header: http.Header{"X-Api-Key": {"[key]"}, "Authorization": {"[key]"}, "Content-Type": {"application/json"}},
			Body:   []byte(newContact), Status: 400, At: time.Now(),
			ErrorBody: []byte(`{"error":{"code":"VALIDATION_ERROR","message":"Validation failed","details":[{"field":"x","message":"is not a parameter of this endpoint"}]}}`),
		}}
		if diff := cmp.Diff(want, s.Requests()); diff != "" {
			t.Error(diff)
		}
		if req.Header.Get("X-API-Key") != s.APIKey() {
			t.Error("the caller's header was changed")
		}
	})
}

func TestTheLogSaysWhyARequestFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		minute, hour := Limit{Requests: 2, Window: time.Minute}, Limit{Requests: 2, Window: time.Hour}
		s := NewServer(WithRateLimits(SlidingWindow, minute, hour))
		lost := Fault{Route: "/contacts", Drop: DropAfter, Times: 3}
		s.Inject(lost)
		s.Inject(Fault{Skip: 1, Status: 503, Times: 1})
		start := time.Now()
		for range 5 {
			_, _ = s.Transport().RoundTrip(newRequest(t, s, "GET", "/contacts", "")) //nolint:bodyclose // all in memory
		}
		send(t, s, "GET", "/sequences", "")
		before := Fault{Drop: DropBefore}
		s.Inject(before)
		_, _ = s.Transport().RoundTrip(newRequest(t, s, "GET", "/contacts", "")) //nolint:bodyclose // there is none
		full := &Window{Limit: hour, Used: 2, Reset: start.Add(time.Hour)}
		type why struct {
			Status    int
			Throttled *Window
			Fault     *Fault
			Error     string
		}
		var got []why
		for _, r := range s.Requests() {
			got = append(got, why{r.Status, r.Throttled, r.Fault, string(r.ErrorBody)})
		}
		limited := string(rateLimited(429, hour, time.Hour).body)
		outage := Fault{Skip: 1, Status: 503, Times: 1}
		if diff := cmp.Diff([]why{
			{0, nil, &lost, ""},
			{0, nil, &lost, ""},
			{0, nil, &lost, ""}, // the windows are full, and the reply is lost
			{429, full, nil, limited},
			{503, nil, &outage, string(proxyPage(503).body)},
			{429, full, nil, limited},
			{0, nil, &before, ""},
		}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRequestLogReplacesTheKeptRequests(t *testing.T) {
	t.Parallel()
	var got []string
	var s *Server
	s = NewServer(WithRequestLog(func(r Request) {
		got = append(got, fmt.Sprint(r.Method, " ", r.Path, " ", r.Status, " ", len(s.Contacts()))) // the function may call the server
	}))
	send(t, s, "POST", "/contacts", newContact)
	if diff := cmp.Diff([]string{"POST /contacts 201 1"}, got); diff != "" || len(s.Requests()) != 0 {
		t.Error(diff, s.Requests())
	}
}

func TestClosedServerRefusesConnections(t *testing.T) {
	t.Parallel()
	s := NewServer()
	req := newRequest(t, s, "GET", "/contacts", "")
	network := onPort(t, s, req)
	s.Close()
	s.Close()
	for _, transport := range []http.RoundTripper{s.Transport(), network} {
		_, err := transport.RoundTrip(req) //nolint:bodyclose // there is none
		if !errors.Is(err, errRefused) {
			t.Errorf("%T: %v", transport, err)
		}
	}
}

func TestLatencyStaysInItsRangeAndEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(WithLatency(100*time.Millisecond, 300*time.Millisecond))
		shortest, longest := time.Hour, time.Duration(0)
		for range 200 {
			start := time.Now()
			send(t, s, "GET", "/contacts", "")
			took := time.Since(start)
			shortest, longest = min(shortest, took), max(longest, took)
		}
		if shortest < 100*time.Millisecond || longest > 300*time.Millisecond || longest-shortest < 100*time.Millisecond {
			t.Errorf("%v to %v", shortest, longest)
		}
		// A request that is canceled on its way never reaches the server.
		ctx, cancel := context.WithTimeout(t.Context(), 49*time.Millisecond)
		defer cancel()
		_, err := s.Transport().RoundTrip(newRequest(t, s, "POST", "/contacts", newContact).WithContext(ctx)) //nolint:bodyclose // there is none
		if !errors.Is(err, context.DeadlineExceeded) || len(s.Contacts()) != 0 || len(s.Requests()) != 200 {
			t.Errorf("%v, %d contacts, %d requests", err, len(s.Contacts()), len(s.Requests()))
		}
	})
}

// brokenBody fails while it is read.
type brokenBody struct{ closed *bool }

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("broken body") }
func (b brokenBody) Close() error           { *b.closed = true; return nil }

func TestBodyThatCannotBeReadIsTheCallersError(t *testing.T) {
	t.Parallel()
	s := NewServer()
	req := newRequest(t, s, "POST", "/contacts", "")
	closed := false
	req.Body = brokenBody{&closed}
	_, err := s.Transport().RoundTrip(req) //nolint:bodyclose // there is none
	if err == nil || err.Error() != "broken body" || !closed || len(s.Requests()) != 0 {
		t.Errorf("%v, closed %t", err, closed)
	}
}

// TestConcurrentUse is for the race detector. Without it, the test still finds
// lost and doubled contacts.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := NewServer(WithRateLimits(SlidingWindow, Limit{Requests: 1000, Window: time.Hour}), WithLatency(0, 1))
	s.AddSequence(postPurchase())
	s.Inject(Fault{Route: "GET /contacts", Status: 500, Times: 7})
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 10 {
				email := fmt.Sprintf("c%d.%d@example.com", worker, i)
				send(t, s, "POST", "/contacts", fmt.Sprintf(`{"email":%q,"firstName":"C"}`, email))
				send(t, s, "POST", executePath, fmt.Sprintf(`{"contacts":[{"email":%q}]}`, email))
				send(t, s, "GET", "/contacts", "")
				s.AddKey("contacts:read")
				_, _, _ = s.Contacts(), s.Sendings(), s.Requests()
			}
		})
	}
	workers.Wait()
	failed := 0
	for _, r := range s.Requests() {
		if r.Status == 500 {
			failed++
		}
	}
	if len(s.Contacts()) != 80 || len(s.Sendings()) != 80 || len(s.SentTwice()) != 0 || len(s.Requests()) != 240 || failed != 7 {
		t.Errorf("%d contacts, %d sendings, %d requests, %d failed", len(s.Contacts()), len(s.Sendings()), len(s.Requests()), failed)
	}
}

func TestClientTalksToItsServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		_, err := s.Client().Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: "ann@example.com", FirstName: "Ann"})
		if err != nil || len(s.Contacts()) != 1 {
			t.Errorf("%v, %+v", err, s.Contacts())
		}
		if key := s.APIKey(); len(key) != 47 || key[:4] != "dem_" {
			t.Errorf("key of %d characters", len(key))
		}
	})
}
