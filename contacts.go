package demeterrr

import (
	"encoding/json"
	"time"
)

// Language is the language in which a contact is written to. The constants are
// the documented ones; others are passed on as they are.
type Language string

// The languages that the API documents.
const (
	LanguageEnglish Language = "en"
	LanguageFrench  Language = "fr"
)

// Contact is a person that surveys can be sent to (API docs, page "contacts").
// A text that the API has as null is empty here.
type Contact struct {
	// ID is a UUID.
	ID string
	// Email is unique in an organization; a contact that was imported by phone may have none.
	Email     string
	FirstName string
	LastName  string
	// Phone is in E.164 form if the one who entered it followed the recommendation.
	Phone string
	// Title is a form of address: "Mr.", "Dr.", "CEO".
	Title             string
	PreferredLanguage Language
	// LocationID and ContactOrganizationID are UUIDs; empty if the contact belongs to none.
	LocationID            string
	ContactOrganizationID string
	// CustomFields are the organization's own fields, decoded as encoding/json does: string, float64, bool, ….
	CustomFields map[string]any
	Tags         []string
	// Unsubscribed contacts are sent nothing. It cannot be set through the API.
	Unsubscribed bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// Extra holds the members that this version does not know; nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// ContactParams is what Create and Upsert send. Empty fields are not sent.
type ContactParams struct {
	// Email is required; it identifies the contact.
	Email string `json:"email,omitzero"`
	// FirstName is required by Create.
	FirstName         string   `json:"firstName,omitzero"`
	LastName          string   `json:"lastName,omitzero"`
	Phone             string   `json:"phone,omitzero"`
	Title             string   `json:"title,omitzero"`
	PreferredLanguage Language `json:"preferredLanguage,omitzero"`
	// LocationID and ContactOrganizationID are UUIDs. The API documents them for create only: Upsert does not
	// change them on a contact that exists.
	LocationID            string `json:"locationId,omitzero"`
	ContactOrganizationID string `json:"contactOrganizationId,omitzero"`
	// CustomFields may hold whatever encoding/json can encode.
	CustomFields map[string]any `json:"customFields,omitzero"`
	// Tags that are nil are not sent; Upsert with an empty, non-nil slice clears them.
	Tags []string `json:"tags,omitzero"`
}

// ContactUpdate is what Update changes. Fields that are not set stay as they are.
type ContactUpdate struct {
	Email             Opt[string]   `json:"email,omitzero"`
	FirstName         Opt[string]   `json:"firstName,omitzero"`
	LastName          Opt[string]   `json:"lastName,omitzero"`
	Phone             Opt[string]   `json:"phone,omitzero"`
	Title             Opt[string]   `json:"title,omitzero"`
	PreferredLanguage Opt[Language] `json:"preferredLanguage,omitzero"`
	// CustomFields are merged with what is there: keys that are not named stay.
	CustomFields Opt[map[string]any] `json:"customFields,omitzero"`
	// Tags replace the contact's; an empty slice clears them.
	Tags Opt[[]string] `json:"tags,omitzero"`
}

// ContactListParams selects contacts. The zero value selects all of them.
type ContactListParams struct {
	// Page is the page asked for, from 1; 0 means the first.
	Page int
	// Limit is the number of contacts on a page, at most 100; 0 means 50 for List and 100 for All.
	Limit int
	// Search looks in first name, last name and email.
	Search string
	// Email and Phone match exactly.
	Email string
	Phone string
	// LocationID is a UUID.
	LocationID string
}
