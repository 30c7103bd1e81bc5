package contract

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// The ids of the documented samples.
const (
	johnID   = "550e8400-e29b-41d4-a716-446655440000"
	surveyID = "880e8400-e29b-41d4-a716-446655440000"
)

// operations are the SDK's methods by the operationId of their endpoint. Their
// results have the shape of the reply's body.
var operations = map[string]func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) (any, error){
	"listContacts": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		page, err := c.Contacts.List(ctx, &demeterrr.ContactListParams{Page: 1, Limit: 50}, opts...)
		return pageBody(page), err
	},
	"createContact": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		contact, err := c.Contacts.Create(ctx, jane(), opts...)
		return map[string]any{"data": contact}, err
	},
	"getContact": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		contact, err := c.Contacts.Get(ctx, johnID, opts...)
		return map[string]any{"data": contact}, err
	},
	"updateContact": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		contact, err := c.Contacts.Update(ctx, johnID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("Doe-Smith")}, opts...)
		return map[string]any{"data": contact}, err
	},
	"deleteContact": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		return nil, c.Contacts.Delete(ctx, johnID, opts...)
	},
	"listSequences": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		page, err := c.Sequences.List(ctx, &demeterrr.SequenceListParams{Page: 1, Limit: 50}, opts...)
		return pageBody(page), err
	},
	"getSequence": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		sequence, err := c.Sequences.Get(ctx, surveyID, opts...)
		return map[string]any{"data": sequence}, err
	},
	"executeSequence": func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) (any, error) {
		execution, err := c.Sequences.Execute(ctx, surveyID, customers(), opts...)
		return map[string]any{"data": execution}, err
	},
}

func pageBody[T any](page *demeterrr.Page[T]) any {
	if page == nil {
		return nil
	}
	meta := map[string]int{"page": page.Page, "perPage": page.PerPage, "total": page.Total, "totalPages": page.TotalPages}
	return map[string]any{"data": page.Items, "meta": meta}
}

// john returns the sample of the contract's section 5; jane and customers
// return the inputs of section 10.
func john() demeterrr.Contact {
	return demeterrr.Contact{
		ID: johnID, Email: "john.doe@example.com", FirstName: "John", LastName: "Doe", Phone: "+15551234567", Title: "Mr.",
		PreferredLanguage: demeterrr.LanguageEnglish, LocationID: "660e8400-e29b-41d4-a716-446655440000",
		CustomFields: map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold"}, Tags: []string{"vip", "frequent-customer"},
		CreatedAt: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC), UpdatedAt: time.Date(2026, 2, 10, 14, 20, 0, 0, time.UTC),
	}
}

func jane() *demeterrr.ContactParams {
	return &demeterrr.ContactParams{
		Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543",
		PreferredLanguage: demeterrr.LanguageEnglish, Tags: []string{"new-customer"},
	}
}

func customers() *demeterrr.ExecuteParams {
	return &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{
			{Email: "customer1@example.com", FirstName: "Alice", LastName: "Johnson", Phone: "+15551234567"},
			{Email: "customer2@example.com", FirstName: "Bob", LastName: "Williams", Phone: "+15559876543"},
		},
		LocationID: "660e8400-e29b-41d4-a716-446655440000", EmployeeID: "770e8400-e29b-41d4-a716-446655440000",
	}
}

func survey() demeterrr.Sequence {
	return demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey", Status: demeterrr.SequenceActive}
}

// sentinels are the errors that errors.Is finds for each documented code.
var sentinels = map[demeterrr.Code]error{
	demeterrr.CodeMissingAPIKey:           demeterrr.ErrMissingAPIKey,
	demeterrr.CodeInvalidAPIKeyFormat:     demeterrr.ErrInvalidAPIKeyFormat,
	demeterrr.CodeInvalidAPIKey:           demeterrr.ErrInvalidAPIKey,
	demeterrr.CodeExpiredAPIKey:           demeterrr.ErrExpiredAPIKey,
	demeterrr.CodeInsufficientPermissions: demeterrr.ErrInsufficientPermissions,
	demeterrr.CodeValidation:              demeterrr.ErrValidation,
	demeterrr.CodeSequenceInactive:        demeterrr.ErrSequenceInactive,
	demeterrr.CodeNotFound:                demeterrr.ErrNotFound,
	demeterrr.CodeContactExists:           demeterrr.ErrContactExists,
	demeterrr.CodeRateLimited:             demeterrr.ErrRateLimited,
	demeterrr.CodeInternal:                demeterrr.ErrInternal,
}

// asError returns err as an *Error, the type that every failed call returns.
func asError(t *testing.T, err error) *demeterrr.Error {
	t.Helper()
	var got *demeterrr.Error
	if !errors.As(err, &got) {
		t.Fatalf("%v is no *demeterrr.Error", err)
	}
	return got
}

// isError checks that err matches the documented error of this code, and only
// that.
func isError(t *testing.T, err error, status int, code demeterrr.Code) {
	t.Helper()
	if got := asError(t, err); got.StatusCode != status || got.Code != code {
		t.Fatalf("%v; want %d %s", err, status, code)
	}
	for other, sentinel := range sentinels {
		if errors.Is(err, sentinel) != (other == code) {
			t.Errorf("%s: errors.Is(err, %v) is %t", code, sentinel, other != code)
		}
	}
}

// isErrorBody checks that the client has kept the whole body of an error.
func isErrorBody(t *testing.T, got *demeterrr.Error, body any) {
	t.Helper()
	want := body.(map[string]any)["error"].(map[string]any)
	have := map[string]any{"code": got.Code, "message": got.Message}
	if got.Details != nil {
		have["details"] = got.Details
	}
	if got.RequiredScope != "" {
		have["requiredScope"] = got.RequiredScope
	}
	if diff := cmp.Diff(want, asJSON(t, have)); diff != "" {
		t.Errorf("error (-file +client):\n%s", diff)
	}
}

// isBody checks that the client has kept and known every non-null member of a
// reply.
func isBody(t *testing.T, want, got any) {
	t.Helper()
	forgetExtra(reflect.ValueOf(got))
	if diff := cmp.Diff(kept(want, want), kept(want, asJSON(t, got))); diff != "" {
		t.Errorf("reply (-file +client):\n%s", diff)
	}
}

// forgetExtra removes the unknown members that the client has kept.
func forgetExtra(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		forgetExtra(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			forgetExtra(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			forgetExtra(v.MapIndex(key))
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if field.Name == "Extra" {
				value.SetZero()
			} else if field.IsExported() {
				forgetExtra(value)
			}
		}
	default: // the others hold nothing
	}
}

// kept returns the part of got with the non-null members of want.
func kept(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		for name, value := range want {
			if member, ok := object[name]; ok && value != nil {
				out[name] = kept(value, member)
			}
		}
		return out
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return got
		}
		out := make([]any, len(want))
		for i := range want {
			out[i] = kept(want[i], list[i])
		}
		return out
	}
	return got
}

// codeOf returns the code in the name of an error's example; empty for a
// success.
func codeOf(r documentedReply) demeterrr.Code {
	if r.status < 300 || strings.ToUpper(r.name) != r.name {
		return ""
	}
	return demeterrr.Code(r.name)
}
