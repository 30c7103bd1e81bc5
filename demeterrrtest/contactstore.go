package demeterrrtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The first parts of the fake's ids.
const (
	contactIDs  = 0xc0
	sequenceIDs = 0x5e
)

const defaultLanguage = "en"

// contact is a contact in the store.
type contact struct {
	wireContact
	serial int // the number of its creation
}

// contactStore finds contacts by id or email in constant time. Reading a page
// takes time for that page alone, even among a million contacts.
type contactStore struct {
	inOrder []*contact // of creation, so sorted by serial
	byID    map[string]*contact
	byEmail map[string]*contact // by email in lower case
	serial  int
}

func newContactStore() contactStore {
	return contactStore{byID: make(map[string]*contact), byEmail: make(map[string]*contact)}
}

// withEmail returns the contact with an email, ignoring case, as a list of one
// or none.
func (cs *contactStore) withEmail(email string) []*contact {
	if found, ok := cs.byEmail[strings.ToLower(email)]; ok {
		return []*contact{found}
	}
	return nil
}

// add completes w and keeps it. It fails if the id or the email is taken.
func (cs *contactStore) add(w wireContact) (*contact, error) {
	if cs.byID[w.ID] != nil {
		return nil, fmt.Errorf("there is a contact with the id %s", w.ID)
	}
	if w.Email != nil && len(cs.withEmail(*w.Email)) > 0 {
		return nil, fmt.Errorf("there is a contact with the email %s", *w.Email)
	}
	if w.PreferredLanguage == "" {
		w.PreferredLanguage = defaultLanguage
	}
	if w.CreatedAt.IsZero() {
		w.CreatedAt = wireTimeOf(time.Now())
	}
	if w.UpdatedAt.IsZero() {
		w.UpdatedAt = w.CreatedAt
	}
	cs.serial++
	for n := cs.serial; w.ID == "" || cs.byID[w.ID] != nil; n++ { // skip ids chosen by the test
		w.ID = newID(contactIDs, n)
	}
	added := &contact{wireContact: w, serial: cs.serial}
	cs.inOrder = append(cs.inOrder, added)
	cs.byID[w.ID] = added
	cs.index(added)
	return added, nil
}

func (cs *contactStore) index(c *contact) {
	if c.Email != nil {
		cs.byEmail[strings.ToLower(*c.Email)] = c
	}
}

// replace gives a contact new values. It fails if another contact has the new
// email.
func (cs *contactStore) replace(c *contact, next wireContact) error {
	if next.Email != nil {
		if other := cs.withEmail(*next.Email); len(other) > 0 && other[0] != c {
			return fmt.Errorf("there is another contact with the email %s", *next.Email)
		}
	}
	if next.PreferredLanguage == "" {
		next.PreferredLanguage = defaultLanguage
	}
	next.UpdatedAt = wireTimeOf(time.Now())
	cs.unindex(c)
	c.wireContact = next
	cs.index(c)
	return nil
}

func (cs *contactStore) unindex(c *contact) {
	if c.Email != nil {
		delete(cs.byEmail, strings.ToLower(*c.Email))
	}
}

// remove reports whether it found the contact.
func (cs *contactStore) remove(id string) bool {
	c, ok := cs.byID[id]
	if !ok {
		return false
	}
	delete(cs.byID, id)
	cs.unindex(c)
	at, _ := slices.BinarySearchFunc(cs.inOrder, c, func(a, b *contact) int { return cmp.Compare(a.serial, b.serial) })
	cs.inOrder = slices.Delete(cs.inOrder, at, at+1)
	return true
}

// merge applies the custom fields of a PATCH. Fields that it leaves out stay.
// nil, from a JSON null, clears all of them.
func merge(old, changes map[string]json.RawMessage) map[string]json.RawMessage {
	if changes == nil {
		return nil
	}
	merged := make(map[string]json.RawMessage, len(old)+len(changes))
	maps.Copy(merged, old)
	maps.Copy(merged, changes)
	return merged
}

// partial returns the members of the documented sample of a PATCH reply.
func (c *contact) partial() partialContact {
	tags := c.Tags
	if tags == nil {
		tags = []string{}
	}
	return partialContact{c.ID, c.Email, c.FirstName, c.LastName, tags, c.UpdatedAt}
}
