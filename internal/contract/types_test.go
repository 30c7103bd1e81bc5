package contract

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// properties returns the names in the schema, sorted.
func properties(t *testing.T, schema string) []string {
	t.Helper()
	ref := spec(t).Components.Schemas[schema]
	if ref == nil {
		t.Fatalf("openapi.yaml has no schema %s", schema)
	}
	return slices.Sorted(maps.Keys(ref.Value.Properties))
}

func TestInputTypesHaveTheFieldsOfTheFile(t *testing.T) {
	t.Parallel()
	for schema, input := range map[string]any{
		"ContactCreate":  demeterrr.ContactParams{},
		"ContactUpdate":  demeterrr.ContactUpdate{},
		"Execute":        demeterrr.ExecuteParams{},
		"ExecuteContact": demeterrr.ExecuteContact{},
	} {
		var names []string
		for _, field := range reflect.VisibleFields(reflect.TypeOf(input)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(properties(t, schema), names); diff != "" {
			t.Errorf("%s and %T (-file +type):\n%s", schema, input, diff)
		}
	}
}

// TestReplyTypesHaveTheFieldsOfTheFile fills every field of a type. Its JSON
// has exactly the schema's members, and all of them come back.
func TestReplyTypesHaveTheFieldsOfTheFile(t *testing.T) {
	t.Parallel()
	for schema, reply := range map[string]any{
		"PartialContact":  &demeterrr.Contact{},
		"Sequence":        &demeterrr.Sequence{},
		"Execution":       &demeterrr.Execution{},
		"ExecutionResult": &demeterrr.ExecutionResult{},
	} {
		want := properties(t, schema)
		filled := fill(reflect.ValueOf(reply).Elem())
		if filled != len(want) {
			t.Errorf("%T has %d fields, %s %d members", reply, filled, schema, len(want))
		}
		encoded, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(encoded, &members); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(members))); diff != "" {
			t.Errorf("%s and %T (-file +type):\n%s", schema, reply, diff)
		}
		decoded := reflect.New(reflect.TypeOf(reply).Elem()).Interface()
		if err := json.Unmarshal(encoded, decoded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reply, decoded); diff != "" { // an unknown member is in Extra
			t.Errorf("%T (-encoded +decoded):\n%s", reply, diff)
		}
	}
}

// fill gives every field but Extra a non-zero value, and counts them.
func fill(v reflect.Value) int {
	filled := 0
	for i := range v.NumField() {
		field := v.Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Int:
			field.SetInt(7)
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			if element := field.Index(0); element.Kind() == reflect.Struct {
				fill(element)
			}
		case reflect.Map:
			if v.Type().Field(i).Name == "Extra" {
				continue
			}
			field.Set(reflect.ValueOf(map[string]any{"key": "value"}))
		default:
			field.Set(reflect.ValueOf(time.Date(2026, 1, 15, 10, 30, 0, 123e6, time.UTC)))
		}
		filled++
	}
	return filled
}

// TestEnvelopesHaveTheFieldsOfTheFile checks types without JSON of the API:
// their fields have the members' names.
func TestEnvelopesHaveTheFieldsOfTheFile(t *testing.T) {
	t.Parallel()
	var meta []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[demeterrr.Page[demeterrr.Contact]]()) {
		if field.Name != "Items" {
			meta = append(meta, strings.ToLower(field.Name[:1])+field.Name[1:])
		}
	}
	slices.Sort(meta)
	if diff := cmp.Diff(properties(t, "Meta"), meta); diff != "" {
		t.Errorf("Meta and Page (-file +type):\n%s", diff)
	}
	for _, name := range properties(t, "Error") {
		if _, ok := reflect.TypeFor[demeterrr.Error]().FieldByName(strings.ToUpper(name[:1]) + name[1:]); !ok {
			t.Errorf("demeterrr.Error has no field for %s", name)
		}
	}
}

// TestListsAskForWhatTheFileHas fills every field of the parameters: the query
// has the file's names and no others.
func TestListsAskForWhatTheFileHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, rec := setUp(t)
		client := rec.under(srv)
		contacts, sequences := &demeterrr.ContactListParams{}, &demeterrr.SequenceListParams{}
		fill(reflect.ValueOf(contacts).Elem())
		fill(reflect.ValueOf(sequences).Elem())
		contacts.LocationID, contacts.Email = johnID, "john.doe@example.com"
		if _, err := client.Contacts.List(t.Context(), contacts); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(queryNames(t, "/contacts"), rec.queries); diff != "" {
			t.Errorf("contacts (-file +client):\n%s", diff)
		}
		if _, err := client.Sequences.List(t.Context(), sequences); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(queryNames(t, "/sequences"), rec.queries); diff != "" {
			t.Errorf("sequences (-file +client):\n%s", diff)
		}
	})
}

func queryNames(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	for _, parameter := range spec(t).Paths.Find(path).Get.Parameters {
		if parameter.Value.In == "query" {
			names = append(names, parameter.Value.Name)
		}
	}
	slices.Sort(names)
	return names
}
