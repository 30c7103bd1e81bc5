package jsonread_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// page returns a page of 100 contacts with strings of different lengths, as in
// a list of the API.
func page() []byte {
	contacts := make([]string, 100)
	for i := range contacts {
		name := "Maximiliane-Alexandra"[:2+i*7%20]
		contacts[i] = strings.NewReplacer("john.doe@", fmt.Sprintf("%s.doe.%d@", name, i*i), "John", name, "Gold", name).Replace(contactSample)
	}
	return []byte(`{"data":[` + strings.Join(contacts, ",") + `],"meta":{"page":1,"perPage":100,"total":247,"totalPages":3}}`)
}

// TestAllocationsStayAsStated is not parallel: AllocsPerRun counts the
// allocations of all tests.
func TestAllocationsStayAsStated(t *testing.T) { //nolint:paralleltest // as said
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	contact, update, hundred := []byte(contactSample), []byte(updateSample), page()
	plain := []byte(strings.Replace(contactSample, `{"birthday":"1990-01-15","membershipTier":"Gold"}`, `null`, 1))
	escaped := []byte(strings.Replace(string(plain), `"Doe"`, `"Lef\u00e8vre"`, 1))
	accented := []byte(strings.Replace(string(plain), `"Doe"`, `"Lefèvre"`, 1))
	long := []byte(`{"title":"` + strings.Repeat("x", 100) + `","tags":[` + strings.Repeat(`"`+strings.Repeat("x", 100)+`",`, 99) + `""]}`)
	for _, test := range []struct {
		name string
		want float64
		f    func()
	}{
		{"skip", 0, func() { r := jsonread.New(hundred); r.Skip(); _ = r.End() }},
		{"partial contact: strings, tags", 2, func() { var c contactLike; _ = readContact(update, &c) }},
		{"contact without custom fields: strings, tags", 2, func() { var c contactLike; _ = readContact(plain, &c) }},
		{"the same with accents", 2, func() { var c contactLike; _ = readContact(accented, &c) }},
		{"the same with an escape: and its buffer", 3, func() { var c contactLike; _ = readContact(escaped, &c) }},
		{"contact: strings, tags, map and its slots, two boxed values", 6, func() { var c contactLike; _ = readContact(contact, &c) }},
		{"contact with 10,000 bytes of strings", 18, func() { var c contactLike; _ = readContact(long, &c) }},
		{"page of 100: the same for each, and the slice growing", 608, func() { _, _ = readList(hundred) }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got != test.want {
			t.Errorf("%s: %v allocations, want %v", test.name, got, test.want)
		}
	}
}

// against runs ours and theirs by turns, ten at a time, and reports how many
// times longer theirs takes. Only ours is in the usual columns, and ten of it
// are one operation.
func against(b *testing.B, doc []byte, ours, theirs func([]byte) error) {
	b.Helper()
	b.SetBytes(10 * int64(len(doc)))
	ten := func(f func([]byte) error) time.Duration {
		start := time.Now()
		for range 10 {
			if err := f(doc); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	var our, their time.Duration
	for b.Loop() {
		our += ten(ours)
		b.StopTimer()
		their += ten(theirs)
		b.StartTimer()
	}
	b.ReportMetric(float64(their)/float64(our), "x-encoding/json")
}

func BenchmarkContact(b *testing.B) {
	against(b, []byte(contactSample), func(doc []byte) error {
		var c contactLike
		return readContact(doc, &c)
	}, func(doc []byte) error {
		var c contactLike
		return json.Unmarshal(doc, &c)
	})
}

func BenchmarkPageOf100(b *testing.B) {
	against(b, page(), func(doc []byte) error {
		_, err := readList(doc)
		return err
	}, func(doc []byte) error {
		var list listLike
		return json.Unmarshal(doc, &list)
	})
}

func BenchmarkAny(b *testing.B) {
	against(b, page(), func(doc []byte) error {
		_, err := readAny(doc)
		return err
	}, func(doc []byte) error {
		var v any
		return json.Unmarshal(doc, &v)
	})
}

func BenchmarkSkip(b *testing.B) {
	against(b, page(), func(doc []byte) error {
		r := jsonread.New(doc)
		r.Skip()
		return r.End()
	}, func(doc []byte) error {
		json.Valid(doc)
		return nil
	})
}
