//go:build !race

package demeterrr_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// The limits include the transport's own allocations.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestHotCallsAllocateNoMoreThanPromised(t *testing.T) {
	deadline, cancel := context.WithTimeout(t.Context(), 25*time.Second) // earlier than the client's own time limit
	defer cancel()
	for _, h := range hotCalls() {
		for name, ctx := range map[string]context.Context{h.name: t.Context(), h.name + ", with a deadline": deadline} {
			c := h.client(t)
			allocs := testing.AllocsPerRun(200, func() {
				if err := h.do(ctx, c); err != nil {
					t.Fatal(err)
				}
			})
			if allocs > h.most {
				t.Errorf("%s: %v allocations, want at most %v", name, allocs, h.most)
			}
		}
	}
}

// A proxy can garble a reply and repeat its list. A repeated list must not
// allocate another page.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestARepeatedListAllocatesOnce(t *testing.T) {
	body := "{" + strings.Repeat(`"data":[],`, 10_000) + `"data":[` + johnJSON + `],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`
	c := serving(t, answer(200, body))
	allocs := testing.AllocsPerRun(5, func() {
		page, err := c.Contacts.List(t.Context(), nil)
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != johnID {
			t.Fatal(page, err)
		}
	})
	if allocs > 1000 {
		t.Errorf("%v allocations", allocs)
	}
}

// A tracer of every kind costs little, as its structs stay on the stack.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestATracerAllocatesNoMoreThanPromised(t *testing.T) {
	for _, test := range []struct {
		tracers []demeterrr.Tracer
		more    float64
	}{
		{nil, 0},
		{[]demeterrr.Tracer{forgetful{}}, 0},
		{[]demeterrr.Tracer{forgetful{}, forgetful{}}, 8},
	} {
		get := hotCalls()[0]
		c := get.client(t, demeterrr.WithTracer(test.tracers...))
		allocs := testing.AllocsPerRun(200, func() {
			if err := get.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > get.most+test.more {
			t.Errorf("%d tracers: %v allocations, want at most %v", len(test.tracers), allocs, get.most+test.more)
		}
	}
}
