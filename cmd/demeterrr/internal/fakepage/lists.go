package fakepage

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// The page sizes of lists, as the API's.
const (
	defaultLimit = 50
	maxLimit     = 100
)

// list is a page of a list, in the API's envelope.
type list[T any] struct {
	Data []T  `json:"data"`
	Meta meta `json:"meta"`
}

type meta struct {
	Page       int `json:"page"`
	PerPage    int `json:"perPage"`
	Total      int `json:"total"`
	TotalPages int `json:"totalPages"`
}

// wanted is the page of a list to return.
type wanted struct {
	page, limit int
	search      string // lower-cased
	twice       bool
}

// readWanted reads a query. It answers a wrong one with an error.
func readWanted(w http.ResponseWriter, r *http.Request) (wanted, bool) {
	q := wanted{page: 1, limit: defaultLimit}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		writeError(w, http.StatusBadRequest, fmt.Sprintf("the query cannot be read: %v", err))
		return q, false
	}
	for name := range query {
		value := query.Get(name)
		var err error
		switch name {
		case "page":
			q.page, err = number(value)
		case "limit":
			q.limit, err = number(value)
			q.limit = min(q.limit, maxLimit) // capped, not refused
		case "search":
			q.search = strings.ToLower(strings.TrimSpace(value))
		case "sentTwice":
			if r.URL.Path != "/_fake/sendings" {
				err = fmt.Errorf("is for sendings only")
			} else if q.twice, err = strconv.ParseBool(value); err != nil {
				err = fmt.Errorf("is not true or false")
			}
		default:
			err = fmt.Errorf("is not known; want page, limit, search or sentTwice")
		}
		if err != nil {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("query %s=%s %v", name, cut(value, 40), err))
			return q, false
		}
	}
	return q, true
}

func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000_000 {
		return 0, fmt.Errorf("is not a whole number from 1")
	}
	return n, nil
}

// pick filters n items by keep and returns one page, each item made by show.
func pick[T any](q wanted, n int, keep func(int) bool, show func(int) T) list[T] {
	out := list[T]{Data: []T{}, Meta: meta{Page: q.page, PerPage: q.limit}}
	first := (q.page - 1) * q.limit
	for i := range n {
		if !keep(i) {
			continue
		}
		if at := out.Meta.Total; at >= first && at < first+q.limit {
			out.Data = append(out.Data, show(i))
		}
		out.Meta.Total++
	}
	out.Meta.TotalPages = (out.Meta.Total + q.limit - 1) / q.limit
	return out
}

// contact is a contact as the API shows it, with its sendings.
type contact struct {
	ID                string             `json:"id"`
	Email             string             `json:"email"`
	FirstName         string             `json:"firstName"`
	LastName          string             `json:"lastName"`
	Phone             string             `json:"phone"`
	Title             string             `json:"title"`
	PreferredLanguage demeterrr.Language `json:"preferredLanguage"`
	CustomFields      map[string]any     `json:"customFields"`
	Tags              []string           `json:"tags"`
	Unsubscribed      bool               `json:"unsubscribed"`
	CreatedAt         stamp              `json:"createdAt"`
	UpdatedAt         stamp              `json:"updatedAt"`
	Sendings          int                `json:"sendings"`
	SentTwice         bool               `json:"sentTwice"`
}

func (p *Page) serveContacts(w http.ResponseWriter, r *http.Request) {
	q, ok := readWanted(w, r)
	if !ok {
		return
	}
	a := p.now.Load()
	page := a.server.ListContacts(&demeterrr.ContactListParams{Page: q.page, Limit: q.limit, Search: q.search})
	out := list[contact]{Data: []contact{}, Meta: meta{Page: page.Page, PerPage: page.PerPage, Total: page.Total, TotalPages: page.TotalPages}}
	sent, unlock := a.sendingsNow()
	for _, c := range page.Items {
		out.Data = append(out.Data, contact{
			ID: c.ID, Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone, Title: c.Title, PreferredLanguage: c.PreferredLanguage,
			CustomFields: c.CustomFields, Tags: c.Tags, Unsubscribed: c.Unsubscribed, CreatedAt: stamp(c.CreatedAt), UpdatedAt: stamp(c.UpdatedAt),
			Sendings: sent.toContact[c.ID], SentTwice: sent.twiceContacts[c.ID],
		})
	}
	unlock()
	writeJSON(w, http.StatusOK, out)
}

type sequence struct {
	ID       string                   `json:"id"`
	Name     string                   `json:"name"`
	Status   demeterrr.SequenceStatus `json:"status"`
	Sendings int                      `json:"sendings"`
}

func (p *Page) serveSequences(w http.ResponseWriter, r *http.Request) {
	q, ok := readWanted(w, r)
	if !ok {
		return
	}
	a := p.now.Load()
	all := a.server.Sequences()
	sent, unlock := a.sendingsNow()
	out := pick(q, len(all), func(i int) bool { return contains(all[i].Name, q.search) }, func(i int) sequence {
		return sequence{ID: all[i].ID, Name: all[i].Name, Status: all[i].Status, Sendings: sent.ofSequence[all[i].ID]}
	})
	unlock()
	writeJSON(w, http.StatusOK, out)
}

// sending is one survey for one contact.
type sending struct {
	Number       int    `json:"number"` // counts up from 1
	At           stamp  `json:"at"`
	Email        string `json:"email"`
	ContactID    string `json:"contactId"`
	SequenceID   string `json:"sequenceId"`
	SequenceName string `json:"sequenceName"`
	LocationID   string `json:"locationId"`
	EmployeeID   string `json:"employeeId"`
	// SentTwice marks a contact with two sendings of the sequence.
	SentTwice bool `json:"sentTwice"`
}

// serveSendings lists the newest first.
func (p *Page) serveSendings(w http.ResponseWriter, r *http.Request) {
	q, ok := readWanted(w, r)
	if !ok {
		return
	}
	a := p.now.Load()
	names := map[string]string{}
	for _, s := range a.server.Sequences() {
		names[s.ID] = s.Name
	}
	sent, unlock := a.sendingsNow()
	last := len(sent.all) - 1
	twice := func(i int) bool { return sent.sentTwice(sent.all[last-i]) }
	keep := func(i int) bool { return contains(sent.all[last-i].Email, q.search) && (!q.twice || twice(i)) }
	out := pick(q, len(sent.all), keep, func(i int) sending {
		s := sent.all[last-i]
		return sending{
			Number: last - i + 1, At: stamp(s.At), Email: s.Email, ContactID: s.ContactID, SequenceID: s.SequenceID, SequenceName: names[s.SequenceID],
			LocationID: s.LocationID, EmployeeID: s.EmployeeID, SentTwice: twice(i),
		}
	})
	unlock()
	writeJSON(w, http.StatusOK, out)
}

// serveRequests lists the kept requests, newest first.
func (p *Page) serveRequests(w http.ResponseWriter, r *http.Request) {
	q, ok := readWanted(w, r)
	if !ok {
		return
	}
	kept, _ := p.now.Load().kept(0)
	keep := func(i int) bool {
		return contains(strings.Join([]string{kept[i].Method, kept[i].Path, kept[i].Why}, " "), q.search)
	}
	writeJSON(w, http.StatusOK, pick(q, len(kept), keep, func(i int) request { return kept[i].request }))
}

func (p *Page) serveRequest(w http.ResponseWriter, r *http.Request) {
	n, err := number(r.PathValue("number"))
	kept, _ := p.now.Load().kept(0)
	for _, one := range kept {
		if err == nil && one.Number == n {
			writeJSON(w, http.StatusOK, map[string]*requestDetails{"data": one})
			return
		}
	}
	writeError(w, http.StatusNotFound, fmt.Sprintf("there is no request %s, or it is not among the newest %d", cut(r.PathValue("number"), 40), keptRequests))
}

// contains ignores case. The part is lower-cased.
func contains(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), part)
}
