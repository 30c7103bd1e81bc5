package demeterrrtest

import (
	"fmt"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// BenchmarkLargeAccount measures lookups, pages and deletes among a million
// contacts.
func BenchmarkLargeAccount(b *testing.B) {
	s := NewServer(WithRequestLog(func(Request) {}))
	const n = 1_000_000
	for i := range n {
		s.AddContact(demeterrr.Contact{Email: fmt.Sprintf("c%d@example.com", i), FirstName: "C"})
	}
	for _, bench := range []struct {
		name    string
		request func(int) (method, path string)
	}{
		{"page", func(i int) (string, string) { return "GET", fmt.Sprintf("/contacts?limit=100&page=%d", 1+i%(n/100)) }},
		{"byEmail", func(i int) (string, string) { return "GET", fmt.Sprintf("/contacts?email=C%d@example.com", i%n) }},
		{"byID", func(i int) (string, string) { return "GET", "/contacts/" + newID(contactIDs, 1+i%n) }},
		{"delete", func(i int) (string, string) { return "DELETE", "/contacts/" + newID(contactIDs, 1+i%n) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for i := range b.N {
				method, path := bench.request(i)
				req := newRequest(b, s, method, path, "")
				resp, err := s.Transport().RoundTrip(req)
				if err != nil || resp.StatusCode >= 500 {
					b.Fatal(resp, err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}
