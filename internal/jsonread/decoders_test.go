package jsonread_test

import (
	"encoding/json"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// The types and decoders here are written as the root package writes its own.
// The JSON tags serve the comparison with encoding/json.

// contactLike is the contact of docs/api-contract.md, section 5.
type contactLike struct {
	ID                    string                     `json:"id"`
	Email                 string                     `json:"email"`
	FirstName             string                     `json:"firstName"`
	LastName              string                     `json:"lastName"`
	Phone                 string                     `json:"phone"`
	Title                 string                     `json:"title"`
	PreferredLanguage     string                     `json:"preferredLanguage"`
	LocationID            string                     `json:"locationId"`
	ContactOrganizationID string                     `json:"contactOrganizationId"`
	CustomFields          map[string]any             `json:"customFields"`
	Tags                  []string                   `json:"tags"`
	Unsubscribed          bool                       `json:"unsubscribed"`
	CreatedAt             time.Time                  `json:"createdAt"`
	UpdatedAt             time.Time                  `json:"updatedAt"`
	Extra                 map[string]json.RawMessage `json:"-"`
}

// read decodes over c: a null resets its field, an absent member leaves it, and
// a value of another type resets it and is kept raw. The id is strict.
func (c *contactLike) read(r *jsonread.Reader) {
	for r.Record(); r.Member(); {
		member := r.Place()
		if delete(c.Extra, string(r.Key())); len(c.Extra) == 0 {
			c.Extra = nil
		}
		switch string(r.Key()) {
		case "id":
			c.ID = r.Text()
			continue
		case "email":
			c.Email = r.Text()
		case "firstName":
			c.FirstName = r.Text()
		case "lastName":
			c.LastName = r.Text()
		case "phone":
			c.Phone = r.Text()
		case "title":
			c.Title = r.Text()
		case "preferredLanguage":
			c.PreferredLanguage = r.Text()
		case "locationId":
			c.LocationID = r.Text()
		case "contactOrganizationId":
			c.ContactOrganizationID = r.Text()
		case "customFields":
			c.CustomFields = r.Map()
		case "tags":
			c.Tags = r.Strings()
		case "unsubscribed":
			c.Unsubscribed = r.Bool()
		case "createdAt":
			c.CreatedAt = r.Time()
		case "updatedAt":
			c.UpdatedAt = r.Time()
		default:
			readExtra(&c.Extra, r)
		}
		if r.Err() != nil {
			r.Rewind(member)
			readExtra(&c.Extra, r)
		}
	}
}

// readExtra keeps a member of another type than the field's.
func readExtra(extra *map[string]json.RawMessage, r *jsonread.Reader) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	key := r.KeyText()
	(*extra)[key] = r.Raw()
}

// listLike is the page of docs/api-contract.md, section 4.
type listLike struct {
	Data []contactLike `json:"data"`
	Meta metaLike      `json:"meta"`
}

type metaLike struct {
	Page       int `json:"page"`
	PerPage    int `json:"perPage"`
	Total      int `json:"total"`
	TotalPages int `json:"totalPages"`
}

func (m *metaLike) read(r *jsonread.Reader) {
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "page":
			m.Page = r.Int()
		case "perPage":
			m.PerPage = r.Int()
		case "total":
			m.Total = r.Int()
		case "totalPages":
			m.TotalPages = r.Int()
		default:
			r.Skip()
		}
	}
}

func readList(doc []byte) (listLike, error) {
	var list listLike
	r := jsonread.New(doc)
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "data":
			list.Data = list.Data[:0]
			for r.Array(); r.Element(); {
				list.Data = append(list.Data, contactLike{})
				list.Data[len(list.Data)-1].read(&r)
			}
		case "meta":
			list.Meta = metaLike{}
			list.Meta.read(&r)
		default:
			r.Skip()
		}
	}
	return list, r.End()
}

func readContact(doc []byte, c *contactLike) error {
	r := jsonread.New(doc)
	c.read(&r)
	return r.End()
}

func readAny(doc []byte) (any, error) {
	r := jsonread.New(doc)
	v := r.Any()
	return v, r.End()
}

// The samples of docs/api-contract.md, sections 5 to 7 and 10.
const (
	contactSample = `{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe","phone":"+15551234567","title":"Mr.","preferredLanguage":"en","locationId":"660e8400-e29b-41d4-a716-446655440000","contactOrganizationId":null,"customFields":{"birthday":"1990-01-15","membershipTier":"Gold"},"tags":["vip","frequent-customer"],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-02-10T14:20:00.000Z"}`
	listSample    = `{"data":[` + contactSample + `],"meta":{"page":1,"perPage":50,"total":247,"totalPages":5}}`
	createSample  = `{"data":{"id":"770e8400-e29b-41d4-a716-446655440000","email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":{},"tags":["new-customer"],"unsubscribed":false,"createdAt":"2026-02-10T15:30:00.000Z","updatedAt":"2026-02-10T15:30:00.000Z"}}`
	updateSample  = `{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe-Smith","tags":["vip","frequent-customer"],"updatedAt":"2026-02-10T16:00:00.000Z"}`
	executeSample = `{"data":{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":2,"sendingsCreated":2,"results":[{"email":"customer1@example.com","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"},{"email":"customer2@example.com","contactId":"aa0e8400-e29b-41d4-a716-446655440000","status":"queued"}]}}`
	scopeSample   = `{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:write","requiredScope":"contacts:write"}}`
	rateSample    = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":60,"limit":1000,"window":"1 hour"}}}`
)

var samples = []string{contactSample, listSample, createSample, updateSample, executeSample, scopeSample, rateSample}
