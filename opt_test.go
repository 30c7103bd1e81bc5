package demeterrr_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

type optional struct {
	Text demeterrr.Opt[string]         `json:"text,omitzero"`
	List demeterrr.Opt[[]string]       `json:"list,omitzero"`
	Map  demeterrr.Opt[map[string]any] `json:"map,omitzero"`
	Num  demeterrr.Opt[int]            `json:"num,omitzero"`
	Ptr  demeterrr.Opt[*int]           `json:"ptr,omitzero"`
}

var sameOpts = cmp.AllowUnexported(
	demeterrr.Opt[string]{}, demeterrr.Opt[[]string]{}, demeterrr.Opt[map[string]any]{}, demeterrr.Opt[int]{}, demeterrr.Opt[*int]{})

func TestAnOptIsLeftOutNullOrAValue(t *testing.T) {
	t.Parallel()
	for want, have := range map[string]optional{
		`{}`:                                     {},
		`{"text":"","list":[],"map":{},"num":0}`: {Text: demeterrr.Set(""), List: demeterrr.Set([]string{}), Map: demeterrr.Set(map[string]any{}), Num: demeterrr.Set(0)},
		`{"text":"a","list":["b"],"map":{"c":1},"num":-7}`: {Text: demeterrr.Set("a"), List: demeterrr.Set([]string{"b"}), Map: demeterrr.Set(map[string]any{"c": 1.0}), Num: demeterrr.Set(-7)},
		`{"text":null,"list":null,"map":null,"num":null}`:  {Text: demeterrr.Null[string](), List: demeterrr.Null[[]string](), Map: demeterrr.Null[map[string]any](), Num: demeterrr.Null[int]()},
	} {
		got, err := json.Marshal(have)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "written", string(got), want)
		var back optional
		if err := json.Unmarshal([]byte(want), &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(have, back, sameOpts); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	}
	got, err := json.Marshal(optional{List: demeterrr.Set[[]string](nil), Map: demeterrr.Set[map[string]any](nil), Ptr: demeterrr.Set[*int](nil)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a nil set", string(got), `{"list":[],"map":{},"ptr":null}`)
}

func TestAnOptTellsItsState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		opt          demeterrr.Opt[string]
		value        string
		ok, null, no bool
	}{
		{demeterrr.Opt[string]{}, "", false, false, true},
		{demeterrr.Set(""), "", true, false, false},
		{demeterrr.Set("a"), "a", true, false, false},
		{demeterrr.Null[string](), "", false, true, false},
	} {
		value, ok := test.opt.Get()
		same(t, "state", []any{value, ok, test.opt.IsNull(), test.opt.IsZero()}, []any{test.value, test.ok, test.null, test.no})
	}
}

func TestAnOptOfTheWrongTypeIsAnError(t *testing.T) {
	t.Parallel()
	opt := demeterrr.Set(7)
	for _, bad := range []string{`"7"`, `7.5`, `{}`, ``} {
		if err := opt.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if value, _ := opt.Get(); value != 7 {
		t.Errorf("a failed reading changed the value to %d", value)
	}
	if _, err := json.Marshal(demeterrr.Set(make(chan int))); err == nil {
		t.Error("a channel was written")
	}
	for _, bad := range []json.Marshaler{demeterrr.Set("\xff"), demeterrr.Set([]string{"\xff"}), demeterrr.Set(demeterrr.Language("\xff"))} {
		if encoded, err := bad.MarshalJSON(); err == nil {
			t.Errorf("text that is not UTF-8 was written as %s", encoded)
		}
	}
}
