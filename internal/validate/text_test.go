package validate_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// bad is invalid UTF-8, and mark replaces it in an encoder.
const bad, mark = "\xff", "\uFFFD"

type named string

// The types below encode themselves, each in its own way.
type (
	reencodes struct{ text string } // the usual way: by encoding something else
	spells    string                // invalid UTF-8 in JSON
	says      string                // the same, as a text
	hides     struct{ Hash string } // its content differs from its JSON
	byPointer struct{ text string }
	keyed     string // a key; only some releases use its method
)

func (r reencodes) MarshalJSON() ([]byte, error)  { return json.Marshal(r.text) }
func (s spells) MarshalJSON() ([]byte, error)     { return []byte(`"` + s + `"`), nil }
func (s says) MarshalText() ([]byte, error)       { return []byte(s), nil }
func (h hides) MarshalJSON() ([]byte, error)      { return []byte(`"hidden"`), nil }
func (p *byPointer) MarshalJSON() ([]byte, error) { return json.Marshal(p.text) }
func (k keyed) MarshalText() ([]byte, error)      { return []byte("k" + k), nil }

type embedded struct{ Name string }

// A parent and its child hold each other: only their own method can encode
// them.
type parent struct {
	name  string
	child *parent
}

func (p *parent) MarshalJSON() ([]byte, error) { return json.Marshal(p.name) }

func family(name string) *parent {
	p := &parent{name, &parent{name: "child"}}
	p.child.child = p
	return p
}

func TestTextThatIsUTF8IsAccepted(t *testing.T) {
	t.Parallel()
	for _, good := range []any{
		nil, "", "é" + mark + "😀", 1, 1.5, true,
		[]string{"a"},
		[]any{"a", nil, 1},
		map[string]any{"a": map[string]any{"b": "c"}},
		json.RawMessage(`"\ufffd"`), json.RawMessage(`"` + mark + `"`),
		struct{ R json.RawMessage }{json.RawMessage(`"\uFFFD"`)},
		named("é"), named(mark),
		map[string]string{"a": mark},
		map[named]int{mark: 1},
		map[says]int{mark: 1},
		[]string(nil), (*byPointer)(nil),
		[]*parent{nil},
		(*embedded)(nil),
		struct{ A []string }{[]string{`\ufffd`, `\\ufffd`}},
		reencodes{mark},
		spells(mark), says(mark), &byPointer{mark}, family(mark),
		// Fields that are not encoded may hold anything, also beside the
		// replacement character.
		struct {
			Name    string
			Ignored string `json:"-"`
			hidden  string
			Photo   []byte
			Hash    hides
		}{mark, bad, bad, []byte(bad), hides{bad}},
		math.NaN(), make(chan int), func() {}, // for the encoder to refuse
	} {
		if err := validate.Text(good); err != nil {
			t.Errorf("%T %#v: %v", good, good, err)
		}
	}
}

func TestTextThatIsNotUTF8IsRefusedInEveryType(t *testing.T) {
	t.Parallel()
	self := map[string]any{}
	self["self"], self["again"] = self, self
	text, anything := bad, any(bad)
	var ring any
	ring = &ring
	for _, v := range []any{
		bad,
		[]string{"a", bad},
		[]any{bad},
		map[string]any{bad: 1},
		map[string]any{"a": []any{map[string]any{"b": bad}}},
		json.RawMessage(`"` + bad + `"`), named(bad), &text, &anything,
		map[string]string{"a": bad},
		map[named]int{bad: 1},
		map[says]int{bad: 1},
		[]named{bad},
		[1]string{bad},
		&[]string{bad},
		struct{ A any }{map[string]any{"a": bad}},
		struct{ R json.RawMessage }{json.RawMessage(`"` + bad + `"`)},
		struct{ embedded }{embedded{bad}},
		struct{ *embedded }{&embedded{bad}},
		struct {
			A string `json:",string"`
		}{bad},
		[]string{`\` + bad},
		reencodes{bad},
		[]any{reencodes{bad}},
		struct{ A any }{reencodes{bad}},
		spells(bad), says(bad),
		[]says{bad},
		&byPointer{bad},
		[]byPointer{{bad}},
		family(bad),
		map[string]*parent{"a": family(bad)},
		self, ring,
		[]any{ring},
		map[string]any{"a": ring},
	} {
		if err := validate.Text(v); err == nil {
			t.Errorf("%T was accepted", v)
		}
	}
}

// Go 1.26 replaces the bytes of this key, Go 1.27 calls its method.
func TestAKeyIsNeverAltered(t *testing.T) {
	t.Parallel()
	v := map[keyed]int{bad: 1}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var sent map[string]int
	if err := json.Unmarshal(encoded, &sent); err != nil {
		t.Fatal(err)
	}
	if _, altered := sent[mark]; altered && validate.Text(v) == nil {
		t.Errorf("%s was accepted", encoded)
	}
}
