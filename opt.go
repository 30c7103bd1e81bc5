package demeterrr

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Opt is a field of an update: unset, set, or null. The zero value is unset and
// is left out, so the API keeps its value.
//
//	demeterrr.ContactUpdate{
//		LastName: demeterrr.Set("Doe-Smith"), // change it
//		Title:    demeterrr.Null[string](),   // clear it
//	} // everything else stays
type Opt[T any] struct {
	value T
	state optState
}

type optState uint8

const (
	optUnset optState = iota
	optSet
	optNull
)

// Set returns an Opt that sends v, also if v is empty: Set("") sends "", and
// Set[[]string](nil) sends [].
func Set[T any](v T) Opt[T] { return Opt[T]{value: v, state: optSet} }

// Null returns an Opt that sends null, the usual way to clear a field. The API
// does not document the effect of null for every field.
func Null[T any]() Opt[T] { return Opt[T]{state: optNull} }

// Get returns the value to send. ok is false if the Opt is unset or null.
func (o Opt[T]) Get() (v T, ok bool) { return o.value, o.state == optSet }

// IsNull reports whether the Opt sends null.
func (o Opt[T]) IsNull() bool { return o.state == optNull }

// IsZero reports whether the Opt is unset. The option omitzero of encoding/json
// calls it.
func (o Opt[T]) IsZero() bool { return o.state == optUnset }

// MarshalJSON writes the value, or null. A nil slice or map that was set
// becomes [] or {}; only Null sends null. Text that is not UTF-8 is an error.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.state != optSet {
		return []byte("null"), nil
	}
	switch v := reflect.ValueOf(o.value); {
	case v.Kind() == reflect.Slice && v.IsNil():
		return []byte("[]"), nil
	case v.Kind() == reflect.Map && v.IsNil():
		return []byte("{}"), nil
	}
	if err := validate.Text(o.value); err != nil {
		return nil, err
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads the output of MarshalJSON. A null makes the Opt null, and
// any other value sets it. An absent member leaves it unset.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*o = Null[T]()
		return nil
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*o = Set(v)
	return nil
}
