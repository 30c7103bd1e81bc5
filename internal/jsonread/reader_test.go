package jsonread_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

func TestSampleContactDecodesWhole(t *testing.T) {
	t.Parallel()
	want := contactLike{
		ID: "550e8400-e29b-41d4-a716-446655440000", Email: "john.doe@example.com", FirstName: "John", LastName: "Doe",
		Phone: "+15551234567", Title: "Mr.", PreferredLanguage: "en", LocationID: "660e8400-e29b-41d4-a716-446655440000",
		CustomFields: map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold"},
		Tags:         []string{"vip", "frequent-customer"},
		CreatedAt:    time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC),
		UpdatedAt:    time.Date(2026, 2, 10, 14, 20, 0, 0, time.UTC),
	}
	list, err := readList([]byte(listSample))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listLike{[]contactLike{want}, metaLike{1, 50, 247, 5}}, list); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNullResetsAndAbsentLeaves(t *testing.T) {
	t.Parallel()
	c := contactLike{ID: "1", Email: "a@example.com", Title: "Dr.", CustomFields: map[string]any{"k": 1.0}, Tags: []string{"vip"}, Unsubscribed: true, CreatedAt: time.Unix(1, 0), Phone: "+1"}
	doc := `{"email":null,"title":"CEO","customFields":null,"tags":null,"unsubscribed":null,"createdAt":null,"score":null,"more":{"x": [1]}}`
	if err := readContact([]byte(doc), &c); err != nil {
		t.Fatal(err)
	}
	want := contactLike{ID: "1", Title: "CEO", Phone: "+1", Extra: map[string]json.RawMessage{
		"score": json.RawMessage("null"), "more": json.RawMessage(`{"x": [1]}`),
	}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEmptyIsNotNull(t *testing.T) {
	t.Parallel()
	var c contactLike
	if err := readContact([]byte(`{"customFields":{},"tags":[]}`), &c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contactLike{CustomFields: map[string]any{}, Tags: []string{}}, c); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestGrammarIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, doc := range append(edges, samples...) {
		compareAny(t, []byte(doc))
		compareRaw(t, []byte(doc))
		for _, around := range []string{`{"data":[{"customFields":{"k":%s}}]}`, `{"meta":{"page":%s}}`, `{"data":[{"email":%s}]}`, `{"data":[{"createdAt":%s}]}`} {
			compareList(t, fmt.Appendf(nil, around, doc))
		}
	}
}

// TestStringsAgreeAtEveryAlignment puts each kind of byte at each of the eight
// places that SkipPlain compares together.
func TestStringsAgreeAtEveryAlignment(t *testing.T) {
	t.Parallel()
	for before := range 17 {
		for c := range 256 {
			for after := range 9 {
				compareAny(t, []byte(`"`+strings.Repeat("~", before)+string([]byte{byte(c)})+strings.Repeat("!", after)+`"`))
			}
		}
	}
}

func TestEveryPrefixIsAnUnexpectedEnd(t *testing.T) {
	t.Parallel()
	for _, doc := range append([]string{`{"a":[true,false,null,-1.5e+3,"\u00e9\n"]}`}, samples...) {
		for n := range len(doc) {
			want := fmt.Sprintf("unexpected end of JSON at byte %d", n)
			if _, err := readAny([]byte(doc[:n])); err == nil || err.Error() != want {
				t.Fatalf("any, %q: error %v, want %s", doc[:n], err, want)
			}
			if doc != listSample {
				continue
			}
			if _, err := readList([]byte(doc[:n])); err == nil || err.Error() != want {
				t.Fatalf("list, %q: error %v, want %s", doc[:n], err, want)
			}
		}
	}
}

func TestAMemberOfAnotherTypeIsKeptRaw(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]contactLike{
		`{"email":7,"createdAt":"","tags":"vip"}`:                {Extra: raw("email", `7`, "createdAt", `""`, "tags", `"vip"`)},
		`{"tags":["a", {"id":[1]}],"id":"1"}`:                    {ID: "1", Extra: raw("tags", `["a", {"id":[1]}]`)},
		`{"t\u0061gs":["a",{"\u0062":1}], "id":"1"}`:             {ID: "1", Extra: raw("tags", `["a",{"\u0062":1}]`)},
		`{"customFields":[{"id":"x"}],"id":"1"}`:                 {ID: "1", Extra: raw("customFields", `[{"id":"x"}]`)},
		`{"unsubscribed":"no","unsubscribed":true}`:              {Unsubscribed: true},
		`{"title":7,"title":null}`:                               {},
		`{"title":"CEO","title": [ 1 ] }`:                        {Extra: raw("title", `[ 1 ]`)},
		`{"createdAt":"2026-13-01T00:00:00Z","new":1,"new":"a"}`: {Extra: raw("createdAt", `"2026-13-01T00:00:00Z"`, "new", `"a"`)},
	} {
		var got contactLike
		if err := readContact([]byte(doc), &got); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", doc, diff)
		}
	}
}

// raw makes the Extra of a contact of names and values by turns.
func raw(members ...string) map[string]json.RawMessage {
	extra := map[string]json.RawMessage{}
	for pair := range slices.Chunk(members, 2) {
		extra[pair[0]] = json.RawMessage(pair[1])
	}
	return extra
}

// Every read rejects invalid JSON: Rewind tolerates only a wrong type.
func TestRewindForgivesNoGrammar(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", jsonread.MaxDepth) + strings.Repeat("]", jsonread.MaxDepth)
	for doc, want := range map[string]string{
		`{"email":x}`:                 "expected a value at byte 9",
		`{"tags":[1,]}`:               "expected a value at byte 11",
		`{"tags":["a" 1]}`:            "expected a comma or the end of the array, found a number at byte 13",
		`{"customFields":{"a":1e}}`:   "invalid number: expected a digit at byte 23",
		`{"createdAt":"\x"}`:          "invalid escape in a string at byte 15",
		`{"email":7`:                  "unexpected end of JSON at byte 10",
		`{"title":` + deep + `}`:      "arrays and objects nested deeper than 100 levels at byte 108",
		`{"id":7,"email":"a"}`:        "expected a string, found a number at byte 6",
		`{"email":7,"id":{"a":true}}`: "expected a string, found an object at byte 16",
	} {
		var c contactLike
		if err := readContact([]byte(doc), &c); err == nil || err.Error() != want {
			t.Errorf("%.40s: error %v, want %s", doc, err, want)
		}
	}
}

func TestErrorsSayWhatWasExpectedAndWhere(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`{"email":5}`:                      "expected a string, found a number at byte 9",
		`{"email": {}}`:                    "expected a string, found an object at byte 10",
		`{"email":x}`:                      "expected a string at byte 9",
		`{"tags":"vip"}`:                   "expected an array, found a string at byte 8",
		`{"tags":[true]}`:                  "expected a string, found a boolean at byte 9",
		`{"customFields":[]}`:              "expected an object, found an array at byte 16",
		`{"unsubscribed":"no"}`:            "expected a boolean, found a string at byte 16",
		`{"createdAt":17}`:                 "expected a time, found a number at byte 13",
		`{"createdAt":"secret@x.example"}`: "expected an RFC 3339 time, found another string at byte 13",
		`null`:                             "expected an object, found null at byte 0",
		`{"id":"a" "email":"b"}`:           "expected a comma or the end of the object, found a string at byte 10",
		`{"tags":["a" 1]}`:                 "expected a comma or the end of the array, found a number at byte 13",
		`{"id" "a"}`:                       "expected a colon, found a string at byte 6",
		`{id:"a"}`:                         "expected the name of a member at byte 1",
		`{"new":}`:                         "expected a value at byte 7",
		`{"new":nil}`:                      "invalid literal at byte 8",
		`{"new":-x}`:                       "invalid number: expected a digit at byte 8",
		`{"id":"a\qb"}`:                    "invalid escape in a string at byte 9",
		`{"id":"\u12x4"}`:                  "invalid escape in a string: expected a hexadecimal digit at byte 11",
		"{\"id\":\"a\n\"}":                 "control character in a string at byte 8",
		`{} {}`:                            "unexpected data after the end of the JSON document at byte 3",
	} {
		if err := readStrictly([]byte(doc)); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", doc, err, want)
		}
	}
}

// readStrictly tolerates no other type.
func readStrictly(doc []byte) error {
	r := jsonread.New(doc)
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "id", "email":
			r.Text()
		case "tags":
			r.Strings()
		case "customFields":
			r.Map()
		case "unsubscribed":
			r.Bool()
		case "createdAt":
			r.Time()
		default:
			r.Raw()
		}
	}
	return r.End()
}

// A decoder that goes on after an error leaves no half-read value in a field.
func TestAReadThatFailsReturnsTheZeroValue(t *testing.T) {
	t.Parallel()
	type values struct {
		Text    string
		Int     int
		Bool    bool
		Time    time.Time
		Strings []string
		Map     map[string]any
		Any     any
	}
	read := func(doc string) *jsonread.Reader { r := jsonread.New([]byte(doc)); return &r }
	got := values{
		read(`"a\x"`).Text(), read(`9223372036854775808`).Int(), read(`trux`).Bool(), read(`"2026-01-15T10:30:61Z"`).Time(),
		read(`["a",1]`).Strings(), read(`{"a":1,"b":x}`).Map(),
		[]any{read(`{"a":x}`).Any(), read(`[1,x]`).Any()},
	}
	if diff := cmp.Diff(values{Any: []any{nil, nil}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestIntTakesOnlyIntegersThatFit(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]int{"0": 0, "-0": 0, "247": 247, " -1 ": -1, "null": 0, fmt.Sprint(math.MaxInt): math.MaxInt, fmt.Sprint(math.MinInt): math.MinInt} {
		r := jsonread.New([]byte(doc))
		if got := r.Int(); got != want || r.End() != nil {
			t.Errorf("%s: got %d and error %v", doc, got, r.End())
		}
	}
	for _, doc := range []string{"1e2", "5.0", "1.5", "1E0", "9223372036854775808", "-9223372036854775809", `"1"`, "true", "[]", "01", "-"} {
		r := jsonread.New([]byte(doc))
		if r.Int(); r.End() == nil {
			t.Errorf("%s was taken for an integer", doc)
		}
	}
}

func TestNumberLosesNoDigit(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]any{
		"60": 60.0, "-1.5e1": -15.0, "null": 0.0, "5e-324": 5e-324, "19.90": 19.9, "9007199254740992": 9007199254740992.0,
		"9007199254740993": json.Number("9007199254740993"), "1e400": json.Number("1e400"), "-1e-400": json.Number("-1e-400"), "1E1000000000": json.Number("1E1000000000"),
	} {
		r := jsonread.New([]byte(doc))
		if got := r.Number(); got != want || r.End() != nil {
			t.Errorf("%s: got %v and error %v", doc, got, r.End())
		}
	}
}

func TestKindLooksWithoutReading(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]byte{` {}`: '{', `[]`: '[', `"x"`: '"', `-1`: '0', `9`: '0', `true`: 't', `false`: 't', `null`: 'n', ``: 0, `]`: 0, `x`: 0} {
		r := jsonread.New([]byte(doc))
		if got := r.Kind(); got != want || r.Err() != nil {
			t.Errorf("%s: kind %q and error %v, want %q", doc, got, r.Err(), want)
		}
		if err := func() error { r.Skip(); return r.End() }(); (err == nil) != json.Valid([]byte(doc)) {
			t.Errorf("%s: skipping after Kind: %v", doc, err)
		}
	}
}

func TestDepthLimitCountsArraysAndObjectsTogether(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}, {`[{"a":`, "}]"}} {
		per := strings.Count(pair[0], "[") + strings.Count(pair[0], "{")
		nest := func(n int) []byte {
			return []byte(strings.Repeat(pair[0], n) + "0" + strings.Repeat(pair[1], n))
		}
		for _, read := range []func(*jsonread.Reader){func(r *jsonread.Reader) { r.Any() }, func(r *jsonread.Reader) { r.Skip() }} {
			r := jsonread.New(nest(jsonread.MaxDepth / per))
			if read(&r); r.End() != nil {
				t.Errorf("%s, %d levels: %v", pair[0], jsonread.MaxDepth, r.End())
			}
			r = jsonread.New(nest(jsonread.MaxDepth/per + 1))
			if read(&r); r.End() == nil || !strings.Contains(r.End().Error(), "nested deeper than 100 levels") {
				t.Errorf("%s, more than %d levels: error %v", pair[0], jsonread.MaxDepth, r.End())
			}
		}
	}
	wide := "[" + strings.Repeat("[],{},", 200) + "[]]"
	if _, err := readAny([]byte(wide)); err != nil {
		t.Errorf("arrays beside one another count as depth: %v", err)
	}
}

func TestFirstErrorSticks(t *testing.T) {
	t.Parallel()
	r := jsonread.New([]byte(`[1,"a",{"k":[2]}]`))
	r.Array()
	r.Text() // in place of Element, so that the array is still at its start
	want := r.Err()
	if want == nil {
		t.Fatal("an element was read as a string")
	}
	r.Object()
	r.Record()
	r.Array()
	got := []any{r.Element(), r.Member(), r.Null(), r.Text(), r.Int(), r.Number(), r.Bool(), r.Time(), r.Any(), len(r.Strings()), len(r.Map()), r.Raw() == nil, r.Kind(), len(r.Key()), r.KeyText()}
	r.Skip()
	if diff := cmp.Diff([]any{false, false, false, "", 0, 0.0, false, time.Time{}, nil, 0, 0, true, byte(0), 0, ""}, got); diff != "" {
		t.Errorf("reads after an error (-want +got)\n%s", diff)
	}
	if r.End() != want { //nolint:errorlint // the very same
		t.Errorf("End returns %v, want the first error, %v", r.End(), want)
	}
}

func TestKeyOutlivesTheReadingOfItsValue(t *testing.T) {
	t.Parallel()
	r := jsonread.New([]byte(`{"pr\u00e9nom":"\u0041\u0042\u0043\u0044\u0045\u0046\u0047\u0048"}`))
	r.Object()
	r.Member()
	key := r.Key()
	if text := r.Text(); text != "ABCDEFGH" || string(key) != "prénom" || r.KeyText() != "prénom" {
		t.Errorf("key %q, value %q, kept key %q", key, text, r.KeyText())
	}
}

func TestResultsDoNotAliasTheDocument(t *testing.T) {
	t.Parallel()
	doc := `{"data":[{"id":"i","email":"e","tags":["t","\u0074u"],"customFields":{"k":"v","l":["\n",{"m":"w"}]},"new":{"raw": "x"}}]}`
	buffer := []byte(doc)
	got, err := readList(buffer)
	if err != nil {
		t.Fatal(err)
	}
	clear(buffer)
	want, err := referenceList([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the buffer was cleared (-want +got)\n%s", diff)
	}
}

// TestRecordPinsNoOtherRecord is not parallel, and its sizes are far apart,
// because it measures the whole heap. The long string leaves room in its
// allocation: the next record's strings must stay out of it.
func TestRecordPinsNoOtherRecord(t *testing.T) { //nolint:paralleltest // as said
	const big = 8<<20 - 4000
	doc := []byte(`{"data":[{"id":"first","title":"` + strings.Repeat("x", big) + `"},` + updateSample + `]}`)
	before := heapInUse()
	list, err := readList(doc)
	if err != nil || len(list.Data[0].Title) != big {
		t.Fatalf("first title has %d bytes, error %v", len(list.Data[0].Title), err)
	}
	kept := list.Data[1]
	list = listLike{}
	if pinned := heapInUse() - before; pinned > big/10 {
		t.Errorf("a small contact pins %d bytes of its page", pinned)
	}
	runtime.KeepAlive(doc)
	runtime.KeepAlive(list)
	if kept.LastName != "Doe-Smith" {
		t.Errorf("kept %+v", kept)
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // no heap is that large
}

func TestSinceIsWhatWasReadMemberByMember(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		` { "a" : [1, {"b":"\u00e9"}] , "c":null } `: `{ "a" : [1, {"b":"\u00e9"}] , "c":null }`,
		`{}`:       `{}`,
		`{"a":1,}`: "", `{"a"`: "", `[]`: "",
	} {
		r := jsonread.New([]byte(doc))
		start := r.Mark()
		for r.Object(); r.Member(); {
			r.Skip()
		}
		if got := r.Since(start); string(got) != want || (got == nil) != (r.Err() != nil) {
			t.Errorf("%s: got %s, %v", doc, got, r.Err())
		}
	}
}
