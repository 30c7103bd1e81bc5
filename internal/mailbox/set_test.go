package mailbox_test

import (
	"fmt"
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

func TestASetKnowsWhatItHolds(t *testing.T) {
	t.Parallel()
	for range 100 { // the hashes differ each time, and some of them collide
		var set mailbox.Set
		for i := range 100 {
			if index, added := set.Add(fmt.Sprint(i)); index != i || !added {
				t.Fatalf("new key %d: got %d, %t", i, index, added)
			}
			if index, added := set.Add(fmt.Sprint(i / 2)); index != i/2 || added {
				t.Fatalf("known key %d: got %d, %t", i/2, index, added)
			}
		}
	}
}
