package bulk

import (
	"fmt"
	"testing"
)

// TestATableKeepsEveryEmail compares a table with a map.
func TestATableKeepsEveryEmail(t *testing.T) {
	t.Parallel()
	var items table[int]
	places := map[emailHash]int{}
	if items.find(hashEmail("a")) >= 0 {
		t.Error("an empty table has something")
	}
	for i := range 20_000 {
		h := hashEmail(fmt.Sprintf("P%d@example.com", i%15_000))
		if i%3 == 0 {
			h[0], h[1], h[2], h[3] = 0, 0, 0, 0 // many in a row
		}
		want, again := places[h]
		place, known := items.add(h)
		if known != again || again && place != want || !again && place != len(places) {
			t.Fatalf("%d: place %d (known: %t), want %d (%t)", i, place, known, want, again)
		}
		places[h] = place
		*items.at(place) = i
	}
	if hashEmail("P1@example.com") != hashEmail("p1@EXAMPLE.com") || hashEmail("p1@example.com") == hashEmail("p2@example.com") {
		t.Error("hashes ignore case and nothing else")
	}
	for h, place := range places {
		if got := items.find(h); got != place {
			t.Fatalf("found at %d, want %d", got, place)
		}
	}
	if items.n != len(places) || items.find(hashEmail("nobody")) >= 0 {
		t.Errorf("%d records, want %d", items.n, len(places))
	}
}

func TestIDsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	var ids idTable
	list := []string{
		"550e8400-e29b-41d4-a716-446655440000", "550E8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-44665544000g", "550e8400ee29b-41d4-a716-446655440000",
		"00000000-0000-0000-0000-000000000000", "c1", "", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	}
	for range 2 { // also in place of one another
		for i := range 3 * tableChunk {
			ids.set(i, list[i%len(list)])
		}
		for i := range 3 * tableChunk {
			if got := ids.at(i); got != list[i%len(list)] {
				t.Fatalf("%d: %q, want %q", i, got, list[i%len(list)])
			}
		}
		list = append(list[3:], list[:3]...)
	}
	if got := ids.at(100 * tableChunk); got != "" {
		t.Errorf("%q where nothing was set", got)
	}
}
