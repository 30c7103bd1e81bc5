//go:build !race

package bulk_test

import (
	"net/http"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// cannedQueue answers every execution of recipients(0, 100) with one reply.
func cannedQueue(t testing.TB) *demeterrr.Client {
	t.Helper()
	body := `{"data":{"sequenceId":"s1","results":[`
	for i, c := range recipients(0, 100) {
		if i > 0 {
			body += ","
		}
		body += `{"email":"` + c.Email + `","contactId":"990e8400-e29b-41d4-a716-446655440000","status":"queued"}`
	}
	body += "]}}"
	transport := roundTrip(func(*http.Request) (*http.Response, error) { return replying(200, body), nil })
	return must(demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: transport})))
}

// BenchmarkExecute sends to 100 contacts in one request, without a journal.
func BenchmarkExecute(b *testing.B) {
	client, input := cannedQueue(b), recipients(0, 100)
	b.ReportAllocs()
	for b.Loop() {
		report, err := bulk.Execute(b.Context(), client, "s1", bulk.Slice(input), nil)
		if err != nil || report.Sent != 100 {
			b.Fatal(err, totals(report))
		}
	}
}

// Without a journal, a contact costs its key and its share of a request.
//
//nolint:paralleltest // allocations are counted for the whole process
func TestExecuteAllocates(t *testing.T) {
	client, input := cannedQueue(t), recipients(0, 100)
	const most = 195
	allocs := testing.AllocsPerRun(100, func() {
		if report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(input), nil); err != nil || report.Sent != 100 {
			t.Fatal(err, totals(report))
		}
	})
	if allocs > most {
		t.Errorf("%.0f allocations for 100 contacts, want %d at most", allocs, most)
	}
}
