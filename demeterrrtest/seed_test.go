package demeterrrtest

import (
	"strings"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

func TestSeedTakesWhatTheAPIShows(t *testing.T) {
	t.Parallel()
	s, want := NewServer(), NewServer()
	want.AddContact(john())
	want.AddContact(demeterrr.Contact{Phone: "+1", CreatedAt: time.Unix(0, 0)})
	err := s.Seed(strings.NewReader(`{"contacts":[` + johnJSON + `,{"phone":"+1","createdAt":"1970-01-01T01:00:00+01:00"}],"sequences":[{"name":"S","status":"draft"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Contacts(), s.Contacts()); diff != "" {
		t.Error(diff)
	}
	if got := send(t, s, "GET", "/sequences/"+newID(sequenceIDs, 1), "").data(t); got["name"] != "S" || got["status"] != "draft" {
		t.Errorf("%v", got)
	}
}

func TestSeedSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for seed, want := range map[string]string{
		``:                                      "EOF",
		`{} {}`:                                 "one JSON object",
		`null`:                                  "one JSON object",
		`{"contacts":[null]}`:                   "contacts[0]: want an object",
		`{"sequences":[{},null]}`:               "sequences[1]: want an object",
		`{"contacts":[{"email":""}]}`:           "contacts[0]: the email is not an address",
		`{"contacts":[{},{"email":"a"}]}`:       "contacts[1]: the email is not an address",
		`{"contact":[]}`:                        `unknown field "contact"`,
		`{"contacts":[{"mail":"x"}]}`:           `unknown field "mail"`,
		`{"contacts":[{"createdAt":"monday"}]}`: "monday",
		`{"contacts":[{"email":"a@example.com"},{"email":"A@example.com"}]}`: "contacts[1]: there is a contact with the email",
		`{"sequences":[{"id":"1"},{"id":"1"}]}`:                              "sequences[1]: there is a sequence with the id 1",
	} {
		if err := NewServer().Seed(strings.NewReader(seed)); err == nil || !strings.HasPrefix(err.Error(), "demeterrrtest: seed: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", seed, err, want)
		}
	}
}
