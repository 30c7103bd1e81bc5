package validate

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/ascii"
)

var errNotUTF8 = errors.New("a text is not valid UTF-8; convert it first")

var errTooDeep = errors.New("lists, maps and pointers are nested deeper than 100 levels; does one hold itself?")

// maxDepth is the deepest nesting of lists and maps, the same as in a reply. It
// also ends the search in a map that contains itself.
const maxDepth = 100

// Text rejects a v with a string of invalid UTF-8. JSON cannot carry other
// bytes: the encoder would replace them silently.
func Text(v any) error { return text(v, 0) }

func text(v any, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	ok := true
	switch v := v.(type) {
	case nil, bool, int, float64:
	case string:
		ok = utf8.ValidString(v)
	case []string:
		ok = !slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) })
	case []any:
		for _, e := range v {
			if err := text(e, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, e := range v {
			if err := cmp.Or(text(key, depth), text(e, depth+1)); err != nil {
				return err
			}
		}
	default:
		if endless(reflect.ValueOf(v)) {
			return errTooDeep
		}
		ok = !altered(v)
	}
	if !ok {
		return errNotUTF8
	}
	return nil
}

// endless reports whether v is a pointer to a pointer, and so on without end.
// On Go 1.27 encoding/json follows it until the stack overflows.
func endless(v reflect.Value) bool {
	for range maxDepth {
		if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			return false
		}
		v = v.Elem()
	}
	return true
}

// Texts is Text for strings only, at less cost.
func Texts(texts []string) error {
	for _, s := range texts {
		if !ascii.KindOf(s).ASCII && !utf8.ValidString(s) {
			return errNotUTF8
		}
	}
	return nil
}

// altered reports whether encoding v changes a text in it. encoding/json
// replaces bytes of invalid UTF-8 with U+FFFD, as it documents. Output without
// that character is faithful. Otherwise, broken decides whether the character
// is the caller's own.
func altered(v any) bool {
	encoded, err := json.Marshal(v)
	switch {
	case err != nil:
		return false // the encoder reports it when the request is made
	case !utf8.Valid(encoded):
		return true
	}
	return replacement.Match(encoded) && search{}.broken(reflect.ValueOf(v), false)
}

// replacement matches U+FFFD in JSON, in each of its spellings.
var replacement = regexp.MustCompile("\uFFFD|" + `(?i:\\ufffd)`)

// search holds the pointers, maps and slices already searched, so that it ends
// in a value that contains itself.
type search map[place]bool

type place struct {
	kind    reflect.Type
	address uintptr
	length  int
}

func (s search) entered(v reflect.Value) bool {
	p := place{kind: v.Type(), address: v.Pointer()}
	if v.Kind() == reflect.Slice {
		p.length = v.Len()
	}
	seen := s[p]
	s[p] = true
	return seen
}

// broken reports whether v has a text of invalid UTF-8 among the parts that
// encoding/json encodes. inside is true in a value with its own encoding, which
// can use any part.
func (s search) broken(v reflect.Value, inside bool) bool {
	if !inside && v.IsValid() && v.CanInterface() {
		switch encoded, own := encodedByItself(v); {
		case own && !utf8.Valid(encoded):
			return true
		case own && !replacement.Match(encoded):
			return false
		case own:
			inside = true
		}
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Interface:
		return s.broken(v.Elem(), inside)
	case reflect.Pointer:
		return !s.entered(v) && s.broken(v.Elem(), inside)
	case reflect.Struct:
		return s.brokenField(v, inside)
	case reflect.Map:
		return s.brokenEntry(v, inside)
	case reflect.Slice:
		if inside && v.Type().Elem().Kind() == reflect.Uint8 {
			return !utf8.Valid(v.Bytes())
		}
		return !s.entered(v) && s.brokenElement(v, inside)
	case reflect.Array:
		return s.brokenElement(v, inside)
	default:
		return false
	}
}

func (s search) brokenField(v reflect.Value, inside bool) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		encoded := (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-"
		if (encoded || inside) && s.broken(v.Field(i), inside) {
			return true
		}
	}
	return false
}

func (s search) brokenEntry(v reflect.Value, inside bool) bool {
	if !v.CanInterface() || s.entered(v) {
		return false // an unexported map may be another goroutine's: reading it could crash
	}
	for key, e := range v.Seq2() {
		// A string key is used unchanged, whatever its methods.
		if s.broken(key, inside || key.Kind() == reflect.String) || s.broken(e, inside) {
			return true
		}
	}
	return false
}

func (s search) brokenElement(v reflect.Value, inside bool) bool {
	for i := range v.Len() {
		if s.broken(v.Index(i), inside) {
			return true
		}
	}
	return false
}

// encodedByItself returns the encoding of v by its own method, if v has one.
func encodedByItself(v reflect.Value) (encoded []byte, own bool) {
	switch {
	case v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil():
		return nil, false
	case v.Kind() != reflect.Pointer && v.CanAddr():
		v = v.Addr()
	}
	if _, own := v.Type().MethodByName("MarshalJSONTo"); own { // a method of encoding/json/v2, missing in Go 1.26
		encoded, err := json.Marshal(v.Interface())
		return encoded, err == nil
	}
	var err error
	switch m := v.Interface().(type) {
	case json.Marshaler:
		encoded, err = m.MarshalJSON()
	case encoding.TextAppender:
		encoded, err = m.AppendText(nil)
	case encoding.TextMarshaler:
		encoded, err = m.MarshalText()
	default:
		return nil, false
	}
	return encoded, err == nil
}
