package demeterrr

import "encoding/json"

// SequenceStatus says whether a sequence can be executed. Others than
// SequenceActive exist; they are kept as the API sends them.
type SequenceStatus string

// SequenceActive is the status of a sequence that can be executed.
const SequenceActive SequenceStatus = "active"

// Sequence is a survey with its steps (API docs, page "sequences").
type Sequence struct {
	// ID is a UUID.
	ID     string
	Name   string
	Status SequenceStatus
	// Extra holds the members that this version does not know; nil if there are none. MarshalJSON writes them back.
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
// contact, or updates it, matched by email.
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
	// ContactsProcessed and SendingsCreated are counts. Contacts that are unsubscribed or invalid are processed,
	// but no sending is created for them.
	ContactsProcessed int
	SendingsCreated   int
	// Results may be fewer than the contacts that were given, and in another order.
	Results []ExecutionResult
	// Extra holds the members that this version does not know; nil if there are none.
	Extra map[string]json.RawMessage
}

// ExecutionResult is what became of one contact.
type ExecutionResult struct {
	Email string
	// ContactID is a UUID; empty if no contact was created or found.
	ContactID string
	Status    ExecutionStatus
	// Extra holds the members that this version does not know; nil if there are none.
	Extra map[string]json.RawMessage
}
