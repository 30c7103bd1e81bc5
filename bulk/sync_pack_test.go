package bulk

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// filled returns a contact with a value in every field, future fields included.
func filled(t *testing.T) demeterrr.ContactParams {
	t.Helper()
	var c demeterrr.ContactParams
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("text é\x00 ", i))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]any{"a": "x", "b\n": `"\`, "": 1.5}))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"b", "", "a"}))
		default:
			t.Fatalf("pack knows no %s", f.Kind())
		}
	}
	return c
}

func TestAPackedContactIsWhole(t *testing.T) {
	t.Parallel()
	var p packer
	var a arena
	var at []int64
	contacts := []demeterrr.ContactParams{
		filled(t),
		{},
		{Email: "a@x.com", CustomFields: map[string]any{}, Tags: []string{}},
		{Email: strings.Repeat("x", 3<<20)},
		{LastName: "\xff", CustomFields: map[string]any{"n": nil, "l": []any{"a", 1.0}, "m": map[string]any{"k": true}, "big": json.Number("123456789012345678901234567890")}},
		filled(t),
	}
	for i := range contacts {
		packed, err := p.pack(&contacts[i])
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, a.add(packed.bytes))
	}
	for i := range contacts {
		got, packed := unpack(a.at(at[i]))
		if diff := cmp.Diff(contacts[i], got); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
		again, err := p.pack(&got)
		if err != nil || string(again.bytes) != string(packed.bytes) || again.email != packed.email || again.content != packed.content || again.tagEnd != packed.tagEnd {
			t.Errorf("%d: packed again it is another (%v)", i, err)
		}
		if email := unpackEmail(a.at(at[i])); email != contacts[i].Email {
			t.Errorf("%d: email %q", i, email)
		}
	}
}

// Packing keeps the JSON form of a value, and refuses a value that JSON cannot
// encode.
func TestCustomFieldsArePackedAsJSON(t *testing.T) {
	t.Parallel()
	var p packer
	deep := json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200))
	for _, value := range []any{7, int64(math.MaxInt64), 1e21, time.Unix(0, 0).UTC(), json.RawMessage(`{"a" : 1}`), struct{ A string }{"<&>"}, deep} {
		packed, err := p.pack(&demeterrr.ContactParams{CustomFields: map[string]any{"f": value}})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := unpack(packed.bytes)
		want, _ := json.Marshal(map[string]any{"f": value})
		have, err := json.Marshal(got.CustomFields)
		if diff := cmp.Diff(string(want), string(have)); diff != "" || err != nil {
			t.Errorf("%T (-want +got): %v\n%s", value, err, diff)
		}
	}
	for _, value := range []any{func() {}, math.NaN(), "\xff", []string{"\xff"}} {
		if _, err := p.pack(&demeterrr.ContactParams{CustomFields: map[string]any{"f": value}}); err == nil {
			t.Errorf("%T was packed", value)
		}
	}
}

// Two contacts have the same fingerprint if the same update would be sent for
// both.
func TestAFingerprintCoversWhatAnUpdateSends(t *testing.T) {
	t.Parallel()
	print := func(change func(*demeterrr.ContactParams)) SyncFingerprint {
		var p packer
		c := filled(t)
		change(&c)
		packed, err := p.pack(&c)
		if err != nil {
			t.Fatal(err)
		}
		return packed.fingerprint()
	}
	base := print(func(*demeterrr.ContactParams) {})
	if base[0] != fingerprintVersion {
		t.Errorf("version %d", base[0])
	}
	for name, tt := range map[string]struct {
		change     func(*demeterrr.ContactParams)
		same, tags bool
	}{
		"email":          {func(c *demeterrr.ContactParams) { c.Email = "X" }, true, true},
		"location":       {func(c *demeterrr.ContactParams) { c.LocationID = "X" }, true, true},
		"organization":   {func(c *demeterrr.ContactParams) { c.ContactOrganizationID = "X" }, true, true},
		"order of tags":  {func(c *demeterrr.ContactParams) { c.Tags = []string{"a", "b", "", "a"} }, true, true},
		"first name":     {func(c *demeterrr.ContactParams) { c.FirstName = "X" }, false, true},
		"last name":      {func(c *demeterrr.ContactParams) { c.LastName = "" }, false, true},
		"phone":          {func(c *demeterrr.ContactParams) { c.Phone = "X" }, false, true},
		"swapped":        {func(c *demeterrr.ContactParams) { c.Phone, c.Title = c.Title, c.Phone }, false, true},
		"language":       {func(c *demeterrr.ContactParams) { c.PreferredLanguage = "X" }, false, true},
		"a custom field": {func(c *demeterrr.ContactParams) { c.CustomFields["a"] = "y" }, false, true},
		"none of it":     {func(c *demeterrr.ContactParams) { delete(c.CustomFields, "a") }, false, true},
		"a tag":          {func(c *demeterrr.ContactParams) { c.Tags = []string{"b", "", "c"} }, false, false},
		"no tags":        {func(c *demeterrr.ContactParams) { c.Tags = []string{} }, false, false},
		"nil tags":       {func(c *demeterrr.ContactParams) { c.Tags = nil }, false, false},
	} {
		got := print(tt.change)
		if got == base != tt.same || got.sameTags(&base) != tt.tags {
			t.Errorf("%s: same %t, want %t; tags %t, want %t", name, got == base, tt.same, got.sameTags(&base), tt.tags)
		}
	}
	if a, b := print(func(c *demeterrr.ContactParams) { c.Tags = []string{} }), print(func(c *demeterrr.ContactParams) { c.Tags = nil }); a == b {
		t.Error("no tags are nil tags")
	}
}
