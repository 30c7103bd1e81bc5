package demeterrr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// SequenceStatus says whether a sequence can be executed. Others than
// SequenceActive exist; they are kept as the API sends them.
type SequenceStatus string

// SequenceActive is the status of a sequence that can be executed.
const SequenceActive SequenceStatus = "active"

// Sequence is a survey with its steps, which the dashboard calls a sequence (API docs, page "sequences").
type Sequence struct {
	// ID is a UUID.
	ID     string
	Name   string
	Status SequenceStatus
	// Extra holds members as raw JSON: those that this version does not know, and those of another type than the
	// documented one. Their fields are zero. It is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// SequenceListParams selects a page of sequences. The zero value is the first one.
type SequenceListParams struct {
	// Page is the page asked for, from 1; 0 means the first.
	Page int
	// Limit is the number of sequences on a page, at most 100; 0 means 50 for List and 100 for All.
	Limit int
}

// ExecuteParams says to whom a sequence is sent.
type ExecuteParams struct {
	// Contacts are 1 to 100.
	Contacts []ExecuteContact `json:"contacts"`
	// LocationID and EmployeeID are UUIDs that apply to all the contacts; empty means none.
	LocationID string `json:"locationId,omitzero"`
	EmployeeID string `json:"employeeId,omitzero"`
}

// ExecuteContact is one person to send a sequence to. The API creates the
// contact, or updates it, matched by email. If the survey needs more of a contact
// than name and phone, upsert or sync it first.
type ExecuteContact struct {
	// Email is required.
	Email     string `json:"email,omitzero"`
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	Phone     string `json:"phone,omitzero"`
}

// ExecutionStatus says what became of one contact of an execution. Others than
// ExecutionQueued may exist; they are kept as the API sends them.
type ExecutionStatus string

// ExecutionQueued means that a sending was made and that its steps will run.
const ExecutionQueued ExecutionStatus = "queued"

// Execution is the API's answer to Execute.
type Execution struct {
	SequenceID   string
	SequenceName string
	// ContactsProcessed and SendingsCreated are counts; a sending is the sequence queued for one contact. Contacts that are unsubscribed or invalid are processed,
	// but no sending is created for them.
	ContactsProcessed int
	SendingsCreated   int
	// Results may be fewer than the contacts that were given, and in another order. If one of them is not an object
	// or has a wrong id, all are in Extra.
	Results []ExecutionResult
	// Extra holds members as raw JSON: those that this version does not know, and those of another type than the
	// documented one. Their fields are zero. It is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// ExecutionResult is what became of one contact.
type ExecutionResult struct {
	Email string
	// ContactID is a UUID; empty if no contact was created or found.
	ContactID string
	Status    ExecutionStatus
	// Extra holds members as raw JSON: those that this version does not know, and those of another type than the
	// documented one. Their fields are zero. It is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// SequencesService has the methods for sequences; it is [Client.Sequences].
type SequencesService struct{ client *Client }

// caller is nil-safe: a Client that New did not make has no services.
func (s *SequencesService) caller() *Client {
	if s == nil {
		return nil
	}
	return s.client
}

const routeSequences = "/sequences"

// List returns one page of the sequences; nil params are the first one. It takes
// the scope sequences:read. API docs, page "sequences".
func (s *SequencesService) List(ctx context.Context, params *SequenceListParams, opts ...CallOption) (*Page[Sequence], error) {
	const route = routeSequences
	return fetchPage[Sequence](ctx, s.caller(), route, params.query(), opts)
}

// All returns all the sequences, page by page as the loop goes on. It starts at
// params.Page and asks for 100 a page unless params.Limit says otherwise; params
// may be nil. An error ends it. It takes the scope sequences:read.
// API docs, page "sequences".
func (s *SequencesService) All(ctx context.Context, params *SequenceListParams, opts ...CallOption) iter.Seq2[*Sequence, error] {
	const route = routeSequences
	return fetchAll[Sequence](ctx, s.caller(), "Sequences.All", route, params.query(), opts)
}

// Get returns the sequence with the id. Without one the error matches
// [ErrNotFound]. It takes the scope sequences:read. API docs, page "sequences".
func (s *SequencesService) Get(ctx context.Context, id string, opts ...CallOption) (*Sequence, error) {
	const route = routeSequences + "/{id}"
	return fetch(ctx, s.caller(), withID("Sequences.Get", http.MethodGet, route, id), new(Sequence), opts)
}

// Execute sends a sequence to 1 to 100 contacts. It is one request, and it is
// repeated only after a 429, if no connection was made, or after a 500 with the
// API's own INTERNAL_ERROR, which the API documents as "retry"; [WithAtMostOnce]
// turns the last of these off. If a reply is lost in any other way, the error matches
// [ErrUnknownOutcome], and it is the caller who decides: executing twice may
// message people twice.
//
// The API creates each contact, or updates it, matched by email, and makes one
// sending for each. Contacts that are unsubscribed or invalid are skipped, which
// Execution.Results tells. No two contacts may have the same email. If the
// sequence is not active, the error matches [ErrSequenceInactive]. It takes the
// scope sequences:execute. API docs, page "sequences/execute".
//
// One sending may be several messages: reminders are automatic. The
// organization's cooldown may hold back a second campaign. After an unknown
// outcome, look under Sendings in the dashboard.
func (s *SequencesService) Execute(ctx context.Context, id string, params *ExecuteParams, opts ...CallOption) (*Execution, error) {
	const route = routeSequences + "/{id}/execute"
	r := withID("Sequences.Execute", http.MethodPost, route, id)
	r.body = params
	return fetch(ctx, s.caller(), r, new(Execution), opts)
}

// query is nil-safe: nil params are the first page.
func (p *SequenceListParams) query() listQuery {
	if p == nil {
		p = &SequenceListParams{}
	}
	return listQuery{operation: "Sequences.List", page: p.Page, limit: p.Limit}
}

// maxExecuteContacts is the documented limit (contract, section 6).
const maxExecuteContacts = 100

// check refuses what the API will refuse, and what would message somebody twice.
func (p *ExecuteParams) check() error {
	if p == nil {
		return errors.New("the params of the execution are nil")
	}
	if n := len(p.Contacts); n < 1 || n > maxExecuteContacts {
		return fmt.Errorf("an execution takes 1 to %d contacts, not %d", maxExecuteContacts, n)
	}
	seen := make(map[string]struct{}, len(p.Contacts))
	for i, c := range p.Contacts {
		if err := c.check(); err != nil {
			return fmt.Errorf("contact %d: %w", i+1, err)
		}
		email := mailbox.Key(c.Email)
		if seen[email] = struct{}{}; len(seen) <= i { // it was there already
			first := slices.IndexFunc(p.Contacts, func(c ExecuteContact) bool { return mailbox.Key(c.Email) == email })
			return fmt.Errorf("contacts %d and %d have the same email, which would be messaged twice; leave one out", first+1, i+1)
		}
	}
	return validate.Texts([]string{p.LocationID, p.EmployeeID})
}

// Validate returns an [*Error] that matches [ErrValidation] if Execute would refuse
// the contact before sending it: without a usable email, or with text that JSON
// cannot carry. It sends nothing. API docs, page "sequences/execute".
func (c ExecuteContact) Validate() error {
	if err := c.check(); err != nil {
		return invalid("%s", err)
	}
	return nil
}

func (c ExecuteContact) check() error {
	if err := validate.Email(c.Email); err != nil {
		return err
	}
	return validate.Texts([]string{c.FirstName, c.LastName, c.Phone})
}
