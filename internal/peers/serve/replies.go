// Package serve answers like the API, with prepared replies, in memory and over
// loopback. It allocates nothing for a request, so that the measurement is of
// the client alone.
package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// Paths in a base URL. Conflict answers a create with 409. Limited answers the
// first of every two requests with 429.
const (
	Plain    = "/api/v1"
	Conflict = "/conflict/api/v1"
	Limited  = "/limited/api/v1"
)

type reply struct {
	status int
	header http.Header // shared by all copies of this reply
	body   []byte
	wire   []byte // the whole reply for the loopback server
}

// Replies are all replies of the servers.
type Replies struct {
	contact, created, conflict, limited, executed, notFound *reply

	pages    [work.Pages]*reply
	requests atomic.Int64 // to Limited
}

const (
	contact = `{"id":"550e8400-e29b-41d4-a716-4466%08d","email":%q,"firstName":%q,"lastName":%q,"phone":"+1555%07d","title":"Mr.","preferredLanguage":"en","locationId":"660e8400-e29b-41d4-a716-446655440000","contactOrganizationId":null,"customFields":{"birthday":"1990-01-15","membershipTier":"Gold"},"tags":["vip","frequent-customer"],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-02-10T14:20:00.000Z"}`
	created = `{"data":{"id":"770e8400-e29b-41d4-a716-446655440000","email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":{},"tags":["new-customer"],"unsubscribed":false,"createdAt":"2026-02-10T15:30:00.000Z","updatedAt":"2026-02-10T15:30:00.000Z"}}`
	taken   = `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`
	// The wait is 0: a sleep would spoil the measurement.
	tooMany = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":0,"limit":1000,"window":"1 hour"}}}`
	gone    = `{"error":{"code":"NOT_FOUND","message":"Not found"}}`
)

// NewReplies prepares the replies.
func NewReplies() *Replies {
	r := &Replies{
		contact:  newReply(200, `{"data":`+person(0)+`}`),
		created:  newReply(201, created),
		conflict: newReply(409, taken),
		limited:  newReply(429, tooMany, "Retry-After", "0"),
		executed: newReply(200, executed()),
		notFound: newReply(404, gone),
	}
	for p := range r.pages {
		var list []string
		for i := range 100 {
			list = append(list, person(100*p+i))
		}
		r.pages[p] = newReply(200, fmt.Sprintf(`{"data":[%s],"meta":{"page":%d,"perPage":100,"total":%d,"totalPages":%d}}`,
			strings.Join(list, ","), p+1, 100*work.Pages, work.Pages))
	}
	return r
}

func person(i int) string {
	first, last := work.Name(i)
	return fmt.Sprintf(contact, i, work.Email(i), first, last, i)
}

func executed() string {
	e := work.Executed{SequenceID: work.SequenceID, SequenceName: "Post-Purchase Satisfaction Survey", ContactsProcessed: 100, SendingsCreated: 100}
	for i := range 100 {
		e.Results = append(e.Results, work.Result{Email: work.Email(i), ContactID: fmt.Sprintf("990e8400-e29b-41d4-a716-4466%08d", i), Status: "queued"})
	}
	b, err := json.Marshal(work.Data[work.Executed]{Data: e})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func newReply(status int, body string, more ...string) *reply {
	fields := append([]string{
		"Content-Length", strconv.Itoa(len(body)), "Content-Type", "application/json; charset=utf-8", "Date", "Tue, 10 Feb 2026 14:20:00 GMT",
		"X-Ratelimit-Limit", "1000", "X-Ratelimit-Remaining", "987", "X-Ratelimit-Reset", "1770733200",
	}, more...)
	r := &reply{status: status, header: http.Header{}, body: []byte(body)}
	var wire bytes.Buffer
	fmt.Fprintf(&wire, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for i := 0; i < len(fields); i += 2 {
		r.header[fields[i]] = []string{fields[i+1]}
		fmt.Fprintf(&wire, "%s: %s\r\n", fields[i], fields[i+1])
	}
	wire.WriteString("\r\n" + body)
	r.wire = wire.Bytes()
	return r
}

// route returns the reply to a request.
func (r *Replies) route(method, path, query string) *reply {
	conflict := false
	if rest, limited := strings.CutPrefix(path, Limited); limited {
		path = rest
		if r.requests.Add(1)%2 == 1 {
			return r.limited
		}
	} else if path, conflict = strings.CutPrefix(path, Conflict); !conflict {
		path = strings.TrimPrefix(path, Plain)
	}
	switch {
	case method == "GET" && path == "/contacts":
		return r.page(query)
	case method == "GET" && path == "/contacts/"+work.ContactID:
		return r.contact
	case method == "POST" && path == "/contacts" && conflict:
		return r.conflict
	case method == "POST" && path == "/contacts":
		return r.created
	case method == "POST" && path == "/sequences/"+work.SequenceID+"/execute":
		return r.executed
	}
	return r.notFound
}

func (r *Replies) page(query string) *reply {
	page, limit := number(query, "page="), number(query, "limit=")
	if limit != 100 || page < 1 || page > len(r.pages) {
		return r.notFound
	}
	return r.pages[page-1]
}

// number reads a parameter from a query without escapes. The name ends in =.
func number(query, name string) int {
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if value, ok := strings.CutPrefix(one, name); ok {
			n, _ := strconv.Atoi(value)
			return n
		}
	}
	return 0
}
