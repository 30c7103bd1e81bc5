package jsonread_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/jsontext"
)

// edges are documents at the edges of the grammar; the tables of
// grammar_test.go read them too.
var edges = []string{
	``, ` `, `null`, ` true `, "\tfalse\r\n", `nul`, `nulll`, `truE`, `tru e`, `"`, `""`, `"a`, `"\`, `"\"`, `"\\"`, `"\u`, `"\u12"`, `"\u12G4"`, `"\x"`, `"\'"`,
	`"\"\\\/\b\f\n\r\t"`, `"\u00e9\u00E9é"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\ud83dA"`, `"\ud83d\n"`, `"\ud83d\u`,
	"\"\xff\"", "\"a\xc3\"", "\"12345678\xe2\x82\"", "\"\xed\xa0\x80\"", "\"\\n\xf0\x9f\x98\"", "\"\x1f\"", "\"1234567\x00\"", "\"\x7f\u2028\"", "\"a\nb\"",
	`0`, `-0`, `-`, `01`, `-01`, `1.`, `.5`, `1.5`, `1e`, `1e+`, `1E-2`, `1e5`, `5.0`, `1e999`, `-1e999`, `1e-999`, `+1`, `0x10`, `1_000`, `NaN`, `Infinity`,
	`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`, `123456789012345678901234567890`,
	`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[1,,2]`, `[`, `[1`, `[1,`, `]`, `[}`, `[[],[[]],{}]`, `[null,true,"x",1.5,{"a":[]}]`,
	`{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `}`, `{]`,
	`{"a":1,"a":2}`, `{"a":{"x":1},"a":{"y":2}}`, `{"\u0061":1,"a":2}`, `{"":0}`, "{\"\xff\":1}", `{"\ud800":1}`, "{\"\xff:1\":2}", "{\"\x01:1}", `{"a\:1}`, `{"a":1;"b":2}`, `{"a":1,"b:2}`,
	`1 2`, `{} x`, `{}}`, `null,`, "{}\x00", "\ufeff{}", "\v1", "\u00a01", "\x00",
	` { "a" : [ 1 , 2 ] , "b" : { } } `, `// x`, `[1,/**/2]`,
}

func addSeeds(f *testing.F) {
	f.Helper()
	for _, doc := range samples {
		f.Add([]byte(doc))
	}
	for _, doc := range edges {
		f.Add([]byte(doc))
	}
	for _, n := range []int{jsonread.MaxDepth, jsonread.MaxDepth + 1} {
		f.Add([]byte(strings.Repeat("[", n) + strings.Repeat("]", n)))
	}
	f.Add([]byte(`{"data":[{"email":"a","email":null,"tags":["a",null],"tags":null,"customFields":{"n":1e3,"é":[{}]},"createdAt":"2026-01-15T10:30:00,5+24:00","Email":"x","extra":[1, 2]}],"meta":{"page":-0,"total":1e2}}`))
	f.Add([]byte(`{"data":[{"createdAt":"2026-01-15T10:30:00\u005a"}],"data":[{"id":"\ud83d\ude00"}],"meta":{"page":9223372036854775808}}`))
	f.Add([]byte(`{"data":[{"email":["a",{"b":1}],"title":7,"createdAt":"","customFields":[],"unsubscribed":"no","t\u0061gs":["a",{"\u0062":1}],"title":"CEO","phone":1e999}],"meta":{"page":1}}`))
	f.Add([]byte(`{"data":[{"id":7,"email":"a"}],"meta":{"page":1}}`))
}

// tooDeep reports whether err is the error of the depth limit. encoding/json
// has a limit of 10,000.
func tooDeep(t *testing.T, doc []byte, err error) bool {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "nested deeper") {
		return false
	}
	if n := bytes.Count(doc, []byte("[")) + bytes.Count(doc, []byte("{")); n <= jsonread.MaxDepth {
		t.Errorf("%v: but there are only %d brackets", err, n)
	}
	return true
}

// compare fails the test unless both refused the document or both read the same
// value.
func compare(t *testing.T, doc []byte, got, want any, gotErr, wantErr error) {
	t.Helper()
	if tooDeep(t, doc, gotErr) {
		return
	}
	if (gotErr != nil) != (wantErr != nil) {
		t.Fatalf("%q:\njsonread:      %v\nencoding/json: %v", doc, gotErr, wantErr)
	}
	if gotErr == nil {
		if !reflect.DeepEqual(got, want) { // cmp.Diff takes 2^n steps for n nested arrays
			t.Fatalf("%q:\njsonread:      %#v\nencoding/json: %#v", doc, got, want)
		}
		return
	}
	var e *jsonread.Error
	if !errors.As(gotErr, &e) || e.Offset < 0 || e.Offset > len(doc) || e.Message == "" {
		t.Fatalf("%q: %#v is no proper Error", doc, gotErr)
	}
}

func compareAny(t *testing.T, doc []byte) {
	t.Helper()
	var want any
	wantErr := unmarshal(doc, &want)
	got, err := readAny(slices.Clip(doc)) // a read beyond the end cannot hide in spare capacity
	compare(t, doc, got, want, err, wantErr)
}

// unmarshal is json.Unmarshal, except for numbers too large or too long for a
// float64: they keep their text.
func unmarshal(doc []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if !json.Valid(doc) {
		return errors.New("not JSON")
	}
	err := dec.Decode(v)
	switch v := v.(type) {
	case *any:
		*v = withFloats(*v)
	case *map[string]any:
		withFloats(*v)
	}
	return err
}

func withFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, ok := jsontext.Float64(string(v)); ok {
			return f
		}
	case []any:
		for i := range v {
			v[i] = withFloats(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = withFloats(v[key])
		}
	}
	return v
}

func compareRaw(t *testing.T, doc []byte) {
	t.Helper()
	r := jsonread.New(doc)
	raw := r.Raw()
	err := r.End()
	if tooDeep(t, doc, err) {
		return
	}
	if valid := json.Valid(doc); valid != (err == nil) {
		t.Fatalf("%q: json.Valid is %t, skipping it gives %v", doc, valid, err)
	}
	if want := bytes.Trim(doc, " \t\r\n"); err == nil && !bytes.Equal(raw, want) {
		t.Fatalf("%q: raw value %q, want %q", doc, raw, want)
	}
}

// FuzzReader holds the reading of any value, read or skipped, to encoding/json.
func FuzzReader(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		compareAny(t, doc)
		compareRaw(t, doc)
		if !bytes.Equal(doc, before) {
			t.Fatalf("reading changed %q to %q", before, doc)
		}
	})
}

// FuzzList holds typed decoders to encoding/json, member by member.
func FuzzList(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		compareList(t, doc)
		compareList(t, []byte(`{"data":[`+string(doc)+`]}`))
		compareList(t, []byte(`{"data":[{`+string(doc)+`}]}`))
		compareList(t, []byte(`{"meta":{`+string(doc)+`}}`))
	})
}

func compareList(t *testing.T, doc []byte) {
	t.Helper()
	want, wantErr := referenceList(doc)
	got, err := readList(slices.Clip(doc))
	compare(t, doc, got, want, err, wantErr)
}

// members calls f with each member of the object doc, duplicates too, in order.
// Unlike json.Unmarshal, it matches keys by their exact case, and the last of
// equal keys wins whole.
func members(doc []byte, f func(key string, value json.RawMessage) error) error {
	if !json.Valid(doc) {
		return errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("not an object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := f(key.(string), value); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func referenceList(doc []byte) (listLike, error) {
	var list listLike
	err := members(doc, func(key string, value json.RawMessage) error {
		switch key {
		case "data":
			list.Data = list.Data[:0]
			var elements []json.RawMessage
			if err := json.Unmarshal(value, &elements); err != nil || elements == nil {
				return io.ErrUnexpectedEOF
			}
			for _, element := range elements {
				c, err := referenceContact(element)
				if err != nil {
					return err
				}
				list.Data = append(list.Data, c)
			}
		case "meta":
			list.Meta = metaLike{}
			m := &list.Meta
			return members(value, func(key string, value json.RawMessage) error {
				into := map[string]func() error{
					"page":       fresh(&m.Page, value),
					"perPage":    fresh(&m.PerPage, value),
					"total":      fresh(&m.Total, value),
					"totalPages": fresh(&m.TotalPages, value),
				}
				if decode := into[key]; decode != nil {
					return decode()
				}
				return nil
			})
		}
		return nil
	})
	return list, err
}

func referenceContact(doc []byte) (contactLike, error) {
	var c contactLike
	err := members(doc, func(key string, value json.RawMessage) error {
		into := map[string]func() error{
			"id":                    fresh(&c.ID, value),
			"email":                 fresh(&c.Email, value),
			"firstName":             fresh(&c.FirstName, value),
			"lastName":              fresh(&c.LastName, value),
			"phone":                 fresh(&c.Phone, value),
			"title":                 fresh(&c.Title, value),
			"preferredLanguage":     fresh(&c.PreferredLanguage, value),
			"locationId":            fresh(&c.LocationID, value),
			"contactOrganizationId": fresh(&c.ContactOrganizationID, value),
			"customFields":          fresh(&c.CustomFields, value),
			"tags":                  fresh(&c.Tags, value),
			"unsubscribed":          fresh(&c.Unsubscribed, value),
			"createdAt":             fresh(&c.CreatedAt, value),
			"updatedAt":             fresh(&c.UpdatedAt, value),
		}
		if delete(c.Extra, key); len(c.Extra) == 0 {
			c.Extra = nil
		}
		if decode := into[key]; decode != nil {
			if err := decode(); err == nil || key == "id" {
				return err
			}
		}
		if c.Extra == nil {
			c.Extra = map[string]json.RawMessage{}
		}
		c.Extra[key] = value
		return nil
	})
	return c, err
}

// fresh decodes into a new zero value, which stays unchanged for a null and for
// a value of another type.
func fresh[T any](field *T, value json.RawMessage) func() error {
	return func() error {
		var v, zero T
		err := unmarshal(value, &v)
		if *field = v; err != nil {
			*field = zero
		}
		return err
	}
}
