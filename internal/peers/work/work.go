// Package work defines the tasks of every client in the comparison, and their
// data.
package work

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// APIKey has the documented form.
const APIKey = "dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

// Ids in the requests.
const (
	ContactID  = "550e8400-e29b-41d4-a716-446655440000"
	SequenceID = "880e8400-e29b-41d4-a716-446655440000"
	LocationID = "660e8400-e29b-41d4-a716-446655440000"
	EmployeeID = "770e8400-e29b-41d4-a716-446655440000"
)

// Pages is the number of pages in the list, with 100 contacts each.
const Pages = 50

// Retries is the number of retries allowed after a 429.
const Retries = 3

// Peer is a client with its documented setup. Each method does the whole work
// of a program: send, check the status, and read the reply into the client's
// own types. Inputs are made once before, also in those types.
type Peer interface {
	// Get returns one contact.
	Get(context.Context) (any, error)
	// List returns one page of 100.
	List(ctx context.Context, page int) (any, error)
	// All reads all pages and returns the number of contacts.
	All(context.Context) (int, error)
	// Create makes the contact of [NewContact].
	Create(context.Context) (any, error)
	// Taken reports whether err is the API's CONTACT_EXISTS, by its code.
	Taken(err error) bool
	// Execute sends a sequence to the contacts of [Hundred].
	Execute(context.Context) (any, error)
}

// Maker makes a Peer for a base URL over rt. A nil rt means the documented
// transport. A Peer with retries waits only briefly.
type Maker func(base string, rt http.RoundTripper, retry bool) Peer

// Pager reads all pages, for a client with List alone.
func Pager(list func(page int) (items, totalPages int, err error)) (int, error) {
	n := 0
	for page := 1; ; page++ {
		items, totalPages, err := list(page)
		if err != nil {
			return n, err
		}
		n += items
		if page >= totalPages {
			return n, nil
		}
	}
}

// Person is one contact of an execution.
type Person struct {
	Email     string `json:"email"`
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
	Phone     string `json:"phone,omitempty"`
}

// NewContact is the documented sample of a create, with custom fields.
type NewContact struct {
	Email             string         `json:"email"`
	FirstName         string         `json:"firstName"`
	LastName          string         `json:"lastName,omitempty"`
	Phone             string         `json:"phone,omitempty"`
	Title             string         `json:"title,omitempty"`
	PreferredLanguage string         `json:"preferredLanguage,omitempty"`
	LocationID        string         `json:"locationId,omitempty"`
	CustomFields      map[string]any `json:"customFields,omitempty"`
	Tags              []string       `json:"tags,omitempty"`
}

// Jane returns the new contact.
func Jane() *NewContact {
	return &NewContact{
		Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543", PreferredLanguage: "en",
		Tags: []string{"new-customer"},
	}
}

// Execution is the input of an execution.
type Execution struct {
	Contacts   []Person `json:"contacts"`
	LocationID string   `json:"locationId,omitempty"`
	EmployeeID string   `json:"employeeId,omitempty"`
}

// Hundred returns an execution for 100 contacts.
func Hundred() *Execution {
	e := &Execution{LocationID: LocationID, EmployeeID: EmployeeID}
	for i := range 100 {
		first, last := Name(i)
		e.Contacts = append(e.Contacts, Person{Email: Email(i), FirstName: first, LastName: last, Phone: fmt.Sprintf("+1555%07d", i)})
	}
	return e
}

var (
	firstNames = []string{"Alice", "Bob", "Zoë", "Maximiliane", "Jo", "François", "Anne-Sophie", "Li"}
	lastNames  = []string{"Johnson", "Williams", "Lefèvre", "Ng", "van der Berg", "O'Brien", "Smith"}
)

// Name returns the name of the i-th person.
func Name(i int) (first, last string) {
	return firstNames[i%len(firstNames)], lastNames[i%len(lastNames)]
}

// Email returns the email of the i-th person.
func Email(i int) string {
	return fmt.Sprintf("%s.%d@example.com", strings.Repeat("customer", 1+i%2), i)
}
