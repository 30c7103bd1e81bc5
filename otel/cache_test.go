package demeterrrotel

import "testing"

// Ids in routes cannot fill the memory.
func TestACacheIsBounded(t *testing.T) {
	t.Parallel()
	var c cache[int, int]
	for i := range 2 * maxCached {
		if got := c.get(i, func() int { return -i }); got != -i {
			t.Errorf("%d: got %d", i, got)
		}
	}
	if len(c.values) != maxCached {
		t.Errorf("%d values are cached, want %d", len(c.values), maxCached)
	}
	if got := c.get(1, func() int { return 0 }); got != -1 {
		t.Errorf("a cached value was made again: %d", got)
	}
}
