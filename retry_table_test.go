package demeterrr_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// The columns of the table of retries.
const (
	idempotent = iota // GET, PATCH, DELETE
	creating          // POST /contacts
	other             // execute and every other POST or PUT
)

type operation struct {
	name    string
	column  int
	write   bool
	call    func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error
	body    string // part of the body of each request
	success step
	blind   bool // it ignores the body of a 2xx
}

var operations = []operation{
	{name: "Get", call: get, success: okContact},
	{name: "Update", call: update, write: true, body: `{"lastName":"Doe-Smith"}`, success: okContact},
	{name: "Delete", call: remove, write: true, success: okDeleted, blind: true},
	{name: "Create", column: creating, call: create, write: true, body: `{"email":"john.doe@example.com","firstName":"John"}`, success: okCreated},
	{name: "Execute", column: other, call: execute, write: true, body: `{"contacts":[{"email":"customer1@example.com"}]}`, success: okExecution},
	{name: "Do GET", call: do("GET", "/surveys/s1", nil), success: okSurvey},
	{name: "Do PATCH", call: do("PATCH", "/surveys/s1", map[string]string{"name": "<é>"}), write: true, body: `{"name":"<é>"}`, success: okSurvey},
	{name: "Do DELETE", call: do("DELETE", "/surveys/s1", nil), write: true, success: okSurvey},
	{name: "Do POST /contacts", column: creating, call: do("POST", "contacts", map[string]int{"n": 1}), write: true, body: `{"n":1}`, success: okSurvey},
	{name: "Do POST", column: other, call: do("POST", "/surveys", map[string]int{"n": 1}), write: true, body: `{"n":1}`, success: okSurvey},
	{name: "Do POST without a body", column: other, call: do("POST", "/surveys", nil), write: true, success: okSurvey},
	{name: "Do POST below /contacts", column: other, call: do("POST", "/contacts/import", nil), write: true, success: okSurvey},
	{name: "Do PUT /contacts", column: other, call: do("PUT", "/contacts", nil), write: true, success: okSurvey},
	{name: "Fetch GET", call: fetchSurvey("GET"), success: okSurvey},
	{name: "Fetch DELETE", call: fetchSurvey("DELETE"), write: true, success: okSurvey},
	{name: "Fetch POST", column: other, call: fetchSurvey("POST"), write: true, success: okSurvey},
	{name: "FetchAll", call: fetchSurveys, success: okSurveys},
	{name: "Do PUT", column: other, call: do("PUT", "/surveys/s1", map[string]int{"n": 1}), write: true, body: `{"n":1}`, success: okSurvey},
}

// row is a row of the table of retries.
type row struct {
	name   string
	again  [3]bool // retried, by column
	later  [3]bool // Error.Retryable, by column
	once   bool    // retried with WithAtMostOnce too
	effect bool    // a write may have taken effect
	inBody bool    // the mistake is in the body of a 2xx
	fails  map[string]step
}

type timeoutError struct{}

func (timeoutError) Error() string        { return "i/o timeout" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

func dialError(op string, err error) step {
	return step{err: &net.OpError{Op: op, Net: "tcp", Err: err}}
}

var (
	everywhere = [3]bool{true, true, true}
	notOther   = [3]bool{true, true, false}
	nowhere    = [3]bool{}
)

var retryTable = []row{
	{name: "429", again: everywhere, later: everywhere, once: true, fails: map[string]step{
		"of the API": limited,
		"of a proxy": {status: 429, body: "slow down"},
		"no body":    {status: 429},
		"truncated":  {status: 429, body: limitedJSON, cut: true},
	}},
	{name: "500 with the API's own error body", again: everywhere, later: notOther, effect: true, fails: map[string]step{
		"INTERNAL_ERROR": internal,
	}},
	{name: "408, 425, any other 5xx but 501", again: notOther, later: notOther, effect: true, fails: map[string]step{
		"500 of a proxy":              {status: 500, body: "<html>oops</html>"},
		"500 without a body":          {status: 500},
		"500 with another code":       {status: 500, body: `{"error":{"code":"SOMETHING_ELSE","message":"?"}}`},
		"500 with a message only":     {status: 500, body: `{"message":"INTERNAL_ERROR"}`},
		"500 truncated":               {status: 500, body: internalJSON, cut: true},
		"502":                         gateway,
		"503":                         {status: 503, body: "no healthy upstream"},
		"504":                         {status: 504, body: "upstream timed out"},
		"502 with the API's 500 body": {status: 502, body: internalJSON},
		"505":                         {status: 505},
		"507":                         {status: 507, body: "insufficient storage"},
		"520":                         {status: 520, body: "web server returned an unknown error"},
		"599":                         {status: 599},
		"408":                         {status: 408, body: "request timeout"},
		"408 with the API's 500 body": {status: 408, body: internalJSON},
		"425":                         {status: 425, body: "too early"},
	}},
	{name: "no connection", again: everywhere, later: everywhere, once: true, fails: map[string]step{
		"refused":       refused,
		"no such host":  noHost,
		"bare DNS":      {err: &net.DNSError{Err: "server misbehaving", Name: "app.demeterrr.com", IsTemporary: true}},
		"dial timeout":  dialError("dial", timeoutError{}),
		"proxy refused": dialError("proxyconnect", os.ErrPermission),
		"SOCKS":         dialError("socks connect", errors.New("network unreachable")),
	}},
	{name: "certificate", again: nowhere, fails: map[string]step{
		"host":      badCert,
		"authority": {err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
		"bare":      {err: x509.UnknownAuthorityError{}},
		"platform":  {err: &tls.CertificateVerificationError{Err: errors.New("x509: the certificate is revoked")}},
		"expired":   {err: x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}},
		"proxy's":   dialError("proxyconnect", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "proxy"}),
	}},
	{name: "reply lost", again: notOther, later: notOther, effect: true, fails: map[string]step{
		"reset":          reset,
		"closed":         {err: errors.New("http: server closed idle connection")},
		"timeout":        stalled,
		"header timeout": {err: fmt.Errorf("net/http: timeout awaiting response headers: %w", timeoutError{})},
	}},
	{name: "body of a 2xx lost", again: notOther, later: notOther, effect: true, inBody: true, fails: map[string]step{
		"truncated":    {body: okContact.body, cut: true},
		"stalled":      {body: okContact.body, freeze: true},
		"empty":        {status: 204},
		"not JSON":     {status: 201, body: "<html>OK</html>"},
		"cut document": {body: `{"data":{"id":"550e`},
	}},
	{name: "2xx with an error of the API's that passes", again: nowhere, later: notOther, effect: true, fails: map[string]step{
		"INTERNAL_ERROR":      {status: 200, body: internalJSON},
		"RATE_LIMIT_EXCEEDED": {status: 201, body: limited60JSON},
	}},
	{name: "2xx with another error of the API's", again: nowhere, effect: true, fails: map[string]step{
		"in a 202":        {status: 202, body: existsJSON},
		"beside the data": {status: 200, body: `{"data":` + contactJSON + `,"error":{"code":"VALIDATION_ERROR","message":"Invalid"}}`},
		"before bad data": {status: 200, body: `{"error":{"code":"VALIDATION_ERROR"},"data":{"id":7}}`},
	}},
	{name: "anything else", again: nowhere, fails: map[string]step{
		"400":                         {status: 400, body: `{"error":{"code":"VALIDATION_ERROR","message":"Invalid request","details":[{"path":"email"}]}}`},
		"401":                         {status: 401, body: `{"error":{"code":"INVALID_API_KEY","message":"Invalid or inactive API key"}}`},
		"403":                         {status: 403, body: `{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`},
		"404":                         missing,
		"409":                         exists,
		"422":                         {status: 422, body: "no"},
		"302":                         {status: 302, header: []string{"Location", "https://elsewhere.example/"}},
		"400 with the API's 500 body": {status: 400, body: internalJSON},
		"400 with a Retry-After":      {status: 400, header: []string{"Retry-After", "1"}},
	}},
	{name: "anything else of a server", again: nowhere, effect: true, fails: map[string]step{
		"501": {status: 501, body: "not implemented"},
		"600": {status: 600},
	}},
}

// eachCell runs f for each cell of the table, with and without WithAtMostOnce.
func eachCell(t *testing.T, f func(t *testing.T, r row, fails step, op operation, again bool, opts []demeterrr.CallOption)) {
	t.Helper()
	for _, r := range retryTable {
		for name, fails := range r.fails {
			for _, op := range operations {
				if r.inBody && op.blind {
					continue
				}
				t.Run(r.name+"/"+name+"/"+op.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { f(t, r, fails, op, r.again[op.column], nil) })
				})
				t.Run(r.name+"/"+name+"/"+op.name+"/at most once", func(t *testing.T) {
					once := []demeterrr.CallOption{demeterrr.WithAtMostOnce()}
					synctest.Test(t, func(t *testing.T) { f(t, r, fails, op, r.again[op.column] && r.once, once) })
				})
			}
		}
	}
}

// attemptLimit is the duration of an attempt without a reply.
const attemptLimit = 20 * time.Second

func (s step) lasts() time.Duration {
	if s.stall || s.freeze {
		return attemptLimit
	}
	return s.took
}

// TestRetryTableThenSuccess checks the requests of each cell if the second
// attempt would succeed.
func TestRetryTableThenSuccess(t *testing.T) {
	t.Parallel()
	//nolint:thelper // this is a cell's test
	eachCell(t, func(t *testing.T, r row, fails step, op operation, again bool, opts []demeterrr.CallOption) {
		c, s := play(t, []step{fails, op.success}, demeterrr.WithTimeout(attemptLimit))
		err := op.call(t.Context(), c, opts...)
		if !again {
			s.wantSent(1)
			wantError(t, err, 1)
			if got, want := errors.Is(err, demeterrr.ErrUnknownOutcome), op.write && r.effect; got != want {
				t.Errorf("unknown outcome is %t, want %t: %v", got, want, err)
			}
			return
		}
		wantNil(t, err)
		s.wantSent(2)
		if wait := s.sent[1].at - s.sent[0].at - fails.lasts(); wait < time.Second || wait >= 1250*time.Millisecond {
			t.Errorf("waited %v, want 1 s or up to a quarter more", wait)
		}
		for i, got := range s.sent {
			if got.body != op.body {
				t.Errorf("attempt %d: body %q, want %q", i+1, got.body, op.body)
			}
		}
	})
}

// TestRetryTableWithAtMostOnceForTheClient checks the cells of WithAtMostOnce
// with the policy's AtMostOnce.
func TestRetryTableWithAtMostOnceForTheClient(t *testing.T) {
	t.Parallel()
	//nolint:thelper // this is a cell's test
	eachCell(t, func(t *testing.T, _ row, fails step, op operation, again bool, opts []demeterrr.CallOption) {
		if opts == nil {
			return
		}
		policy := demeterrr.DefaultRetryPolicy()
		policy.AtMostOnce = true
		c, s := play(t, []step{fails, op.success}, demeterrr.WithTimeout(attemptLimit), demeterrr.WithRetryPolicy(policy))
		err := op.call(t.Context(), c)
		same(t, "success", err == nil, again)
		s.wantSent(map[bool]int{false: 1, true: 2}[again])
	})
}

// TestRetryTableExhausted checks the requests of each cell if every attempt
// fails, and the final error.
func TestRetryTableExhausted(t *testing.T) {
	t.Parallel()
	//nolint:thelper // this is a cell's test
	eachCell(t, func(t *testing.T, r row, fails step, op operation, again bool, opts []demeterrr.CallOption) {
		c, s := play(t, repeat(fails, 10), demeterrr.WithTimeout(attemptLimit))
		err := op.call(t.Context(), c, opts...)
		attempts := 1
		if again {
			attempts = 4
		}
		s.wantSent(attempts)
		e := wantError(t, err, attempts)
		if got, want := errors.Is(err, demeterrr.ErrUnknownOutcome), op.write && r.effect; got != want {
			t.Errorf("unknown outcome is %t, want %t: %v", got, want, err)
		}
		if want := r.later[op.column]; e.Retryable() != want {
			t.Errorf("Retryable is %t, want %t: %v", e.Retryable(), want, err)
		}
		if lost := fails.err != nil || fails.stall; !lost && e.StatusCode != max(fails.status, 200) || lost && e.StatusCode != 0 {
			t.Errorf("StatusCode is %d", e.StatusCode)
		}
		if e.Method != s.sent[0].method || e.Path == "" {
			t.Errorf("the error is of %q %q", e.Method, e.Path)
		}
		for i, got := range s.sent {
			if got.body != op.body || got.method != s.sent[0].method || got.path != s.sent[0].path {
				t.Errorf("attempt %d: %s %s %q, want %q as in the first", i+1, got.method, got.path, got.body, op.body)
			}
			if i > 0 {
				wait, want := got.at-s.sent[i-1].at-fails.lasts(), time.Second<<(i-1)
				if wait < want || wait >= want+want/4 {
					t.Errorf("wait %d took %v, want %v or up to a quarter more", i, wait, want)
				}
			}
		}
	})
}

// TestEveryAttemptIsTheSameRequest compares whole headers across the attempts.
func TestEveryAttemptIsTheSameRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, slices.Concat(repeat(reset, 3), []step{okCreated}), demeterrr.WithAppInfo("shop", "1.2"))
		wantNil(t, create(t.Context(), c))
		s.wantWaits(1*time.Second, 2*time.Second, 4*time.Second)
		for i, got := range s.sent {
			same(t, fmt.Sprintf("attempt %d", i+1), got.header, s.sent[0].header)
		}
		if got := s.sent[3].header["X-Api-Key"]; len(got) != 1 || got[0] != testKey {
			t.Errorf("the last attempt has the key %q", got)
		}
	})
}

// played is a reply of a script.
type played struct {
	step
	wait time.Duration // wait after it; 0: the call ends here
}

// mixedReplies are scripts of different replies, with their final error.
// Without want and not, there is none.
var mixedReplies = []struct {
	name  string
	op    string
	opts  []demeterrr.CallOption
	steps []played
	want  []error
	not   []error
}{
	{
		"the last one succeeds", "Get", nil,
		[]played{{gateway, 1 * time.Second}, {limitedFor("7"), 7 * time.Second}, {reset, 4 * time.Second}, {okContact, 0}},
		nil, nil,
	},
	{
		"execute: 429, then a lost reply", "Execute", nil,
		[]played{{limited, 1 * time.Second}, {reset, 0}, {okExecution, 0}},
		[]error{demeterrr.ErrUnknownOutcome},
		[]error{demeterrr.ErrRateLimited},
	},
	{
		"execute: no connection, 429, INTERNAL_ERROR, 502", "Execute", nil,
		[]played{{refused, 1 * time.Second}, {limited, 2 * time.Second}, {internal, 4 * time.Second}, {gateway, 0}},
		[]error{demeterrr.ErrServer, demeterrr.ErrUnknownOutcome},
		[]error{demeterrr.ErrInternal},
	},
	{
		"execute at most once: no connection, 429, INTERNAL_ERROR", "Execute",
		[]demeterrr.CallOption{demeterrr.WithAtMostOnce()},
		[]played{{refused, 1 * time.Second}, {limited, 2 * time.Second}, {internal, 0}},
		[]error{demeterrr.ErrInternal, demeterrr.ErrUnknownOutcome},
		nil,
	},
	{
		"a certificate goes bad between attempts", "Create", nil,
		[]played{{refused, 1 * time.Second}, {badCert, 0}},
		nil,
		[]error{demeterrr.ErrUnknownOutcome},
	},
	{
		"validation ends it", "Update", nil,
		[]played{{limited, 1 * time.Second}, {step{status: 400, body: `{"error":{"code":"VALIDATION_ERROR","message":"Invalid"}}`}, 0}},
		[]error{demeterrr.ErrValidation},
		[]error{demeterrr.ErrUnknownOutcome},
	},
}

// TestEachReplyIsJudgedByItsOwnRow plays mixed replies. Each reply follows its
// own row, and the waits continue over all of them.
func TestEachReplyIsJudgedByItsOwnRow(t *testing.T) {
	t.Parallel()
	for _, tt := range mixedReplies {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				steps, waits := []step{}, []time.Duration{}
				for _, p := range tt.steps {
					steps = append(steps, p.step)
					if p.wait > 0 {
						waits = append(waits, p.wait)
					}
				}
				c, s := play(t, steps)
				op := operations[slices.IndexFunc(operations, func(o operation) bool { return o.name == tt.op })]
				err := op.call(t.Context(), c, tt.opts...)
				s.wantWaits(waits...)
				if tt.want == nil && tt.not == nil {
					wantNil(t, err)
					return
				}
				wantError(t, err, len(waits)+1, tt.want...)
				wantIsNot(t, err, tt.not...)
			})
		})
	}
}
