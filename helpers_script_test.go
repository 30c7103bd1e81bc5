package demeterrr_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// The documented sample values (contract, sections 5, 6 and 10).
const (
	testKey    = "dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	contactID  = johnID
	sequenceID = surveyID
	email      = "john.doe@example.com"

	contactJSON = johnJSON

	internalJSON  = `{"error":{"code":"INTERNAL_ERROR","message":"Internal server error"}}`
	existsJSON    = `{"error":{"code":"CONTACT_EXISTS","message":"Contact already exists"}}`
	notFoundJSON  = `{"error":{"code":"NOT_FOUND","message":"Contact not found"}}`
	limitedJSON   = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later."}}`
	limited60JSON = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":60,"limit":1000,"window":"1 hour"}}}`
	badGateway    = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)

// step is the scripted transport's answer to one request. The zero value is a
// 200 with the sample contact.
type step struct {
	status int // 200 if 0
	header []string
	body   string
	err    error         // in place of a reply
	took   time.Duration // time until the reply or the error
	stall  bool          // no reply: the request's context must end it
	cut    bool          // the body ends in the middle
	freeze bool          // the body hangs in the middle
}

// The most common steps.
var (
	okContact   = step{body: `{"data":` + contactJSON + `}`}
	okCreated   = step{status: 201, body: `{"data":` + contactJSON + `}`}
	okContacts  = step{body: `{"data":[` + contactJSON + `],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`}
	okNobody    = step{body: `{"data":[],"meta":{"page":1,"perPage":50,"total":0,"totalPages":0}}`}
	okDeleted   = step{status: 204}
	okExecution = step{body: `{"data":{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":1,"sendingsCreated":1,"results":[{"email":"customer1@example.com","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"}]}}`}
	okSurvey    = step{body: `{"data":{"id":"s1"}}`}
	okSurveys   = step{body: `{"data":[{"id":"s1"}],"meta":{"page":1,"perPage":100,"total":1,"totalPages":1}}`}

	limited  = step{status: 429, body: limitedJSON}
	internal = step{status: 500, body: internalJSON}
	gateway  = step{status: 502, body: badGateway}
	exists   = step{status: 409, body: existsJSON}
	missing  = step{status: 404, body: notFoundJSON}
	reset    = step{err: &net.OpError{Op: "read", Net: "tcp", Err: errors.New("read: connection reset by peer")}}
	refused  = step{err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}}
	noHost   = step{err: &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "app.demeterrr.com", IsNotFound: true}}}
	badCert  = step{err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "app.demeterrr.com"}}
	stalled  = step{stall: true}
)

// limitedFor returns a 429 with a Retry-After header.
func limitedFor(retryAfter string) step {
	return step{status: 429, body: limitedJSON, header: []string{"Retry-After", retryAfter}}
}

// sent is one request on arrival.
type sent struct {
	at     time.Duration // since the start of the script
	method string
	host   string
	path   string
	header http.Header
	body   string
}

// script is an http.RoundTripper that plays its steps, one for each request,
// and records the requests with their times. After the last step it answers
// 418, which is never retried.
type script struct {
	t     *testing.T
	begin time.Time

	mu    sync.Mutex
	steps []step
	sent  []sent
}

// play makes a client whose requests meet the steps.
func play(t *testing.T, steps []step, opts ...demeterrr.Option) (*demeterrr.Client, *script) {
	t.Helper()
	s := &script{t: t, begin: time.Now(), steps: steps}
	return s.client(opts...), s
}

// client makes one more client whose requests meet the steps.
func (s *script) client(opts ...demeterrr.Option) *demeterrr.Client {
	s.t.Helper()
	opts = append([]demeterrr.Option{demeterrr.WithHTTPClient(&http.Client{Transport: s})}, opts...)
	c, err := demeterrr.New(testKey, opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	next := s.arrived(req)
	if next.stall {
		<-req.Context().Done()
		return nil, context.Cause(req.Context())
	}
	select {
	case <-time.After(next.took):
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
	if next.err != nil {
		return nil, next.err
	}
	if next.status == 0 {
		next.status = 200
		if next.body == "" {
			next.body = okContact.body
		}
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(next.header); i += 2 {
		h.Add(next.header[i], next.header[i+1])
	}
	resp := &http.Response{StatusCode: next.status, Header: h, ContentLength: int64(len(next.body)), Request: req}
	var body io.Reader = strings.NewReader(next.body)
	switch half := next.body[:len(next.body)/2]; {
	case next.cut:
		body = io.MultiReader(strings.NewReader(half), broken{err: io.ErrUnexpectedEOF})
	case next.freeze:
		body = io.MultiReader(strings.NewReader(half), broken{until: req.Context()})
	}
	resp.Body = io.NopCloser(body)
	return resp, nil
}

// arrived records the request and takes the next step.
func (s *script) arrived(req *http.Request) step {
	got := sent{at: time.Since(s.begin), method: req.Method, host: req.URL.Host, path: req.URL.RequestURI(), header: req.Header.Clone()}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil || int64(len(body)) != req.ContentLength {
			s.t.Errorf("request body: %d bytes, Content-Length %d, error %v", len(body), req.ContentLength, err)
		}
		got.body = string(body)
		req.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, got)
	if len(s.steps) == 0 {
		return step{status: http.StatusTeapot, body: "the script is over"}
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	return next
}

// CloseIdleConnections fails the test: go-retryablehttp must not close
// connections of the caller's client.
func (s *script) CloseIdleConnections() {
	s.t.Error("the idle connections of the caller's transport were closed")
}

// broken is the missing second half of a body.
type broken struct {
	err   error
	until context.Context
}

func (b broken) Read([]byte) (int, error) {
	if b.until == nil {
		return 0, b.err
	}
	<-b.until.Done()
	return 0, context.Cause(b.until)
}

// wantWaits checks the number of requests and their times. Each request comes
// after its wait or up to a quarter later, counted from the request before.
func (s *script) wantWaits(waits ...time.Duration) {
	s.t.Helper()
	s.wantSent(len(waits) + 1)
	for i, want := range waits {
		if i+1 >= len(s.sent) {
			return
		}
		if got := s.sent[i+1].at - s.sent[i].at; got < want || got >= want+want/4 {
			s.t.Errorf("wait %d took %v, want %v or up to a quarter more", i+1, got, want)
		}
	}
}

func (s *script) wantSent(n int) {
	s.t.Helper()
	if len(s.sent) != n {
		s.t.Errorf("%d requests were sent, want %d", len(s.sent), n)
	}
}

// wantError checks that err is an *Error after this number of attempts, and
// matches all of want.
func wantError(t *testing.T, err error, attempts int, want ...error) *demeterrr.Error {
	t.Helper()
	var e *demeterrr.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an *Error", err, err)
	}
	if e.Attempts != attempts {
		t.Errorf("Attempts is %d, want %d: %v", e.Attempts, attempts, err)
	}
	wantIs(t, err, want...)
	return e
}

func wantIs(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, target := range want {
		if !errors.Is(err, target) {
			t.Errorf("%q does not match %v", err, target)
		}
	}
}

func wantIsNot(t *testing.T, err error, not ...error) {
	t.Helper()
	for _, target := range not {
		if errors.Is(err, target) {
			t.Errorf("%q matches %v", err, target)
		}
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// repeat returns the same step n times.
func repeat(s step, n int) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

// The calls of the tests.

var (
	createParams  = &demeterrr.ContactParams{Email: email, FirstName: "John"}
	executeParams = &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "customer1@example.com"}}}
)

func get(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, err := c.Contacts.Get(ctx, contactID, opts...)
	return err
}

func update(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, err := c.Contacts.Update(ctx, contactID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("Doe-Smith")}, opts...)
	return err
}

func remove(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	return c.Contacts.Delete(ctx, contactID, opts...)
}

func create(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, err := c.Contacts.Create(ctx, createParams, opts...)
	return err
}

func execute(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	_, err := c.Sequences.Execute(ctx, sequenceID, executeParams, opts...)
	return err
}

// do returns a raw call that decodes its reply.
func do(method, path string, body any) func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error {
	return func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		var out struct{ Data struct{ ID string } }
		if err := c.Do(ctx, &demeterrr.Request{Method: method, Path: path, Body: body}, &out, opts...); err != nil {
			return err
		}
		if out.Data.ID == "" {
			return fmt.Errorf("%s %s: success without a result", method, path)
		}
		return nil
	}
}
