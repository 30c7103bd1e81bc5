package demeterrrtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

// postPurchase is the sequence of the contract's samples (section 10).
func postPurchase() demeterrr.Sequence {
	return demeterrr.Sequence{ID: "880e8400-e29b-41d4-a716-446655440000", Name: "Post-Purchase Satisfaction Survey"}
}

const executePath = "/sequences/880e8400-e29b-41d4-a716-446655440000/execute"

func TestSequencesAreListedAndFound(t *testing.T) {
	t.Parallel()
	s := NewServer()
	added := s.AddSequence(postPurchase())
	if added.Status != demeterrr.SequenceActive {
		t.Errorf("status %q", added.Status)
	}
	s.AddSequence(demeterrr.Sequence{Name: "Old", Status: "archived", Extra: map[string]json.RawMessage{"steps": []byte(`3`)}})
	const first = `{"id":"880e8400-e29b-41d4-a716-446655440000","name":"Post-Purchase Satisfaction Survey","status":"active"}`
	const second = `{"id":"0000005e-0000-4000-8000-000000000002","name":"Old","status":"archived","steps":3}`
	send(t, s, "GET", "/sequences", "").
		is(t, 200, `{"data":[`+first+`,`+second+`],"meta":{"page":1,"perPage":50,"total":2,"totalPages":1}}`)
	send(t, s, "GET", "/sequences?limit=1&page=2", "").
		is(t, 200, `{"data":[`+second+`],"meta":{"page":2,"perPage":1,"total":2,"totalPages":2}}`)
	send(t, s, "GET", "/sequences/"+added.ID, "").is(t, 200, `{"data":`+first+`}`)
	send(t, s, "GET", "/sequences/x", "").is(t, 404, `{"error":{"code":"NOT_FOUND","message":"Sequence not found"}}`)
	send(t, s, "POST", "/sequences/x/execute", `{"contacts":[{"email":"a@example.com"}]}`).
		is(t, 404, `{"error":{"code":"NOT_FOUND","message":"Sequence not found"}}`)
}

func TestSequencesAreReturnedAsTheyWereAdded(t *testing.T) {
	t.Parallel()
	s := NewServer()
	first := s.AddSequence(postPurchase())
	second := s.AddSequence(demeterrr.Sequence{Name: "Old", Status: "archived", Extra: map[string]json.RawMessage{"steps": []byte(`3`)}})
	got := s.Sequences()
	if diff := cmp.Diff([]demeterrr.Sequence{first, second}, got); diff != "" {
		t.Error(diff)
	}
	got[1].Extra["steps"] = nil
	if diff := cmp.Diff(second, s.Sequences()[1]); diff != "" {
		t.Errorf("a returned sequence is the server's own: %s", diff)
	}
}

func TestSendingsFromLeavesOutTheFirst(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddSequence(postPurchase())
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		send(t, s, "POST", executePath, `{"contacts":[{"email":"`+email+`"}]}`)
	}
	for n, want := range [][]Sending{s.Sendings(), s.Sendings()[1:], s.Sendings()[2:], {}, {}} {
		if diff := cmp.Diff(want, append([]Sending{}, s.SendingsFrom(n)...)); diff != "" {
			t.Errorf("from %d: %s", n, diff)
		}
	}
}

func TestExecuteAnswersWithTheDocumentedSample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		s.AddSequence(postPurchase())
		s.AddContact(demeterrr.Contact{ID: "990e8400-e29b-41d4-a716-446655440000", Email: "Customer1@example.com", FirstName: "Al", Title: "Dr."})
		s.AddContact(demeterrr.Contact{ID: "aa0e8400-e29b-41d4-a716-446655440000", Email: "customer2@example.com"})
		time.Sleep(time.Hour)
		send(t, s, "POST", executePath, `{"contacts":[{"email":"customer1@example.com","firstName":"Alice","lastName":"Johnson","phone":"+15551234567"},{"email":"customer2@example.com","firstName":"Bob","lastName":"Williams","phone":"+15559876543"}],"locationId":"660e8400-e29b-41d4-a716-446655440000","employeeId":"770e8400-e29b-41d4-a716-446655440000"}`).
			is(t, 200, `{"data":{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":2,"sendingsCreated":2,"results":[{"email":"customer1@example.com","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"},{"email":"customer2@example.com","contactId":"aa0e8400-e29b-41d4-a716-446655440000","status":"queued"}]}}`)

		first := Sending{
			Email: "customer1@example.com", ContactID: "990e8400-e29b-41d4-a716-446655440000", SequenceID: "880e8400-e29b-41d4-a716-446655440000",
			LocationID: "660e8400-e29b-41d4-a716-446655440000", EmployeeID: "770e8400-e29b-41d4-a716-446655440000", At: time.Now(),
		}
		second := first
		second.Email, second.ContactID = "customer2@example.com", "aa0e8400-e29b-41d4-a716-446655440000"
		if diff := cmp.Diff([]Sending{first, second}, s.Sendings()); diff != "" {
			t.Error(diff)
		}
		alice := s.Contacts()[0]
		if alice.FirstName != "Alice" || alice.LastName != "Johnson" || alice.Title != "Dr." || !alice.UpdatedAt.Equal(time.Now()) {
			t.Errorf("updated contact: %+v", alice)
		}
	})
}

func TestExecuteSkipsTheUnsubscribedAndTheInvalid(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddSequence(postPurchase())
	s.AddContact(demeterrr.Contact{Email: "left@example.com", Unsubscribed: true})
	got := send(t, s, "POST", executePath, `{"contacts":[{"email":"left@example.com"},{"email":"nowhere"},{"email":"new@example.com"}]}`)
	got.is(t, 200, `{"data":{"sequenceId":"880e8400-e29b-41d4-a716-446655440000","sequenceName":"Post-Purchase Satisfaction Survey","contactsProcessed":3,"sendingsCreated":1,"results":[{"email":"left@example.com","contactId":"000000c0-0000-4000-8000-000000000001","status":"skipped"},{"email":"nowhere","contactId":null,"status":"skipped"},{"email":"new@example.com","contactId":"000000c0-0000-4000-8000-000000000002","status":"queued"}]}}`)
	if got := s.Sendings(); len(got) != 1 || got[0].Email != "new@example.com" {
		t.Errorf("%+v", got)
	}
}

func TestExecuteRefuses(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddSequence(postPurchase())
	many := func(n int) string {
		return `{"contacts":[` + strings.TrimSuffix(strings.Repeat(`{"email":"a@example.com"},`, n), ",") + `]}`
	}
	for body, fields := range map[string][]string{
		`{}`:                                 {"contacts"},
		`{"contacts":null}`:                  {"contacts"},
		`{"contacts":{}}`:                    {"contacts"},
		many(0):                              {"contacts"},
		many(101):                            {"contacts"},
		`{"contacts":["a@b.c"]}`:             {"contacts[0]", "contacts"},
		`{"contacts":[{}]}`:                  {"contacts[0].email", "contacts"},
		`{"contacts":[{"email":1}]}`:         {"contacts[0].email", "contacts"},
		`{"contacts":[{"email":""}]}`:        {"contacts[0].email", "contacts"},
		`{"contacts":[{"email":"nowhere"}]}`: {"contacts"},
		`{"contacts":[{"email":"a@example.com","title":"Dr."}]}`:          {"contacts[0].title"},
		`{"contacts":[{"email":"a@example.com","phone":null}]}`:           {"contacts[0].phone"},
		`{"contacts":[{"email":"a@example.com"}],"locationId":"x"}`:       {"locationId"},
		`{"contacts":[{"email":"a@example.com"}],"employeeId":null}`:      {"employeeId"},
		`{"contacts":[{"email":"a@example.com"},{}],"sequence":"x"}`:      {"contacts[1].email", "sequence"},
		`{"contacts":[{"email":"a@example.com"},{"email":"b@b.c"},null]}`: {"contacts[2]"},
	} {
		if diff := cmp.Diff(fields, send(t, s, "POST", executePath, body).refusals(t)); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	if len(s.Sendings())+len(s.Contacts()) != 0 {
		t.Error("a refused execution did something")
	}
	if got := send(t, s, "POST", executePath, many(100)); got.status != 200 {
		t.Errorf("100 contacts: %d %s", got.status, got.body)
	}
}

func TestSentTwiceNamesWhoWasMessagedTwiceByOneSequence(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddSequence(postPurchase())
	other := s.AddSequence(demeterrr.Sequence{Name: "Other"})
	run := func(path string, emails ...string) {
		for _, email := range emails {
			if got := send(t, s, "POST", path, fmt.Sprintf(`{"contacts":[{"email":%q}]}`, email)); got.status != 200 {
				t.Fatal(got.body)
			}
		}
	}
	run(executePath, "b@example.com", "a@example.com")
	run("/sequences/"+other.ID+"/execute", "a@example.com")
	if got := s.SentTwice(); len(got) != 0 {
		t.Errorf("%q after two sequences", got)
	}
	run(executePath, "B@example.com", "A@example.com", "a@example.com")
	run("/sequences/"+other.ID+"/execute", "a@example.com")
	if diff := cmp.Diff([]string{"a@example.com", "b@example.com"}, s.SentTwice()); diff != "" {
		t.Error(diff)
	}
}
