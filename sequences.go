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

// SequenceStatus tells whether a sequence can be executed. The API has other
// values besides SequenceActive; they are passed through.
type SequenceStatus string

// SequenceActive is the status of a sequence that can be executed.
const SequenceActive SequenceStatus = "active"

// Sequence is a survey with its steps (API docs, page "sequences").
type Sequence struct {
	// ID is a UUID.
	ID     string
	Name   string
	Status SequenceStatus
	// Extra holds members as raw JSON: members unknown to this version, and
	// members of an undocumented type. The fields of the latter are zero. Extra
	// is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// SequenceListParams selects a page of sequences. The zero value selects the
// first.
type SequenceListParams struct {
	// Page is the page number, from 1; 0 means the first.
	Page int
	// Limit is the number of sequences on a page, at most 100; 0 means 50 for
	// List and 100 for All.
	Limit int
}

// ExecuteParams lists the recipients of a sequence.
type ExecuteParams struct {
	// Contacts are 1 to 100 recipients.
	Contacts []ExecuteContact `json:"contacts"`
	// LocationID and EmployeeID are UUIDs that apply to all contacts; empty
	// means none.
	LocationID string `json:"locationId,omitzero"`
	EmployeeID string `json:"employeeId,omitzero"`
}

// ExecuteContact is one recipient. The API creates the contact or updates it,
// matched by email. If the survey needs other fields, upsert or sync the
// contact first.
type ExecuteContact struct {
	// Email is required.
	Email     string `json:"email,omitzero"`
	FirstName string `json:"firstName,omitzero"`
	LastName  string `json:"lastName,omitzero"`
	Phone     string `json:"phone,omitzero"`
}

// ExecutionStatus is the result for one contact of an execution. The API may
// send other values besides ExecutionQueued; they are passed through.
type ExecutionStatus string

// ExecutionQueued means that a sending was created and its steps will run.
const ExecutionQueued ExecutionStatus = "queued"

// Execution is the API's reply to Execute.
type Execution struct {
	SequenceID   string
	SequenceName string
	// ContactsProcessed and SendingsCreated are counts. A sending is the
	// sequence queued for one contact. Unsubscribed and invalid contacts are
	// processed without a sending.
	ContactsProcessed int
	SendingsCreated   int
	// Results may be fewer than the contacts given, and in another order. If
	// one of them is not an object or has a wrong id, all are in Extra.
	Results []ExecutionResult
	// Extra holds members as raw JSON: members unknown to this version, and
	// members of an undocumented type. The fields of the latter are zero. Extra
	// is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// ExecutionResult is the result for one contact.
type ExecutionResult struct {
	Email string
	// ContactID is a UUID; empty if no contact was created or found.
	ContactID string
	Status    ExecutionStatus
	// Extra holds members as raw JSON: members unknown to this version, and
	// members of an undocumented type. The fields of the latter are zero. Extra
	// is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// SequencesService has the methods for sequences; see [Client.Sequences].
type SequencesService struct{ client *Client }

// caller is nil-safe: a zero Client has no services.
func (s *SequencesService) caller() *Client {
	if s == nil {
		return nil
	}
	return s.client
}

const routeSequences = "/sequences"

// List returns one page of the sequences; nil params select the first. Required
// scope: sequences:read. API docs, page "sequences".
func (s *SequencesService) List(ctx context.Context, params *SequenceListParams, opts ...CallOption) (*Page[Sequence], error) {
	const route = routeSequences
	return fetchPage[Sequence](ctx, s.caller(), route, params.query(), opts)
}

// All returns every sequence, page by page as the loop goes on. It starts at
// params.Page and fetches pages of 100, or of params.Limit. params may be nil.
// An error ends the loop. Required scope: sequences:read. API docs, page
// "sequences".
func (s *SequencesService) All(ctx context.Context, params *SequenceListParams, opts ...CallOption) iter.Seq2[*Sequence, error] {
	const route = routeSequences
	return fetchAll[Sequence](ctx, s.caller(), "Sequences.All", route, params.query(), opts)
}

// Get returns the sequence with the id. If there is none, the error matches
// [ErrNotFound]. Required scope: sequences:read. API docs, page "sequences".
func (s *SequencesService) Get(ctx context.Context, id string, opts ...CallOption) (*Sequence, error) {
	const route = routeSequences + "/{id}"
	return fetch(ctx, s.caller(), withID("Sequences.Get", http.MethodGet, route, id), new(Sequence), opts)
}

// Execute sends a sequence to 1 to 100 contacts in one request. It retries
// after a 429, after a failed connection, and after a 500 with the API's own
// INTERNAL_ERROR. The API documents that last retry; [WithAtMostOnce] turns it
// off. If a reply is lost in any other way, the error matches
// [ErrUnknownOutcome]. The decision to send again is then yours: executing
// twice may message people twice. Look under Sendings in the dashboard first.
//
// The API creates or updates each contact, matched by email, and creates one
// sending for each. It skips unsubscribed and invalid contacts; see
// Execution.Results. Two contacts with the same email are an error. If the
// sequence is inactive, the error matches [ErrSequenceInactive].
//
// One sending may be several messages: reminders are automatic. The
// organization's cooldown may hold back a second campaign. Required scope:
// sequences:execute. API docs, page "sequences/execute".
func (s *SequencesService) Execute(ctx context.Context, id string, params *ExecuteParams, opts ...CallOption) (*Execution, error) {
	const route = routeSequences + "/{id}/execute"
	r := withID("Sequences.Execute", http.MethodPost, route, id)
	r.body = params
	return fetch(ctx, s.caller(), r, new(Execution), opts)
}

// query is nil-safe: nil params select the first page.
func (p *SequenceListParams) query() listQuery {
	if p == nil {
		p = &SequenceListParams{}
	}
	return listQuery{operation: "Sequences.List", page: p.Page, limit: p.Limit}
}

// maxExecuteContacts is the documented limit (contract, section 6).
const maxExecuteContacts = 100

// check rejects executions that the API would reject, and executions that would
// message a contact twice.
func (p *ExecuteParams) check() error {
	if p == nil {
		return errors.New("the params of the execution are nil; pass a *demeterrr.ExecuteParams")
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
		if seen[email] = struct{}{}; len(seen) <= i { // this email came before
			first := slices.IndexFunc(p.Contacts, func(c ExecuteContact) bool { return mailbox.Key(c.Email) == email })
			return fmt.Errorf("contacts %d and %d have the same email, which would be messaged twice; leave one out", first+1, i+1)
		}
	}
	return validate.Texts([]string{p.LocationID, p.EmployeeID})
}

// Validate reports input that Execute would reject before sending: an unusable
// email, or text that JSON cannot carry. It returns nil or an [*Error] that
// matches [ErrValidation], and sends nothing. API docs, page
// "sequences/execute".
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
