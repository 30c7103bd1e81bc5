package paging_test

import (
	"testing"

	"github.com/demeterrr/demeterrr-go/internal/paging"
	"github.com/demeterrr/demeterrr-go/internal/paging/pagingtest"
)

func TestAListIsReadToItsEndOrRefused(t *testing.T) {
	t.Parallel()
	for name, list := range pagingtest.Lists {
		var pages paging.Pages
		var err error
		read := ""
		for n := 1; err == nil && (n == 1 || pages.Follow(n-1)); n++ {
			p := list.Pages[n-1]
			mark := paging.NewMark(n, p.Total, p.TotalPages, len(p.IDs), func(i int) string { return p.IDs[i : i+1] })
			if err = pages.Check(n, mark); err == nil {
				read += p.IDs
			}
			pages.Forget(n)
		}
		if read != list.IDs || (err != nil) != (list.Wrong != "") {
			t.Errorf("%s: read %q, error %v; want %q, %q", name, read, err, list.IDs, list.Wrong)
		}
	}
}

// Concurrent reads return pages in any order.
func TestEmptyPagesAreFoundInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{2, 3, 4}, {4, 3, 2}, {2, 4, 3}} {
		var pages paging.Pages
		refused := 0
		for _, n := range order {
			if pages.Check(n, paging.NewMark(n, 9, 9, 0, nil)) != nil {
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("%v: %d pages were refused, want the last", order, refused)
		}
	}
}
