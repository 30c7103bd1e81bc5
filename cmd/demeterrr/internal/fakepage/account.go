package fakepage

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// account is a fake account from one reset to the next, with its counts.
type account struct {
	id      string // new for each reset, for pages that reconnect
	server  *demeterrrtest.Server
	changed func()

	mu         sync.Mutex // guards what follows
	requests   []*requestDetails
	counted    int // all requests
	throttled  int
	revision   int
	keyExpired bool

	index sync.Mutex // guards what follows
	sent  sendings
}

func newAccount(changed func()) *account {
	return &account{id: rand.Text()[:8], changed: changed, sent: sendings{
		times: map[recipient]int{}, toContact: map[string]int{}, ofSequence: map[string]int{}, twice: map[string]bool{}, twiceContacts: map[string]bool{},
	}}
}

// log keeps a request. The newest ones stay.
func (a *account) log(r demeterrrtest.Request) {
	a.mu.Lock()
	a.counted++
	if r.Status == http.StatusTooManyRequests {
		a.throttled++
	}
	if r.Method != http.MethodGet {
		a.revision++
	}
	if len(a.requests) >= 2*keptRequests { // cut now and then, so that a request costs the same
		a.requests = append(make([]*requestDetails, 0, 2*keptRequests), a.requests[len(a.requests)-keptRequests+1:]...)
	}
	a.requests = append(a.requests, newRequest(a.counted, r, a.server.APIKey()))
	a.mu.Unlock()
	a.changed()
}

// kept returns the requests after a number, newest first, at most keptRequests.
// whole is false if older ones have been dropped.
func (a *account) kept(after int) (newest []*requestDetails, whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(a.counted-after, len(a.requests), keptRequests)
	if n <= 0 {
		return nil, n == 0
	}
	newest = slices.Clone(a.requests[len(a.requests)-n:])
	slices.Reverse(newest)
	return newest, n == a.counted-after
}

// recipient is the id or the lower-cased email of a contact, and a sequence sent to it.
type recipient struct{ to, sequenceID string }

// sendings are all sendings with their counts. Only new ones are counted.
type sendings struct {
	all           []demeterrrtest.Sending
	times         map[recipient]int
	toContact     map[string]int
	ofSequence    map[string]int
	twice         map[string]bool // lower-cased emails, as [demeterrrtest.Server.SentTwice] has them
	twiceContacts map[string]bool // ids
}

// catchUp adds the new sendings. The caller holds the lock.
func (s *sendings) catchUp(server *demeterrrtest.Server) {
	for _, sending := range server.SendingsFrom(len(s.all)) {
		email := strings.ToLower(sending.Email)
		byID, byEmail := recipient{sending.ContactID, sending.SequenceID}, recipient{email, sending.SequenceID}
		s.all = append(s.all, sending)
		s.times[byID]++
		s.times[byEmail]++
		s.toContact[sending.ContactID]++
		s.ofSequence[sending.SequenceID]++
		if s.sentTwice(sending) {
			s.twice[email] = true
			s.twiceContacts[sending.ContactID] = true
		}
	}
}

// sentTwice reports whether a contact, or its email, got the sequence of a
// sending more than once. The caller holds the lock.
func (s *sendings) sentTwice(sending demeterrrtest.Sending) bool {
	return s.times[recipient{sending.ContactID, sending.SequenceID}] > 1 || s.times[recipient{strings.ToLower(sending.Email), sending.SequenceID}] > 1
}

// sendingsNow returns the sendings, locked. The caller unlocks them.
func (a *account) sendingsNow() (s *sendings, unlock func()) {
	a.index.Lock()
	a.sent.catchUp(a.server)
	return &a.sent, a.index.Unlock
}

// state is the content of the page without its lists.
type state struct {
	Time       stamp       `json:"time"`
	BaseURL    string      `json:"baseUrl"`
	APIKey     string      `json:"apiKey"`
	KeyExpired bool        `json:"keyExpired"`
	Counts     counts      `json:"counts"`
	Windows    []*window   `json:"windows"`
	Faults     []faultWith `json:"faults"`
	// Revision changes with the contacts, the sequences and the sendings.
	Revision string     `json:"revision"`
	Shown    []*request `json:"requests"` // newest first
}

type counts struct {
	Contacts  int `json:"contacts"`
	Sequences int `json:"sequences"`
	Sendings  int `json:"sendings"`
	// SentTwice counts the emails with two sendings of one sequence.
	SentTwice int `json:"sentTwice"`
	Requests  int `json:"requests"`
	// Throttled counts answers of 429, by a window or by a fault.
	Throttled int `json:"throttled"`
}

// stamp is a time as the API writes it: UTC, with milliseconds.
type stamp time.Time

// MarshalJSON writes the time.
func (s stamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// window is a quota window.
type window struct {
	Requests int    `json:"requests"` // the most that it admits
	Window   string `json:"window"`   // its length, as a 429 names it: "1 hour"
	Used     int    `json:"used"`
	Reset    stamp  `json:"reset"` // when it has room again
}

func newWindow(w demeterrrtest.Window) *window {
	return &window{Requests: w.Requests, Window: length(w.Window), Used: w.Used, Reset: stamp(w.Reset)}
}

// text names a window: "100 per minute", "20 per 10 seconds".
func (w *window) text() string {
	return fmt.Sprintf("%s per %s", grouped(w.Requests), strings.TrimPrefix(w.Window, "1 "))
}

// length writes the length of a window as the API does.
func length(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		n := d / unit.length
		switch {
		case n == 0 || d%unit.length != 0:
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}

// grouped writes a number with commas, as in 12,345.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func (a *account) windows() []*window {
	out := []*window{}
	for _, w := range a.server.Windows() {
		out = append(out, newWindow(w))
	}
	return out
}

// state returns the state with the requests after a number. The bool is false if
// older ones have been dropped.
func (a *account) state(after int) (state, bool) {
	var s state
	s.APIKey = a.server.APIKey()
	s.Faults = []faultWith{}
	for _, f := range a.server.Faults() {
		s.Faults = append(s.Faults, newFault(f))
	}
	s.Windows = a.windows()
	requests, whole := a.kept(after)
	s.Shown = make([]*request, len(requests))
	for i, r := range requests {
		s.Shown[i] = &r.request
	}
	a.mu.Lock()
	s.KeyExpired = a.keyExpired
	s.Revision = fmt.Sprintf("%s-%d", a.id, a.revision)
	s.Counts.Requests, s.Counts.Throttled = a.counted, a.throttled
	a.mu.Unlock()
	s.Counts.Contacts = a.server.ListContacts(&demeterrr.ContactListParams{Limit: 1}).Total
	s.Counts.Sequences = len(a.server.Sequences())
	sent, unlock := a.sendingsNow()
	s.Counts.Sendings, s.Counts.SentTwice = len(sent.all), len(sent.twice)
	unlock()
	s.Time = stamp(time.Now())
	return s, whole
}
