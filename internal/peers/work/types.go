package work

import "time"

// Contact and the types after it are the API's, in the usual form for
// encoding/json.
type Contact struct {
	ID                    string         `json:"id"`
	Email                 string         `json:"email"`
	FirstName             string         `json:"firstName"`
	LastName              string         `json:"lastName"`
	Phone                 string         `json:"phone"`
	Title                 string         `json:"title"`
	PreferredLanguage     string         `json:"preferredLanguage"`
	LocationID            string         `json:"locationId"`
	ContactOrganizationID string         `json:"contactOrganizationId"`
	CustomFields          map[string]any `json:"customFields"`
	Tags                  []string       `json:"tags"`
	Unsubscribed          bool           `json:"unsubscribed"`
	CreatedAt             time.Time      `json:"createdAt"`
	UpdatedAt             time.Time      `json:"updatedAt"`
}

// Data is the envelope of one object.
type Data[T any] struct {
	Data T `json:"data"`
}

// Page is the envelope of a list.
type Page struct {
	Data []Contact `json:"data"`
	Meta struct {
		Page       int `json:"page"`
		PerPage    int `json:"perPage"`
		Total      int `json:"total"`
		TotalPages int `json:"totalPages"`
	} `json:"meta"`
}

// Executed is the reply to an execution.
type Executed struct {
	SequenceID        string   `json:"sequenceId"`
	SequenceName      string   `json:"sequenceName"`
	ContactsProcessed int      `json:"contactsProcessed"`
	SendingsCreated   int      `json:"sendingsCreated"`
	Results           []Result `json:"results"`
}

// Result is the outcome for one contact.
type Result struct {
	Email     string `json:"email"`
	ContactID string `json:"contactId"`
	Status    string `json:"status"`
}

// Failure is the envelope of an error.
type Failure struct {
	Error struct {
		Code    string         `json:"code"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	} `json:"error"`
}

// APIError is the usual error made from a Failure.
type APIError struct {
	Status  int
	Code    string
	Message string
}

func (e *APIError) Error() string { return e.Code + ": " + e.Message }
