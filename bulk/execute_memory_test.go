//go:build !race

package bulk_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

const million = 1_000_000

// heap returns the live bytes of the heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // no heap is that large
}

// allQueued answers every execution and keeps nothing, so that the heap belongs
// to the client.
type allQueued struct{ contacts int }

func (a *allQueued) RoundTrip(req *http.Request) (*http.Response, error) {
	in, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	body.WriteString(`{"data":{"sequenceId":"s1","results":[`)
	for i, part := range bytes.Split(in, []byte(`"email":"`))[1:] {
		if i > 0 {
			body.WriteByte(',')
		}
		email, _, _ := bytes.Cut(part, []byte(`"`))
		fmt.Fprintf(&body, `{"email":"%s","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"}`, email)
		a.contacts++
	}
	body.WriteString("]}}")
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&body), ContentLength: int64(body.Len()), Request: req}, nil
}

// aMillion yields a million contacts, and calls look after every 100,000.
func aMillion(look func(i int)) iter.Seq2[demeterrr.ExecuteContact, error] {
	return func(yield func(demeterrr.ExecuteContact, error) bool) {
		for i := range million {
			c := demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%07d@example.com", i), FirstName: "First", LastName: "Last", Phone: "+15551234567"}
			if !yield(c, nil) {
				return
			}
			if (i+1)%100_000 == 0 {
				look(i + 1)
			}
		}
	}
}

// TestExecuteKeepsOnlyTheEmailsOfAMillion measures the heap while it streams a
// million contacts. It subtracts the memory of a set of their emails.
//
//nolint:paralleltest // the heap is measured for the whole process
func TestExecuteKeepsOnlyTheEmailsOfAMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million contacts")
	}
	alone := map[int]int64{}
	set := map[string]struct{}{}
	before := heap()
	for c, err := range aMillion(func(i int) { alone[i] = heap() - before }) {
		if err != nil {
			t.Fatal(err)
		}
		set[c.Email] = struct{}{}
	}
	runtime.KeepAlive(set) // until here

	server := &allQueued{}
	client, err := demeterrr.New("dem_your_key_here", demeterrr.WithHTTPClient(&http.Client{Transport: server}))
	if err != nil {
		t.Fatal(err)
	}
	before = heap()
	beyond := map[int]int64{}
	report, err := bulk.Execute(t.Context(), client, "s1", aMillion(func(i int) { beyond[i] = heap() - before - alone[i] }), nil)
	if err != nil || report.Sent != million || server.contacts != million || report.Requests != million/100 {
		t.Fatal(err, totals(report), server.contacts)
	}
	for i := 100_000; i <= million; i += 100_000 {
		t.Logf("%9d contacts: the set of emails %5.1f MB (%d bytes a contact), beyond it %4d kB", i, float64(alone[i])/1e6, alone[i]/int64(i), beyond[i]/1000) // tables grow at random moments
		if beyond[i] > 4<<20 {
			t.Errorf("%d bytes beyond the set of emails", beyond[i])
		}
	}
}
