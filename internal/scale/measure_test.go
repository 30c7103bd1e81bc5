package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCostGrowsWithTheContacts holds memory and processor time to limits at the
// full scale. Below it, it adds 20 MB to the limit of memory, for the program.
func TestCostGrowsWithTheContacts(t *testing.T) {
	t.Parallel()
	n := scale(t)
	steps, err := steps(n, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		mb := int(s.PeakBytes >> 20)
		t.Logf("%-46s %4d MB, %5.2f µs a contact, %d requests", s.name, mb, s.micros, s.requests)
		if most := s.mostMB * n / 1_000_000; mb > most+20 {
			t.Errorf("%s: %d MB, want at most %d", s.name, mb, most)
		}
		if n >= 1_000_000 && s.micros > s.mostMicros {
			t.Errorf("%s: %.2f µs a contact, want at most %.0f", s.name, s.micros, s.mostMicros)
		}
		if s.requests != s.want {
			t.Errorf("%s: %d requests, want %d", s.name, s.requests, s.want)
		}
	}
}

func TestTheTableStandsBetweenItsMarks(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- scale: begin -->", "<!-- scale: end -->"
	docs := t.TempDir()
	page := filepath.Join(docs, "performance.md")
	if err := os.WriteFile(page, []byte("above\n"+begin+"\nold\n"+end+"\nbelow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var table [][]step
	for _, n := range []int{1000, 2000} {
		var list []step
		for i, c := range curves {
			list = append(list, step{name: c.name, contacts: n, requests: n / 100, micros: float64(i), result: result{PeakBytes: 400_000}})
		}
		table = append(table, list)
	}
	for range 2 { // a second time changes nothing
		if err := document(table, docs); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"above\n" + begin + "\n", "\n" + end + "\nbelow\n", command, "| Sync, no state | 2,000 | 20 | 1.0 | 0 | 200 |"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q is not in it once:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "\nold\n") {
		t.Error("the old table is still in it")
	}
	chart, err := os.ReadFile(filepath.Join(docs, "scale.svg"))
	if err != nil || !strings.Contains(string(chart), "1,000</text>") {
		t.Errorf("the chart: %v\n%s", err, chart)
	}
	if err := os.WriteFile(page, []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if document(table, docs) == nil {
		t.Error("a page without marks is accepted")
	}
}
