package demeterrr

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Opt is a field of an update that may be left alone, set, or cleared. Its zero
// value is not sent, so that the API keeps what it has.
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

// Set returns an Opt that sends v, also when v is empty: Set("") sends "", and
// Set[[]string](nil) sends [].
func Set[T any](v T) Opt[T] { return Opt[T]{value: v, state: optSet} }

// Null returns an Opt that sends null. What the API does with a null is not
// documented for every field; it is the usual way to clear one.
func Null[T any]() Opt[T] { return Opt[T]{state: optNull} }

// Get returns the value to be sent; ok is false if there is none, because the
// Opt is unset or null.
func (o Opt[T]) Get() (v T, ok bool) { return o.value, o.state == optSet }

// IsNull reports whether the Opt sends null.
func (o Opt[T]) IsNull() bool { return o.state == optNull }

// IsZero reports whether the Opt is unset, which is what encoding/json's
// omitzero asks.
func (o Opt[T]) IsZero() bool { return o.state == optUnset }

// MarshalJSON writes the value, or null. A nil slice or map that was set is
// written as [] or {}: only Null sends null. Text that is not UTF-8 is an error.
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

// UnmarshalJSON reads what MarshalJSON writes: null makes the Opt null,
// anything else sets it. A member that is absent leaves it unset.
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
