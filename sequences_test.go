package demeterrr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
)

func customers(n int) []demeterrr.ExecuteContact {
	list := make([]demeterrr.ExecuteContact, n)
	for i := range list {
		list[i].Email = fmt.Sprintf("customer%d@example.com", i+1)
	}
	return list
}

func TestBadExecutionsAreRefused(t *testing.T) {
	t.Parallel()
	const bad = "J\xf6rg"
	contact := func(c demeterrr.ExecuteContact) *demeterrr.ExecuteParams {
		return &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "first@example.com"}, c}}
	}
	for what, test := range map[string]struct {
		params *demeterrr.ExecuteParams
		says   string
	}{
		"nil":                {nil, "params of the execution are nil"},
		"no contacts":        {&demeterrr.ExecuteParams{}, "1 to 100 contacts, not 0"},
		"empty contacts":     {&demeterrr.ExecuteParams{Contacts: customers(0)}, "1 to 100 contacts, not 0"},
		"101 contacts":       {&demeterrr.ExecuteParams{Contacts: customers(101)}, "1 to 100 contacts, not 101"},
		"no email":           {contact(demeterrr.ExecuteContact{FirstName: "Bob"}), "contact 2: the email is empty"},
		"bad email":          {contact(demeterrr.ExecuteContact{Email: "bob"}), "contact 2: the email is not of the form"},
		"duplicate":          {contact(demeterrr.ExecuteContact{Email: "first@example.com"}), "contacts 1 and 2 have the same email"},
		"duplicate by case":  {contact(demeterrr.ExecuteContact{Email: "First@EXAMPLE.com"}), "contacts 1 and 2 have the same email"},
		"Latin-1 first name": {contact(demeterrr.ExecuteContact{Email: "a@b", FirstName: bad}), "contact 2: a text is not valid UTF-8"},
		"Latin-1 last name":  {contact(demeterrr.ExecuteContact{Email: "a@b", LastName: bad}), "contact 2: a text is not valid UTF-8"},
		"Latin-1 phone":      {contact(demeterrr.ExecuteContact{Email: "a@b", Phone: bad}), "contact 2: a text is not valid UTF-8"},
		"Latin-1 location":   {&demeterrr.ExecuteParams{Contacts: customers(1), LocationID: bad}, "UTF-8"},
		"Latin-1 employee":   {&demeterrr.ExecuteParams{Contacts: customers(1), EmployeeID: bad}, "UTF-8"},
	} {
		_, err := serving(t, neverSent(t)).Sequences.Execute(t.Context(), surveyID, test.params)
		refusedBeforeSending(t, what, err, demeterrr.ErrValidation, test.says)
		noSecret(t, err, "first@example.com", "First@")
	}
}

func TestExecuteSendsWhatTheAPIDocuments(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(answer(200, `{"data":`+executionJSON+`}`)))
	got, err := c.Sequences.Execute(t.Context(), surveyID, &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{
			{Email: "customer1@example.com", FirstName: "Alice", LastName: "Johnson", Phone: "+15551234567"},
			{Email: "customer2@example.com", FirstName: "Bob", LastName: "Williams", Phone: "+15559876543"},
		},
		LocationID: locationID, EmployeeID: "770e8400-e29b-41d4-a716-446655440000",
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "execution", got, &demeterrr.Execution{
		SequenceID: surveyID, SequenceName: "Post-Purchase Satisfaction Survey", ContactsProcessed: 2, SendingsCreated: 2,
		Results: []demeterrr.ExecutionResult{
			{Email: "customer1@example.com", ContactID: "990e8400-e29b-41d4-a716-446655440000", Status: demeterrr.ExecutionQueued},
			{Email: "customer2@example.com", ContactID: "aa0e8400-e29b-41d4-a716-446655440000", Status: demeterrr.ExecutionQueued},
		},
	})
	same(t, "requests", j.lines(), []string{"POST /api/v1/sequences/" + surveyID + "/execute"})
	same(t, "body", j.arrivals()[0].Body, `{"contacts":[{"email":"customer1@example.com","firstName":"Alice","lastName":"Johnson","phone":"+15551234567"},{"email":"customer2@example.com","firstName":"Bob","lastName":"Williams","phone":"+15559876543"}],"locationId":"660e8400-e29b-41d4-a716-446655440000","employeeId":"770e8400-e29b-41d4-a716-446655440000"}`)
}

func TestExecuteTakesOneAndAHundredAndNeverSplits(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100} {
		var j journal
		c := serving(t, j.record(answer(200, `{"data":`+executionJSON+`}`)))
		if _, err := c.Sequences.Execute(t.Context(), "s", &demeterrr.ExecuteParams{Contacts: customers(n)}); err != nil {
			t.Fatal(err)
		}
		var body struct{ Contacts []map[string]string }
		if err := json.Unmarshal([]byte(j.arrivals()[0].Body), &body); err != nil {
			t.Fatal(err)
		}
		same(t, "contacts in one request", []int{len(body.Contacts), len(j.lines())}, []int{n, 1})
		same(t, "a contact without names", body.Contacts[0], map[string]string{"email": "customer1@example.com"})
	}
}

func TestExecuteAcceptsAny2xxAndOpenResults(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202} {
		got, err := serving(t, answer(status, `{"data":{"sequenceId":"s","contactsProcessed":2,"sendingsCreated":0,"batch":"b1","results":[{"email":"b@c","contactId":null,"status":"skipped","reason":"unsubscribed"}]},"meta":1}`)).
			Sequences.Execute(t.Context(), "s", twoCustomers())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "execution", got, &demeterrr.Execution{
			SequenceID: "s", ContactsProcessed: 2, Extra: map[string]json.RawMessage{"batch": []byte(`"b1"`)},
			Results: []demeterrr.ExecutionResult{{Email: "b@c", Status: "skipped", Extra: map[string]json.RawMessage{"reason": []byte(`"unsubscribed"`)}}},
		})
	}
}

func TestResultsThatAreNullAreNone(t *testing.T) {
	t.Parallel()
	got, err := serving(t, answer(200, `{"data":{"sequenceId":"s","results":null}}`)).Sequences.Execute(t.Context(), "s", twoCustomers())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "execution", got, &demeterrr.Execution{SequenceID: "s"})
}

func TestAnExecutionThatCannotBeReadHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(answer(200, `{"data":`+executionJSON[:40])), quick)
	_, err := c.Sequences.Execute(t.Context(), "s", twoCustomers())
	same(t, "sentinels", matched(err), map[string]bool{"ErrUnknownOutcome": true})
	same(t, "requests", len(j.lines()), 1)
	if !strings.Contains(err.Error(), "outcome unknown") {
		t.Errorf("the text lacks the unknown outcome: %v", err)
	}
}

func TestSequencesAreRead(t *testing.T) {
	t.Parallel()
	const sequence = `{"id":"880e8400-e29b-41d4-a716-446655440000","name":"Survey","status":"paused","steps":[{"delay":1}]}`
	want := demeterrr.Sequence{ID: surveyID, Name: "Survey", Status: "paused", Extra: map[string]json.RawMessage{"steps": []byte(`[{"delay":1}]`)}}
	var j journal
	one := serving(t, j.record(answer(200, `{"data":`+sequence+`}`)))
	got, err := one.Sequences.Get(t.Context(), surveyID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "sequence", *got, want)
	many := serving(t, j.record(answer(200, `{"data":[`+sequence+`],"meta":{"page":2,"perPage":1,"total":2,"totalPages":2}}`)))
	page, err := many.Sequences.List(t.Context(), &demeterrr.SequenceListParams{Page: 2, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "page", page, &demeterrr.Page[demeterrr.Sequence]{Items: []demeterrr.Sequence{want}, Page: 2, PerPage: 1, Total: 2, TotalPages: 2})
	for sequence, err := range many.Sequences.All(t.Context(), &demeterrr.SequenceListParams{Page: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		same(t, "all", *sequence, want)
	}
	same(t, "requests", j.lines(), []string{"GET /api/v1/sequences/" + surveyID, "GET /api/v1/sequences?limit=1&page=2", "GET /api/v1/sequences?limit=100&page=2"})
}

func TestSequencesRoundTripWithWhatIsUnknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		into any
	}{
		{`{"id":"s","name":"n","status":"active","a b":{"x":[1.50,null]},"steps":[]}`, new(demeterrr.Sequence)},
		{`{"sequenceId":"s","sequenceName":"n","contactsProcessed":1,"sendingsCreated":0,"results":[{"email":"a@b","contactId":null,"status":"x","why":"y"}],"batch":9007199254740993}`, new(demeterrr.Execution)},
		{`{"sequenceId":"s","sequenceName":"","contactsProcessed":0,"sendingsCreated":0,"results":[]}`, new(demeterrr.Execution)},
		{`{"sequenceId":"s","sequenceName":"","contactsProcessed":0,"sendingsCreated":0}`, new(demeterrr.Execution)},
		{`{"sequenceId":"s","sequenceName":"","contactsProcessed":0,"sendingsCreated":0,"x":null}`, new(demeterrr.Execution)},
		{`{"email":"a@b","contactId":"c","status":"queued"}`, new(demeterrr.ExecutionResult)},
	} {
		if err := json.Unmarshal([]byte(test.text), test.into); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(test.into)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "written back", parsed(t, string(got)), parsed(t, test.text))
		for _, bad := range []string{`[]`, `"x"`, `{"id":1,"sequenceId":1,"contactId":1}`} {
			if err := json.Unmarshal([]byte(bad), test.into); err == nil {
				t.Errorf("%s was read into %T", bad, test.into)
			}
		}
		if err := json.Unmarshal([]byte(`null`), test.into); err != nil {
			t.Errorf("null must change nothing: %v", err)
		}
	}
}

func TestANilExtraMemberIsWrittenAsNull(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(demeterrr.Sequence{ID: "s", Extra: map[string]json.RawMessage{"x": nil, "<y>": []byte(`1`)}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "sequence", string(got), `{"id":"s","name":"","status":"","\u003cy\u003e":1,"x":null}`)
	if _, err := json.Marshal(demeterrr.Sequence{Extra: map[string]json.RawMessage{"x": []byte(`{`)}}); err == nil {
		t.Error("broken JSON in Extra was written")
	}
}
