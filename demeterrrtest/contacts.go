package demeterrrtest

import (
	"cmp"
	"net/http"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// AddContact adds a contact to the organization and returns it as the API
// would. It makes no request. It fills in an empty ID, zero times and an empty
// language, and cuts times to milliseconds. It panics if the ID or the email
// (ignoring case) is taken, if the email is not an address, or if the custom
// fields or Extra cannot be encoded as JSON.
func (s *Server) AddContact(contact demeterrr.Contact) demeterrr.Contact {
	w, err := toWire(contact)
	if err != nil {
		misuse("AddContact: custom fields: %v", err)
	}
	if err := w.check(); err != nil {
		misuse("AddContact: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	added, err := s.contacts.add(w)
	if err != nil {
		misuse("AddContact: %v", err)
	}
	return added.toContact()
}

// Contacts returns all current contacts, in the order of creation.
func (s *Server) Contacts() []demeterrr.Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]demeterrr.Contact, len(s.contacts.inOrder))
	for i, c := range s.contacts.inOrder {
		out[i] = c.toContact()
	}
	return out
}

// ListContacts returns a page of contacts, like Contacts.List of a client. It
// makes no request, so rate limits and faults leave it alone. It uses memory
// for one page, even among a million contacts. Nil params return the first
// page. It panics if Page or Limit is negative.
func (s *Server) ListContacts(params *demeterrr.ContactListParams) *demeterrr.Page[demeterrr.Contact] {
	var p demeterrr.ContactListParams
	if params != nil {
		p = *params
	}
	if p.Page < 0 || p.Limit < 0 {
		misuse("ListContacts: page and limit must not be negative; 0 means the default")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.contacts.find(p)
	items, m := pageOf(found, paging{cmp.Or(p.Page, 1), min(cmp.Or(p.Limit, defaultLimit), maxLimit)})
	out := &demeterrr.Page[demeterrr.Contact]{Items: []demeterrr.Contact{}, Page: m.Page, PerPage: m.PerPage, Total: m.Total, TotalPages: m.TotalPages}
	for _, item := range items {
		out.Items = append(out.Items, item.toContact())
	}
	return out
}

func (s *Server) listContacts(c *call) *reply {
	items := s.contacts.find(demeterrr.ContactListParams{
		Search: c.query.Get("search"), Email: c.query.Get("email"), Phone: c.query.Get("phone"), LocationID: c.query.Get("location_id"),
	})
	return pageReply(items, pagingOf(c.query), func(c *contact) any { return c.wireContact })
}

// find returns the contacts that match every filter, in the order of creation.
func (cs *contactStore) find(p demeterrr.ContactListParams) []*contact {
	items := cs.inOrder
	if p.Email != "" {
		items = cs.withEmail(p.Email)
	}
	items = filter(items, p.Phone, func(c *contact, phone string) bool {
		return orEmpty(c.Phone) == phone
	})
	items = filter(items, p.LocationID, func(c *contact, id string) bool {
		return strings.EqualFold(orEmpty(c.LocationID), id)
	})
	return filter(items, strings.ToLower(p.Search), (*contact).mentions)
}

// filter returns the items that match wanted; all of them if wanted is empty.
func filter(items []*contact, wanted string, matches func(*contact, string) bool) []*contact {
	if wanted == "" {
		return items
	}
	var kept []*contact
	for _, item := range items {
		if matches(item, wanted) {
			kept = append(kept, item)
		}
	}
	return kept
}

// mentions reports whether a search finds the contact: in any part of the first
// name, last name or email, ignoring case.
func (c *contact) mentions(lowered string) bool {
	for _, text := range []*string{c.FirstName, c.LastName, c.Email} {
		if strings.Contains(strings.ToLower(orEmpty(text)), lowered) {
			return true
		}
	}
	return false
}

func (s *Server) createContact(c *call) *reply {
	in, refused := readBody(c)
	if refused != nil {
		return refused
	}
	var w wireContact
	var given bool
	w.Email, given = in.email("email")
	in.require("email", given)
	w.FirstName = in.requiredText("firstName")
	w.LastName, _ = in.text("lastName")
	w.Phone, _ = in.text("phone")
	w.Title, _ = in.text("title")
	if language, _ := in.language("preferredLanguage"); language != nil {
		w.PreferredLanguage = *language
	}
	w.LocationID = in.uuid("locationId")
	w.ContactOrganizationID = in.uuid("contactOrganizationId")
	w.CustomFields, _ = in.customFields("customFields")
	w.Tags, _ = in.tags("tags")
	if refused := in.finish(); refused != nil {
		return refused
	}
	if len(s.contacts.withEmail(*w.Email)) > 0 {
		return documentedError(demeterrr.CodeContactExists)
	}
	added, err := s.contacts.add(w)
	if err != nil {
		misuse("%v", err) // excluded above
	}
	return dataReply(http.StatusCreated, added.wireContact)
}

func (s *Server) getContact(c *call) *reply {
	found, ok := s.contacts.byID[c.id]
	if !ok {
		return notFound("Contact")
	}
	return dataReply(http.StatusOK, found.wireContact)
}

func (s *Server) updateContact(c *call) *reply {
	in, refused := readBody(c)
	if refused != nil {
		return refused
	}
	in.nullable = true
	change := readUpdate(in)
	if refused := in.finish(); refused != nil {
		return refused
	}
	found, ok := s.contacts.byID[c.id]
	if !ok {
		return notFound("Contact")
	}
	next := found.wireContact
	change(&next)
	if err := s.contacts.replace(found, next); err != nil {
		return documentedError(demeterrr.CodeContactExists)
	}
	if s.partialUpdates {
		return dataReply(http.StatusOK, found.partial())
	}
	return dataReply(http.StatusOK, found.wireContact)
}

// readUpdate reads the fields that PATCH may change (contract, section 5). It
// returns the change as a function.
func readUpdate(in *input) func(*wireContact) {
	email, emailGiven := in.email("email")
	first, firstGiven := in.text("firstName")
	last, lastGiven := in.text("lastName")
	phone, phoneGiven := in.text("phone")
	title, titleGiven := in.text("title")
	language, languageGiven := in.language("preferredLanguage")
	fields, fieldsGiven := in.customFields("customFields")
	tags, tagsGiven := in.tags("tags")
	return func(c *wireContact) {
		set(&c.Email, email, emailGiven)
		set(&c.FirstName, first, firstGiven)
		set(&c.LastName, last, lastGiven)
		set(&c.Phone, phone, phoneGiven)
		set(&c.Title, title, titleGiven)
		set(&c.Tags, tags, tagsGiven)
		set(&c.PreferredLanguage, orEmpty(language), languageGiven)
		if fieldsGiven {
			c.CustomFields = merge(c.CustomFields, fields)
		}
	}
}

func set[T any](field *T, value T, given bool) {
	if given {
		*field = value
	}
}

func (s *Server) deleteContact(c *call) *reply {
	if !s.contacts.remove(c.id) {
		return notFound("Contact")
	}
	return &reply{status: http.StatusNoContent, header: http.Header{}}
}

func notFound(what string) *reply {
	return errorReply(http.StatusNotFound, errorBody{Code: demeterrr.CodeNotFound, Message: what + " not found"})
}
