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

// maxExecuteContacts is the limit of one execution (contract, section 6).
const maxExecuteContacts = 100

// statusSkipped is invented: the API leaves the status of a skipped contact
// undocumented.
const statusSkipped = "skipped"

// Sending is one survey to one contact that the API would have sent.
type Sending struct {
	// Email is spelled as in the execution.
	Email string
	// ContactID and SequenceID are always set. LocationID and EmployeeID come
	// from the execution and may be empty.
	ContactID, SequenceID, LocationID, EmployeeID string
	// At is the time of the execution.
	At time.Time
}

// Sendings returns all surveys that would have gone out, in order. It includes
// those of an execution with a lost reply if the server performed it.
func (s *Server) Sendings() []Sending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sendings)
}

// SendingsFrom returns the sendings after the first n, in order. Use it to read
// only the new ones, for example while a campaign runs. It is empty if there
// are n or fewer. It panics if n is negative.
func (s *Server) SendingsFrom(n int) []Sending {
	if n < 0 {
		misuse("SendingsFrom: n is %d, want 0 or more", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sendings[min(n, len(s.sendings)):])
}

// SentTwice returns the emails that got one sequence more than once,
// lower-cased and sorted. It is empty if each contact got each sequence at most
// once. A contact counts under each of its emails, and stays the same after
// Delete and Create. A customer with two orders may get two surveys of one
// sequence, and is reported too. In a test of a webhook, deliver one order twice
// and expect one of [Server.Sendings].
func (s *Server) SentTwice() []string {
	type recipient struct{ to, sequenceID string } // by id, and by email
	counts := make(map[recipient]int)
	var twice []string
	for _, sending := range s.Sendings() {
		email := strings.ToLower(sending.Email)
		for _, to := range []recipient{{sending.ContactID, sending.SequenceID}, {email, sending.SequenceID}} {
			if counts[to]++; counts[to] > 1 {
				twice = append(twice, email)
			}
		}
	}
	slices.Sort(twice)
	return slices.Compact(twice)
}

// execution is the data of the reply, in the order of the documented sample.
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

// recipient is one contact in the body of an execution.
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

// recipients reads the contacts of an execution. Invalid emails pass, to be
// skipped later, unless all are invalid.
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

// meet updates the contact with the recipient's email, or creates it.
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
		_ = cs.replace(found[0], w) // its email stays, so this succeeds
		return found[0]
	}
	added, err := cs.add(w)
	if err != nil {
		misuse("%v", err) // excluded above
	}
	return added
}
