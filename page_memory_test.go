//go:build !race

package demeterrr_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"testing"

	"github.com/demeterrr/demeterrr-go"
)

const million = 1_000_000

// heap returns the live bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // no heap is that large
}

// aMillionPaged is an account of a million contacts, made on demand.
type aMillionPaged struct{}

func (aMillionPaged) RoundTrip(req *http.Request) (*http.Response, error) {
	page, err := strconv.Atoi(req.URL.Query().Get("page"))
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	body.WriteString(`{"data":[`)
	for i := range 100 {
		if i > 0 {
			body.WriteByte(',')
		}
		n := (page-1)*100 + i
		fmt.Fprintf(&body, `{"id":"550e8400-e29b-41d4-a716-%012d","email":"customer%07d@example.com","firstName":"First","lastName":null,"tags":["a"],"customFields":{"tier":"Gold"},"unsubscribed":false}`, n, n)
	}
	fmt.Fprintf(&body, `],"meta":{"page":%d,"perPage":100,"total":%d,"totalPages":%d}}`, page, million, million/100)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&body), ContentLength: int64(body.Len()), Request: req}, nil
}

// TestAllOverAMillionIsFlat pages through a million contacts.
//
//nolint:paralleltest // the heap is measured for the whole process
func TestAllOverAMillionIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("a million contacts")
	}
	client, err := demeterrr.New("dem_your_key_here", demeterrr.WithHTTPClient(&http.Client{Transport: aMillionPaged{}}))
	if err != nil {
		t.Fatal(err)
	}
	before, n, most := heap(), 0, int64(0)
	for contact, err := range client.Contacts.All(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%100_000 == 0 {
			most = max(most, heap()-before)
		}
		runtime.KeepAlive(contact)
	}
	t.Logf("%d contacts: at most %d kB more than before", n, most/1000)
	if n != million || most > 1<<20 {
		t.Errorf("%d contacts, %d bytes more than before", n, most)
	}
}
