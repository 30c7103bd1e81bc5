package demeterrr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// canned is a transport that plays its replies over and over, and allocates
// little more than a response. internal/peers compares the same tasks with
// other clients.
type canned struct {
	replies []*http.Response
	bodies  [][]byte
	next    int
}

func newCanned(replies ...string) *canned {
	c := &canned{}
	for _, reply := range replies {
		status, body, _ := strings.Cut(reply, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			panic(err)
		}
		c.bodies = append(c.bodies, []byte(body))
		c.replies = append(c.replies, &http.Response{ //nolint:bodyclose // it has no body yet
			StatusCode: code, ContentLength: int64(len(body)),
			Header: http.Header{
				"Content-Type": {"application/json"}, "Date": {"Tue, 10 Feb 2026 14:20:00 GMT"},
				"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"987"}, "X-Ratelimit-Reset": {"1770733200"},
			},
		})
	}
	return c
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		req.Body.Close()
	}
	i := c.next % len(c.replies)
	c.next++
	resp := *c.replies[i]
	resp.Body = io.NopCloser(bytes.NewReader(c.bodies[i]))
	return &resp, nil
}

const (
	someContact = `{"id":"550e8400-e29b-41d4-a716-4466%08d","email":"john.doe.%d@example.com","firstName":"John","lastName":"Doe","phone":"+15551234567","title":"Mr.","preferredLanguage":"en","locationId":"660e8400-e29b-41d4-a716-446655440000","contactOrganizationId":null,"customFields":{"birthday":"1990-01-15","membershipTier":"Gold"},"tags":["vip","frequent-customer"],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-02-10T14:20:00.000Z"}`
	someCreated = `{"data":{"id":"770e8400-e29b-41d4-a716-446655440000","email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":{},"tags":["new-customer"],"unsubscribed":false,"createdAt":"2026-02-10T15:30:00.000Z","updatedAt":"2026-02-10T15:30:00.000Z"}}`
	someTaken   = `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`
	someTooMany = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":0,"limit":1000,"window":"1 hour"}}}`
)

func hotContact(i int) string { return fmt.Sprintf(someContact, i, i) }

// hotPage returns page n of pages, with 100 contacts.
func hotPage(n, pages int) string {
	contacts := make([]string, 100)
	for i := range contacts {
		contacts[i] = hotContact(100*n + i)
	}
	return fmt.Sprintf(`{"data":[%s],"meta":{"page":%d,"perPage":100,"total":%d,"totalPages":%d}}`, strings.Join(contacts, ","), n, 100*pages, pages)
}

func executedJSON() string {
	results := make([]string, 100)
	for i := range results {
		results[i] = fmt.Sprintf(`{"email":"customer%d@example.com","contactId":"990e8400-e29b-41d4-a716-4466%08d","status":"queued"}`, i, i)
	}
	return `{"data":{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":100,"sendingsCreated":100,"results":[` +
		strings.Join(results, ",") + `]}}`
}

func hundredContacts() *demeterrr.ExecuteParams {
	p := &demeterrr.ExecuteParams{LocationID: "660e8400-e29b-41d4-a716-446655440000", EmployeeID: "770e8400-e29b-41d4-a716-446655440000"}
	for i := range 100 {
		p.Contacts = append(p.Contacts, demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "Alice", LastName: "Johnson", Phone: "+15551234567"})
	}
	return p
}

// hotCall is one of the tasks in docs/performance.md.
type hotCall struct {
	name    string
	most    float64 // allocations; just enough, to notice a call that moves to the heap
	replies []string
	do      func(context.Context, *demeterrr.Client) error
}

func hotCalls() []hotCall {
	id, hundred := "550e8400-e29b-41d4-a716-446655440000", hundredContacts()
	jane := &demeterrr.ContactParams{
		Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543",
		PreferredLanguage: demeterrr.LanguageEnglish, Tags: []string{"new-customer"},
	}
	get := func(ctx context.Context, c *demeterrr.Client) error {
		_, err := c.Contacts.Get(ctx, id)
		return err
	}
	return []hotCall{
		{"A get", 22, []string{`200 {"data":` + hotContact(0) + `}`}, get},
		{"B list 100", 626, []string{"200 " + hotPage(1, 1)}, func(ctx context.Context, c *demeterrr.Client) error {
			_, err := c.Contacts.List(ctx, &demeterrr.ContactListParams{Page: 1, Limit: 100})
			return err
		}},
		{"C iterate 500", 3150, []string{"200 " + hotPage(1, 5), "200 " + hotPage(2, 5), "200 " + hotPage(3, 5), "200 " + hotPage(4, 5), "200 " + hotPage(5, 5)}, func(ctx context.Context, c *demeterrr.Client) error {
			for _, err := range c.Contacts.All(ctx, nil) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"D create", 22, []string{"201 " + someCreated}, func(ctx context.Context, c *demeterrr.Client) error {
			_, err := c.Contacts.Create(ctx, jane)
			return err
		}},
		{"E conflict", 21, []string{"409 " + someTaken}, func(ctx context.Context, c *demeterrr.Client) error {
			_, err := c.Contacts.Create(ctx, jane)
			if !errors.Is(err, demeterrr.ErrContactExists) {
				return fmt.Errorf("not a conflict: %w", err)
			}
			return nil
		}},
		{"F execute 100", 33, []string{"200 " + executedJSON()}, func(ctx context.Context, c *demeterrr.Client) error {
			_, err := c.Sequences.Execute(ctx, id, hundred)
			return err
		}},
		{"G retry", 47, []string{"429 " + someTooMany, `200 {"data":` + hotContact(0) + `}`}, get},
	}
}

func (h hotCall) client(tb testing.TB, opts ...demeterrr.Option) *demeterrr.Client {
	tb.Helper()
	c, err := demeterrr.New("dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", append(opts,
		demeterrr.WithHTTPClient(&http.Client{Transport: newCanned(h.replies...)}),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: time.Nanosecond, MaxWait: time.Nanosecond}))...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// BenchmarkCall measures the client's own work for one call. The transport
// answers at once.
func BenchmarkCall(b *testing.B) {
	for _, h := range hotCalls() {
		b.Run(h.name, func(b *testing.B) {
			c := h.client(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.do(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTracer measures the cost of tracers of every kind in a successful
// call.
func BenchmarkTracer(b *testing.B) {
	for n := range 3 {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			get := hotCalls()[0]
			c := get.client(b, demeterrr.WithTracer(slices.Repeat([]demeterrr.Tracer{forgetful{}}, n)...))
			b.ReportAllocs()
			for b.Loop() {
				if err := get.do(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
