//go:build !race

package demeterrr_test

import "testing"

// The transport's own allocations are in the limits.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestHotCallsAllocateNoMoreThanPromised(t *testing.T) {
	for _, h := range hotCalls() {
		c := h.client(t)
		allocs := testing.AllocsPerRun(200, func() {
			if err := h.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > h.most {
			t.Errorf("%s: %v allocations, want at most %v", h.name, allocs, h.most)
		}
	}
}
