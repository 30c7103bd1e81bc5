package demeterrr_test

import (
	"encoding/json"
	"testing"

	"github.com/demeterrr/demeterrr-go"
)

// contactOf returns a contact as decoded from a reply of the API.
func contactOf(t *testing.T, document string) demeterrr.Contact {
	t.Helper()
	var contact demeterrr.Contact
	wantNil(t, json.Unmarshal([]byte(document), &contact))
	return contact
}

func TestParamsAreWhatCreateSends(t *testing.T) {
	t.Parallel()
	same(t, "params", contactOf(t, johnJSON).Params(), demeterrr.ContactParams{
		Email: "john.doe@example.com", FirstName: "John", LastName: "Doe", Phone: "+15551234567", Title: "Mr.",
		PreferredLanguage: "en", LocationID: locationID,
		CustomFields: map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold"}, Tags: []string{"vip", "frequent-customer"},
	})
	same(t, "params", demeterrr.Contact{ContactOrganizationID: "o1"}.Params(), demeterrr.ContactParams{ContactOrganizationID: "o1"})
}

// An Upsert of a contact's own params changes nothing.
func TestParamsOfAContactChangeNothing(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		johnJSON,
		`{"id":"c1"}`,
		`{"id":"c1","email":null,"firstName":null,"tags":[],"customFields":{}}`,
		`{"id":"c1","tags":null,"customFields":null}`,
		`{"id":"c1","tags":["b","a","b"],"customFields":{"n":19.90,"big":12345678901234567890.5,"yes":false,"none":null,"":"é<"}}`,
		`{"id":"c1","customFields":{"list":[1,"x",[null,2e2]],"map":{"a":{"b":[12345678901234567890]}}}}`,
		`{"id":"c1","tags":"vip","customFields":[],"createdAt":""}`, // of undocumented types
	} {
		contact := contactOf(t, document)
		params := contact.Params()
		same(t, document, params.Changes(&contact), (*demeterrr.ContactUpdate)(nil))
		same(t, document, params.CustomFields, contact.CustomFields)
	}
}

func TestParamsShareNothingWithTheContact(t *testing.T) {
	t.Parallel()
	const document = `{"id":"c1","tags":["vip"],"customFields":{"tier":"Gold","list":["a",{"b":"c"}],"map":{"d":["e"]}}}`
	contact := contactOf(t, document)
	params := contact.Params()
	params.Tags[0] = "changed"
	params.CustomFields["list"].([]any)[1].(map[string]any)["b"] = "changed"
	params.CustomFields["list"].([]any)[0] = "changed"
	params.CustomFields["map"].(map[string]any)["d"].([]any)[0] = "changed"
	params.CustomFields["tier"] = "changed"
	same(t, "contact", contact, contactOf(t, document))
}

// Params keeps values that cannot be sent. Validate rejects them.
func TestParamsOfAMapThatHoldsItself(t *testing.T) {
	t.Parallel()
	loop := map[string]any{}
	loop["self"] = loop
	params := demeterrr.Contact{Email: email, FirstName: "John", CustomFields: map[string]any{"loop": loop}}.Params()
	wantIs(t, params.Validate(), demeterrr.ErrValidation)
}

func TestExecuteContactIsWhatExecuteSends(t *testing.T) {
	t.Parallel()
	same(t, "contact", contactOf(t, johnJSON).ExecuteContact(), demeterrr.ExecuteContact{
		Email: "john.doe@example.com", FirstName: "John", LastName: "Doe", Phone: "+15551234567",
	})
}
