// Package jsonread reads a JSON document in one pass, each value as the type
// that the caller asks for. The strings of one object share one allocation.
//
// A decoder is straight-line code without error checks. The first error sticks:
// it ends every loop, every later read returns a zero value, and [Reader.End]
// returns the error. To tolerate a member of another type, a decoder goes back
// to it with [Reader.Rewind].
//
//	r := jsonread.New(body)
//	for r.Record(); r.Member(); {
//		switch string(r.Key()) {
//		case "email":
//			c.Email = r.Text()
//		default:
//			r.Skip()
//		}
//	}
//	return r.End()
//
// The grammar is RFC 8259 as encoding/json reads it. Skipped values are checked
// too. A null reads as the zero value of the requested type. Only
// [Reader.Object], [Reader.Record] and [Reader.Array] reject it. A failed read
// returns the zero value too. Returned values are copies of the document; only
// [Reader.Key] and [Reader.Since] alias it.
package jsonread

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

// MaxDepth is the deepest nesting of arrays and objects.
const MaxDepth = 100

// Error says why a document was rejected. It never quotes the document, which
// may hold personal data.
type Error struct {
	Message string
	Offset  int // in bytes from the start of the document; its length if the document ended too early
}

// Error returns the message and the offset in one line.
func (e *Error) Error() string { return e.Message + " at byte " + strconv.Itoa(e.Offset) }

// Reader reads one document from start to end. Do not copy it after its first
// use.
type Reader struct {
	data  []byte // the document; nil after an error
	pos   int
	depth int
	first bool // the innermost array or object has just been opened, so no comma is due
	key   []byte
	err   *Error

	unescaped []byte // reused by strings with escapes
	keyBuffer []byte // the same for keys, which outlive the reading of their value
	arena     arena

	whole []byte // the document, also after an error
	name  int    // the start of the member that Member read last
}

// New returns a Reader at the start of data. data is one whole document, and
// must stay unchanged until the reading ends.
func New(data []byte) Reader {
	return Reader{whole: data, data: data, arena: arena{size: min(firstChunk, len(data))}}
}

// Err returns the first error so far, an [*Error], or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// End checks that only white space is left, and returns the first error of the
// whole reading.
func (r *Reader) End() error {
	r.peek()
	if r.pos < len(r.data) {
		r.fail(r.pos, "unexpected data after the end of the JSON document")
	}
	return r.Err()
}

// Object opens an object. Loop over its members with [Reader.Member]; the body
// of the loop reads or skips exactly one value.
func (r *Reader) Object() { r.open('{', "an object") }

// Record opens an object that the caller may keep while others are dropped. Its
// strings share memory with one another only.
func (r *Reader) Record() {
	r.arena.next()
	r.Object()
}

// Array opens an array. Loop over its elements with [Reader.Element]; the body
// of the loop reads or skips exactly one value.
func (r *Reader) Array() { r.open('[', "an array") }

func (r *Reader) open(bracket byte, want string) {
	switch {
	case r.peek() != bracket:
		r.unexpected(want)
	case r.depth == MaxDepth:
		r.fail(r.pos, "arrays and objects nested deeper than "+strconv.Itoa(MaxDepth)+" levels")
	default:
		r.pos++
		r.depth++
		r.first = true
	}
}

// Member moves to the next member of the innermost object and reads its key. At
// the end of the object it closes the object and returns false. It also returns
// false after an error.
func (r *Reader) Member() bool {
	quote := r.pos
	if !r.first {
		quote++ // after the comma
	}
	if quote >= len(r.data) || r.data[quote] != '"' || !r.first && r.data[quote-1] != ',' {
		return r.member()
	}
	end := jsontext.SkipPlain(r.data, quote+1)
	if end+1 >= len(r.data) || r.data[end] != '"' || r.data[end+1] != ':' {
		return r.member()
	}
	r.name, r.key = quote, r.data[quote+1:end]
	r.pos, r.first = end+2, false
	return true
}

// Element moves to the next element of the innermost array. At the end of the
// array it closes the array and returns false. It also returns false after an
// error.
func (r *Reader) Element() bool { return r.more(']', "a comma or the end of the array") }

func (r *Reader) more(bracket byte, want string) bool {
	first := r.first
	r.first = false
	switch c := r.peek(); {
	case c == bracket:
		r.pos++
		r.depth--
		return false
	case first:
		return true
	case c == ',':
		r.pos++
		return true
	}
	r.unexpected(want)
	return false
}

// Key returns the key that Member read last. It may alias the document, and is
// valid until the next call of Member. In `switch string(r.Key())` it allocates
// nothing.
func (r *Reader) Key() []byte { return r.key }

// KeyText returns a copy of the key that Member read last. Keep it like the
// result of Text.
func (r *Reader) KeyText() string { return r.arena.keep(r.key) }

// Left returns the number of bytes left to read. It helps to guess the number
// of remaining elements.
func (r *Reader) Left() int { return len(r.data) - r.pos }

// Kind returns the kind of the next value without reading it: '{', '[', '"',
// '0' for any number, 't' for either boolean, 'n' for null; 0 without a value.
func (r *Reader) Kind() byte {
	switch c := r.peek(); c {
	case '{', '[', '"', 't', 'n':
		return c
	case 'f':
		return 't'
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	}
	return 0
}

// Null reads the next value if it is a null, and reports whether it was.
func (r *Reader) Null() bool {
	return r.peek() == 'n' && r.literal("null")
}

// Text reads a string. Invalid UTF-8 and lone surrogates become U+FFFD.
func (r *Reader) Text() string {
	if r.peek() != '"' {
		r.orNull("a string")
		return ""
	}
	start := r.pos + 1
	end := jsontext.SkipPlain(r.data, start)
	if end < len(r.data) && r.data[end] == '"' { // nearly always
		r.pos = end + 1
		return r.arena.keep(r.data[start:end])
	}
	raw, plain := r.special(start, end)
	if !plain {
		r.unescaped = unescape(r.unescaped[:0], raw)
		raw = r.unescaped
	}
	return r.arena.keep(raw)
}

// Strings reads an array of strings: nil for null, empty and non-nil for an
// empty array.
func (r *Reader) Strings() []string {
	if r.Null() {
		return nil
	}
	var few [8]string // most lists are short: gathered on the stack, then copied to their exact size
	list := few[:0]
	for r.Array(); r.Element(); {
		list = append(list, r.Text())
	}
	if r.err != nil {
		return nil
	}
	exact := make([]string, len(list))
	copy(exact, list)
	return exact
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	switch r.peek() {
	case 't':
		return r.literal("true")
	case 'f':
		r.literal("false")
	default:
		r.orNull("a boolean")
	}
	return false
}

// Int reads a number written as an integer. It rejects 5.0, 1e2 and an
// overflow.
func (r *Reader) Int() int {
	if r.Kind() != '0' {
		r.orNull("an integer")
		return 0
	}
	start := r.pos
	digits := r.number()
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(digits), 10, strconv.IntSize)
	if err != nil {
		r.fail(start, "expected an integer that fits in "+strconv.Itoa(strconv.IntSize)+" bits, found another number")
		return 0
	}
	return int(n)
}

// Number reads a number: a float64, or a [json.Number] if a float64 cannot hold
// it.
func (r *Reader) Number() any {
	if r.Kind() != '0' {
		r.orNull("a number")
		return 0.0
	}
	digits := r.number()
	if r.err != nil {
		return 0.0
	}
	if f, ok := jsontext.Float64(string(digits)); ok {
		return f
	}
	return json.Number(digits)
}

// Time reads a string with an RFC 3339 time, as [time.Time.UnmarshalJSON]
// accepts it.
func (r *Reader) Time() time.Time {
	var t time.Time
	if r.peek() != '"' {
		r.orNull("a time")
		return t
	}
	start := r.pos
	text, _ := r.quoted()
	if t, ok := apiTime(text); ok {
		return t
	}
	if r.err == nil && t.UnmarshalJSON(r.Since(start)) != nil {
		r.fail(start, "expected an RFC 3339 time, found another string") // the cause would quote it
		return time.Time{}
	}
	return t
}

// Any reads any value as encoding/json decodes into an empty interface. Numbers
// are the exception: see [Reader.Number].
func (r *Reader) Any() any {
	switch r.Kind() {
	case '{':
		if m := r.Map(); m != nil {
			return m
		}
	case '[':
		list := []any{}
		for r.Array(); r.Element(); {
			list = append(list, r.Any())
		}
		if r.err == nil {
			return list
		}
	case '"':
		return r.Text()
	case '0':
		return r.Number()
	case 't':
		return r.Bool()
	}
	r.orNull("a value")
	return nil
}

// Map reads an object with values like Any. Of equal keys the last one wins.
// Map is nil for null, empty and non-nil for an empty object.
func (r *Reader) Map() map[string]any {
	if r.Null() {
		return nil
	}
	m := map[string]any{}
	for r.Object(); r.Member(); {
		key := r.KeyText()
		m[key] = r.Any()
	}
	if r.err != nil {
		return nil
	}
	return m
}

// Mark returns the start of the next value, for Since.
func (r *Reader) Mark() int {
	r.peek()
	return r.pos
}

// Since returns the part of the document read since mark; nil after an error.
// It aliases the document.
func (r *Reader) Since(mark int) []byte {
	if r.err != nil {
		return nil
	}
	return r.data[mark:r.pos]
}

// Place is a member in the document.
type Place struct{ name, depth int }

// Place returns the member that Member has just moved to, for Rewind.
func (r *Reader) Place() Place { return Place{r.name, r.depth} }

// Rewind goes back to the member at p, and drops an error found since. Its key
// is read, and its value can be read once more, for example with [Reader.Raw].
// Raw fails again after an error of grammar.
func (r *Reader) Rewind(p Place) {
	r.data, r.err = r.whole, nil
	r.pos, r.depth, r.first = p.name, p.depth, true // no comma is due
	r.Member()
}

// Raw reads any value, also null, and returns a copy of its bytes.
func (r *Reader) Raw() []byte {
	start := r.Mark()
	r.Skip()
	return bytes.Clone(r.Since(start))
}

// Skip reads any value and checks only its grammar.
func (r *Reader) Skip() {
	switch r.Kind() {
	case '{':
		for r.Object(); r.Member(); {
			r.Skip()
		}
	case '[':
		for r.Array(); r.Element(); {
			r.Skip()
		}
	case '"':
		r.quoted()
	case '0':
		r.number()
	case 't':
		r.Bool()
	default:
		r.orNull("a value")
	}
}
