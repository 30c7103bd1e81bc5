package bulk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

func TestCollectReturnsWhatCameBeforeTheError(t *testing.T) {
	t.Parallel()
	torn := errors.New("torn")
	got, err := bulk.Collect(thenFail([]int{1, 2}, torn))
	same(t, "items", got, []int{1, 2})
	wantIs(t, err, torn)
	got, err = bulk.Collect(bulk.Slice([]int{1, 2, 3}))
	same(t, "items", got, []int{1, 2, 3})
	same(t, "error", err, nil)
	_, err = bulk.Collect[int](nil)
	wantIs(t, err, demeterrr.ErrValidation)
}

// EmailKey folds at least as much as strings.EqualFold. In doubt, one message
// too few is better than one too many.
func TestEmailKeyIgnoresCase(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{"JOHN@EXAMPLE.com": "john@example.COM", "ΝΙΚΟΣ@x.gr": "νικος@x.gr", "\u212aim@x.com": "kim@x.com"} {
		if !strings.EqualFold(a, b) || bulk.EmailKey(a) != bulk.EmailKey(b) {
			t.Errorf("%q and %q have the keys %q and %q", a, b, bulk.EmailKey(a), bulk.EmailKey(b))
		}
	}
}
