package demeterrrtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// maxExecuteContacts is the most that one execution takes (contract, section 6).
const maxExecuteContacts = 100

// statusSkipped is the fake's own: the API does not document what it says of a contact that gets no sending.
const statusSkipped = "skipped"

// Sending is one survey that would have gone out to one contact.
type Sending struct {
	// Email is the contact's, as the execution named it.
	Email string
	// ContactID and SequenceID are never empty; LocationID and EmployeeID are what the execution had.
	ContactID, SequenceID, LocationID, EmployeeID string
	// At is when the execution was performed.
	At time.Time
}

// Sendings returns everything that would have been sent, in order. An execution
// whose reply was lost is in it if the server had performed it.
func (s *Server) Sendings() []Sending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sendings)
}

// SendingsFrom returns the sendings without the first n, in order: a test, or a
// page that follows a campaign, looks at the new ones only. It is empty if there
// are not more than n. It panics if n is negative.
func (s *Server) SendingsFrom(n int) []Sending {
	if n < 0 {
		misuse("SendingsFrom: n is %d, want 0 or more", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sendings[min(n, len(s.sendings)):])
}

// SentTwice returns the emails, lower-cased and sorted, of those to whom one
// sequence was sent more than once. It is empty if nobody was messaged twice.
func (s *Server) SentTwice() []string {
	type recipient struct{ contactID, sequenceID string }
	counts := make(map[recipient]int)
	var twice []string
	for _, sending := range s.Sendings() {
		to := recipient{sending.ContactID, sending.SequenceID}
		if counts[to]++; counts[to] == 2 {
			twice = append(twice, strings.ToLower(sending.Email))
		}
	}
	slices.Sort(twice)
	return slices.Compact(twice)
}

// execution is the reply's data, in the order of the documented sample.
type execution struct {
	SequenceID        string            `json:"sequenceId"`
	SequenceName      string            `json:"sequenceName"`
	ContactsProcessed int               `json:"contactsProcessed"`
	SendingsCreated   int               `json:"sendingsCreated"`
	Results           []executionResult `json:"results"`
}

type executionResult struct {
	Email     string  `json:"email"`
	ContactID *string `json:"contactId"`
	Status    string  `json:"status"`
}

// recipient is one contact of the body of an execution.
type recipient struct {
	email                      string
	firstName, lastName, phone *string
}

func (s *Server) execute(c *call) *reply {
	in, refused := readBody(c)
	if refused != nil {
		return refused
	}
	recipients := in.recipients("contacts")
	locationID, employeeID := in.uuid("locationId"), in.uuid("employeeId")
	if refused := in.finish(); refused != nil {
		return refused
	}
	sequence, ok := s.sequences.byID[c.id]
	if !ok {
		return notFound("Sequence")
	}
	if sequence.Status != string(demeterrr.SequenceActive) {
		return documentedError(demeterrr.CodeSequenceInactive)
	}
	out := execution{SequenceID: sequence.ID, SequenceName: sequence.Name, ContactsProcessed: len(recipients)}
	for _, to := range recipients {
		result := executionResult{Email: to.email, Status: statusSkipped}
		if isEmail(to.email) {
			found := s.contacts.meet(to)
			result.ContactID = &found.ID
			if !found.Unsubscribed {
				result.Status = string(demeterrr.ExecutionQueued)
				out.SendingsCreated++
				s.sendings = append(s.sendings, Sending{
					Email: to.email, ContactID: found.ID, SequenceID: sequence.ID,
					LocationID: orEmpty(locationID), EmployeeID: orEmpty(employeeID), At: c.now,
				})
			}
		}
		out.Results = append(out.Results, result)
	}
	return dataReply(http.StatusOK, out)
}

// recipients reads the contacts of an execution. One whose email is no address
// passes, to be skipped, unless all are like that.
func (in *input) recipients(name string) []recipient {
	list, given := take(in, name, "an array of 1 to 100 objects", func(list []json.RawMessage) bool {
		return 1 <= len(list) && len(list) <= maxExecuteContacts
	})
	in.require(name, given)
	if list == nil {
		return nil
	}
	var out []recipient
	for i, raw := range *list {
		one := &input{prefix: fmt.Sprintf("%s[%d].", name, i)}
		if json.Unmarshal(raw, &one.members) != nil || one.members == nil {
			in.refuse(fmt.Sprintf("%s[%d]", name, i), "must be an object")
			continue
		}
		var to recipient
		to.email = orEmpty(one.requiredText("email"))
		to.firstName, _ = one.text("firstName")
		to.lastName, _ = one.text("lastName")
		to.phone, _ = one.text("phone")
		one.refuseRest()
		in.problems = append(in.problems, one.problems...)
		out = append(out, to)
	}
	if !slices.ContainsFunc(out, func(to recipient) bool { return isEmail(to.email) }) {
		in.refuse(name, "must have at least one valid email address")
	}
	return out
}

// meet finds the contact with the recipient's email and updates it, or creates it.
func (cs *contactStore) meet(to recipient) *contact {
	w := wireContact{Email: &to.email}
	found := cs.withEmail(to.email)
	if len(found) > 0 {
		w = found[0].wireContact
	}
	set(&w.FirstName, to.firstName, to.firstName != nil)
	set(&w.LastName, to.lastName, to.lastName != nil)
	set(&w.Phone, to.phone, to.phone != nil)
	if len(found) > 0 {
		_ = cs.replace(found[0], w) // cannot fail, its email stays
		return found[0]
	}
	added, err := cs.add(w)
	if err != nil {
		misuse("%v", err) // the only cause was excluded above
	}
	return added
}
