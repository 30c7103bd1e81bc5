package sqlstore_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// BenchmarkKnownContacts looks up 100,000 contacts that are in a campaign already,
// 100 at a time, as Execute does when it runs again. The ratio is to the same
// statements with nothing around them: database/sql, the driver and the server.
//
//	go test -run '^$' -bench KnownContacts -benchtime 1x .
func BenchmarkKnownContacts(b *testing.B) {
	const contacts = 100_000
	d := wanted(b, postgresServer).database(b)
	db := d.migrated(b)
	c := d.openStore(b, db).Campaign("survey")
	emails := make([]string, contacts)
	for i := range emails {
		emails[i] = fmt.Sprintf("customer%06d@example.com", i)
	}
	for batch := range slices.Chunk(emails, 100) {
		claim(b, c, batch[0][:20], batch)
		var entries []bulk.JournalEntry
		for _, email := range batch {
			entries = append(entries, bulk.JournalEntry{Email: email, State: bulk.JournalDone, Status: "queued", ContactID: "550e8400-e29b-41d4-a716-446655440000"})
		}
		finish(b, c, batch[0][:20], entries...)
	}
	var query strings.Builder
	query.WriteString("SELECT email_key, state, status, contact_id, owner FROM demeterrr_journal WHERE campaign = $1 AND email_key IN ($2")
	for i := range 99 {
		fmt.Fprintf(&query, ", $%d", i+3)
	}
	query.WriteString(")")
	keys := make([]any, contacts)
	for i, email := range emails {
		key := sha256.Sum256([]byte(email))
		keys[i] = key[:]
	}
	raw := func() time.Duration {
		start, n := time.Now(), 0
		for batch := range slices.Chunk(keys, 100) {
			rows, err := db.QueryContext(b.Context(), query.String(), append([]any{"survey"}, batch...)...)
			if err != nil {
				b.Fatal(err)
			}
			for ; rows.Next(); n++ {
				var key []byte
				var texts [4]sql.NullString
				if err := rows.Scan(&key, &texts[0], &texts[1], &texts[2], &texts[3]); err != nil {
					b.Fatal(err)
				}
			}
			if err := rows.Err(); err != nil {
				b.Fatal(err)
			}
			rows.Close()
		}
		if n != contacts {
			b.Fatal(n)
		}
		return time.Since(start)
	}
	ours := func() time.Duration {
		start, n := time.Now(), 0
		for batch := range slices.Chunk(emails, 100) {
			entries, err := c.Lookup(b.Context(), surveyID, batch)
			if err != nil {
				b.Fatal(err)
			}
			n += len(entries)
		}
		if n != contacts {
			b.Fatal(n)
		}
		return time.Since(start)
	}
	raw()
	ours()
	b.ReportAllocs()
	b.ResetTimer()
	var rawTime, ourTime time.Duration
	for b.Loop() {
		rawTime += raw()
		ourTime += ours()
	}
	b.ReportMetric(contacts*float64(b.N)/ourTime.Seconds(), "contacts/s")
	b.ReportMetric(contacts*float64(b.N)/rawTime.Seconds(), "raw/s")
	b.ReportMetric(float64(ourTime)/float64(rawTime), "ratio")
	b.ReportMetric(0, "ns/op")
}
