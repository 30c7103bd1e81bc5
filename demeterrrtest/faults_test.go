package demeterrrtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

const newContact = `{"email":"new@example.com","firstName":"New"}`

// faultReplies are faults with the reply to a POST /contacts.
var faultReplies = []struct {
	name   string
	fault  Fault
	status int
	body   string
	header map[string]string
}{
	{
		"429",
		Fault{Status: 429, RetryAfter: 59*time.Second + 1},
		429,
		`{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":60,"limit":1000,"window":"1 hour"}}}`,
		map[string]string{"Retry-After": "60"},
	},
	{
		"429 without a wait",
		Fault{Status: 429},
		429,
		`{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"limit":1000,"window":"1 hour"}}}`,
		map[string]string{"Retry-After": ""},
	},
	{
		"500",
		Fault{Status: 500},
		500,
		`{"error":{"code":"INTERNAL_ERROR","message":"An unexpected error occurred"}}`, nil,
	},
	{
		"403 names the scope of the route",
		Fault{Status: 403},
		403,
		`{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`, nil,
	},
	{
		"403 under another status",
		Fault{Status: 200, Code: demeterrr.CodeInsufficientPermissions},
		200,
		`{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`, nil,
	},
	{
		"a status without a body",
		Fault{Status: 204},
		204, "",
		map[string]string{"Content-Type": ""},
	},
	{
		"code alone",
		Fault{Code: demeterrr.CodeExpiredAPIKey},
		401,
		`{"error":{"code":"EXPIRED_API_KEY","message":"API key has expired"}}`, nil,
	},
	{
		"code that is not documented",
		Fault{Status: 422, Code: "TEAPOT"},
		422,
		`{"error":{"code":"TEAPOT","message":""}}`, nil,
	},
	{
		"proxy",
		Fault{Status: 502, RetryAfter: time.Second},
		502,
		"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>proxy</center>\r\n</body>\r\n</html>\r\n",
		map[string]string{"Content-Type": "text/html", "Retry-After": "1"},
	},
	{
		"body and headers of one's own",
		Fault{Status: 500, Body: "oops", ContentType: "text/plain", Header: http.Header{"retry-after": {"Wed, 21 Oct 2026 07:28:00 GMT"}}},
		500, "oops",
		map[string]string{"Content-Type": "text/plain", "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"},
	},
}

func TestFaultAnswersAsTheAPIOrAProxyWould(t *testing.T) {
	t.Parallel()
	for _, test := range faultReplies {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := NewServer()
			s.Inject(test.fault)
			got := send(t, s, "POST", "/contacts", newContact)
			got.is(t, test.status, test.body)
			for name, want := range test.header {
				if have := got.header.Get(name); have != want {
					t.Errorf("%s: %q, want %q", name, have, want)
				}
			}
			if len(s.Contacts()) != 0 {
				t.Error("the work was done")
			}
			if again := send(t, s, "POST", "/contacts", newContact); again.status != 201 {
				t.Errorf("after the fault: %d", again.status)
			}
		})
	}
}

func TestFaultMayComeAfterTheWork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  Fault
		status int
	}{
		{Fault{Status: 502, AfterWork: true}, 502},
		{Fault{Code: demeterrr.CodeInternal, AfterWork: true}, 500},
		{Fault{Body: "{"}, 201},
	} {
		s := NewServer()
		s.Inject(test.fault)
		if got := send(t, s, "POST", "/contacts", newContact); got.status != test.status || len(s.Contacts()) != 1 {
			t.Errorf("%+v: %d, %d contacts", test.fault, got.status, len(s.Contacts()))
		}
	}
}

// TestDroppedConnectionsLookReal compares the errors in memory with those of a
// real connection. It also checks whether the work was done.
func TestDroppedConnectionsLookReal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  Fault
		errno  error // of the round trip or of reading the body
		op     string
		done   bool
		logged []int // statuses
	}{
		{"no connection", Fault{Drop: NoConnection}, errRefused, "dial", false, nil},
		{"before the work", Fault{Drop: DropBefore}, errReset, "read", false, []int{0}},
		{"after the work", Fault{Drop: DropAfter}, errReset, "read", true, []int{0}},
		{"in the body", Fault{Drop: Truncate}, io.ErrUnexpectedEOF, "", true, []int{201}},
		{"in the body of an error", Fault{Drop: Truncate, Status: 500}, io.ErrUnexpectedEOF, "", false, []int{500}},
	} {
		for _, inMemory := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/memory=%t", test.name, inMemory), func(t *testing.T) {
				t.Parallel()
				s := NewServer()
				defer s.Close()
				s.Inject(test.fault)
				req := newRequest(t, s, "POST", "/contacts", newContact)
				transport, wantErrno, wantOp := s.Transport(), test.errno, test.op
				if !inMemory {
					transport = onPort(t, s, req)
					if test.fault.Drop == NoConnection {
						wantErrno, wantOp = errReset, "read" // the connection is open already
					}
				}
				resp, err := transport.RoundTrip(req)
				if err == nil {
					defer resp.Body.Close()
					var body []byte
					body, err = io.ReadAll(resp.Body)
					if int64(len(body)) != resp.ContentLength/2 {
						t.Errorf("%d bytes of %d", len(body), resp.ContentLength)
					}
				}
				if !errors.Is(err, wantErrno) {
					t.Errorf("error %v, want %v", err, wantErrno)
				}
				if op := (*net.OpError)(nil); wantOp != "" && (!errors.As(err, &op) || op.Op != wantOp) {
					t.Errorf("error %v, want op %q", err, wantOp)
				}
				if done := len(s.Contacts()) == 1; done != test.done {
					t.Errorf("work done: %t", done)
				}
				var logged []int
				for _, r := range s.Requests() {
					logged = append(logged, r.Status)
				}
				if diff := cmp.Diff(test.logged, logged); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// onPort redirects a request to the port of the server, and returns a transport
// for it.
func onPort(t *testing.T, s *Server, req *http.Request) http.RoundTripper {
	t.Helper()
	host, _ := strings.CutSuffix(strings.TrimPrefix(s.URL(), "http://"), "/api/v1")
	req.URL.Scheme, req.URL.Host = "http", host
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestTruncatedReplyWithoutBodyIsLost(t *testing.T) {
	t.Parallel()
	s := NewServer()
	contact := s.AddContact(demeterrr.Contact{Email: "a@example.com"})
	s.Inject(Fault{Drop: Truncate})
	_, err := s.Transport().RoundTrip(newRequest(t, s, "DELETE", "/contacts/"+contact.ID, "")) //nolint:bodyclose // there is none
	if !errors.Is(err, errReset) || len(s.Contacts()) != 0 {
		t.Errorf("%v, %d contacts", err, len(s.Contacts()))
	}
}

func TestFaultsApplyInOrderByRouteAndCount(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.Inject(Fault{Route: "GET /contacts/{id}", Status: 503, Times: 2})
	s.Inject(Fault{Route: "/contacts/{id}", Status: 504, Skip: 1})
	s.Inject(Fault{Route: "GET /sequences", Status: 502, Times: Always})
	s.Inject(Fault{Status: 500})
	var got []int
	for _, target := range []string{
		"GET /contacts/x", "GET /contacts/x", // the first fault, used up
		"DELETE /contacts/x", // passes the second, meets the last
		"DELETE /contacts/x", // meets the second
		"GET /contacts", "GET /contacts/x",
		"GET /sequences", "GET /sequences",
	} {
		method, path, _ := strings.Cut(target, " ")
		got = append(got, send(t, s, method, path, "").status)
	}
	if diff := cmp.Diff([]int{503, 503, 500, 504, 200, 404, 502, 502}, got); diff != "" {
		t.Error(diff)
	}
	s.ClearFaults()
	if got := send(t, s, "GET", "/sequences", ""); got.status != 200 {
		t.Errorf("after ClearFaults: %d", got.status)
	}
}

func TestAFaultEndsWithItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		s.Inject(Fault{Route: "/contacts", Status: 429, RetryAfter: time.Minute, For: time.Minute})
		s.Inject(Fault{Status: 503, Times: 5, Skip: 1, For: time.Hour}) // not shadowed by the first one
		start := time.Now()
		for _, want := range []struct {
			at     time.Duration
			status int
			wait   string
			left   []Fault
		}{
			{0, 429, "60", []Fault{{Route: "/contacts", Status: 429, Times: Always, RetryAfter: time.Minute, For: time.Minute}, {Status: 503, Times: 5, Skip: 1, For: time.Hour}}},
			{45*time.Second + 1, 429, "15", []Fault{{Route: "/contacts", Status: 429, Times: Always, RetryAfter: time.Minute, For: 15*time.Second - 1}, {Status: 503, Times: 5, Skip: 1, For: 59*time.Minute + 15*time.Second - 1}}},
			{time.Minute, 200, "", []Fault{{Status: 503, Times: 5, For: 59 * time.Minute}}},
			{time.Hour - 1, 503, "", []Fault{{Status: 503, Times: 4, For: 1}}},
			{time.Hour, 200, "", []Fault{}},
		} {
			time.Sleep(want.at - time.Since(start))
			got := send(t, s, "GET", "/contacts", "")
			if got.status != want.status || got.header.Get("Retry-After") != want.wait {
				t.Errorf("after %v: %d, Retry-After %q", want.at, got.status, got.header.Get("Retry-After"))
			}
			if diff := cmp.Diff(want.left, s.Faults()); diff != "" {
				t.Errorf("after %v: %s", want.at, diff)
			}
		}
	})
}

func TestTryInjectReturnsWhatInjectPanicsWith(t *testing.T) {
	t.Parallel()
	s := NewServer()
	if err := s.TryInject(Fault{Status: 42}); err == nil || err.Error() != "status 42: want 200 to 599" {
		t.Errorf("%v", err)
	}
	s.Inject(Fault{Status: 500, Times: Always})
	if err := s.TryInject(Fault{Status: 501}); err == nil || !strings.Contains(err.Error(), "never ends") {
		t.Errorf("%v", err)
	}
	s.ClearFaults()
	if err := s.TryInject(Fault{Status: 501}); err != nil || len(s.Faults()) != 1 {
		t.Errorf("%v, %d faults", err, len(s.Faults()))
	}
	s.Close()
	if err := s.TryInject(Fault{Status: 501}); err == nil || err.Error() != "the server is closed" {
		t.Errorf("%v", err)
	}
}

func TestFaultCanPlayAnEndpoint(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.Inject(Fault{Route: "GET /surveys/{id}/answers/{n}", Status: 200, Body: `{"data":[]}`})
	send(t, s, "GET", "/surveys/a%2Fb/answers/1", "").is(t, 200, `{"data":[]}`)
	if got := s.Requests()[0].Path; got != "/surveys/a%2Fb/answers/1" {
		t.Errorf("logged path %q", got)
	}
}

func TestIgnoredQueryIsOverlooked(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddContact(john())
	s.Inject(Fault{Route: "GET /contacts", IgnoreQuery: []string{"email", "page"}})
	const query = "/contacts?email=other@example.com&page=3"
	if got := send(t, s, "GET", query, ""); !strings.Contains(got.body, `"page":1,`) || !strings.Contains(got.body, "john.doe") {
		t.Error(got.body)
	}
	if got := send(t, s, "GET", query, ""); strings.Contains(got.body, "john.doe") {
		t.Error(got.body)
	}
	if got := s.Requests()[0].Query.Get("page"); got != "3" {
		t.Errorf("logged page %q", got)
	}
}

func TestDelayHoldsTheReplyBackAfterTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		s.Inject(Fault{Route: "POST /contacts", Delay: time.Minute, Times: 2})
		start := time.Now()
		if got := send(t, s, "POST", "/contacts", newContact); got.status != 201 || time.Since(start) != time.Minute {
			t.Errorf("%d after %v", got.status, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req := newRequest(t, s, "POST", "/contacts", `{"email":"b@example.com","firstName":"B"}`).WithContext(ctx)
		start = time.Now()
		_, err := s.Transport().RoundTrip(req) //nolint:bodyclose // there is none
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if n := len(s.Contacts()); n != 2 {
			t.Errorf("%d contacts", n)
		}
	})
}

func TestNothingIsSentForAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	s := NewServer()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Transport().RoundTrip(newRequest(t, s, "GET", "/contacts", "").WithContext(ctx)) //nolint:bodyclose // there is none
	if !errors.Is(err, context.Canceled) || len(s.Requests()) != 0 {
		t.Errorf("%v, %d requests", err, len(s.Requests()))
	}
}

func TestMisuseIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddContact(demeterrr.Contact{ID: "1", Email: "a@example.com"})
	s.AddSequence(demeterrr.Sequence{ID: "1"})
	closed := NewServer()
	closed.Close()
	for want, misuse := range map[string]func(){
		`NewServer: an option is nil`:                     func() { NewServer(nil) },
		`WithLatency: need 0 <= shortest <= longest`:      func() { WithLatency(2, 1) },
		`WithRequestLog: the function is nil`:             func() { WithRequestLog(nil) },
		`WithRateLimits: window kind 7 is not known`:      func() { WithRateLimits(7) },
		`WithRateLimits: need at least one request`:       func() { WithRateLimits(FixedWindow, Limit{Requests: 0, Window: time.Hour}) },
		`WithRateLimits: no limit is given`:               func() { WithRateLimits(SlidingWindow) },
		`NewServer: WithWindowPhase needs WithRateLimits`: func() { NewServer(WithWindowPhase(1)) },
		`with FixedWindow`: func() {
			NewServer(WithWindowPhase(1), WithRateLimits(SlidingWindow, Limit{Requests: 1, Window: time.Hour}))
		},
		`AddKey: scope "contact:read" is unknown`:           func() { s.AddKey("contacts:*", "contact:read") },
		`AddKey: scope "sequences:write" is unkn`:           func() { s.AddKey("sequences:write") },
		`AddKey: scope "surveys" is unknown`:                func() { s.AddKey("surveys") },
		`SendingsFrom: n is -1`:                             func() { s.SendingsFrom(-1) },
		`ListContacts: page and limit must not be`:          func() { s.ListContacts(&demeterrr.ContactListParams{Page: -1}) },
		`RestoreKey: the key is unknown to this server`:     func() { s.RestoreKey("dem_x") },
		`AddContact: the email is not an address`:           func() { s.AddContact(demeterrr.Contact{Email: "Jane <jane@example.com>"}) },
		`AddContact: extra member "note" is not JSON`:       func() { s.AddContact(demeterrr.Contact{Extra: map[string]json.RawMessage{"note": []byte("x")}}) },
		`AddSequence: extra member "n" is not JSON`:         func() { s.AddSequence(demeterrr.Sequence{Extra: map[string]json.RawMessage{"n": nil}}) },
		`AddContact: there is a contact with the id 1`:      func() { s.AddContact(demeterrr.Contact{ID: "1"}) },
		`there is a contact with the email A@example.com`:   func() { s.AddContact(demeterrr.Contact{Email: "A@example.com"}) },
		`AddContact: custom fields: json: unsupported type`: func() { s.AddContact(demeterrr.Contact{CustomFields: map[string]any{"f": func() {}}}) },
		`AddSequence: there is a sequence with the id 1`:    func() { s.AddSequence(demeterrr.Sequence{ID: "1"}) },
		`ExpireKey: the key is unknown to this server`:      func() { s.ExpireKey("dem_x") },
		`DeactivateKey: the key is unknown to this server`:  func() { s.DeactivateKey("dem_x") },
		`URL: http: Server closed`:                          func() { closed.URL() },
		`Client: `:                                          func() { s.Client(nil) },
		`Inject: route "POST": want a form like`:            func() { s.Inject(Fault{Route: "POST"}) },
		`Inject: route "/api/v1/contacts": leave /api/v1`:   func() { s.Inject(Fault{Route: "/api/v1/contacts"}) },
		`Inject: skip, times, for, delay and retryAfter`:    func() { s.Inject(Fault{Delay: -1}) },
		`must not be negative (times may be Always)`:        func() { s.Inject(Fault{Status: 500, Times: -3}) },
		`Inject: nothing would go wrong`:                    func() { s.Inject(Fault{Route: "GET /contacts"}) },
		`Inject: status 42: want 200 to 599`:                func() { s.Inject(Fault{Status: 42}) },
		`Inject: code X is not documented`:                  func() { s.Inject(Fault{Code: "X"}) },
		`Inject: drop 9 is not known`:                       func() { s.Inject(Fault{Drop: 9}) },
		`Inject: a dropped connection carries no reply`:     func() { s.Inject(Fault{Drop: DropAfter, Status: 500}) },
		`Inject: afterWork is for Status and Code`:          func() { s.Inject(Fault{AfterWork: true}) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "demeterrrtest: ") || !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			misuse()
		}()
	}
}
