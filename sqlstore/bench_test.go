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

// BenchmarkKnownContacts looks up 100,000 contacts that are in a campaign
// already, 100 at a time, as Execute does when it runs again. The ratio is to
// the same statements with nothing around them: database/sql, the driver and
// the server.
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
	claim(b, c, "token", emails[:1])
	finish(b, c, "token", bulk.JournalEntry{Email: emails[0]})
	if _, err := db.ExecContext(b.Context(), `INSERT INTO demeterrr_journal (campaign, email_key, email, state, status, contact_id, token, owner, changed_at)
		SELECT 'survey', sha256(convert_to(email, 'UTF8')), email, 'done', 'queued', gen_random_uuid(), md5(email), 'shop-7d9f8b6c5-x2x4k:1', now()
		FROM (SELECT 'customer' || lpad(n::text, 6, '0') || '@example.com' AS email FROM generate_series(0, $1 - 1) n) emails`, contacts); err != nil {
		b.Fatal(err)
	}
	if _, err := db.ExecContext(b.Context(), "VACUUM ANALYZE demeterrr_journal"); err != nil {
		b.Fatal(err)
	}
	raw, ours := rawLookups(b, db, emails), func() (n int) {
		for batch := range slices.Chunk(emails, 100) {
			entries, err := c.Lookup(b.Context(), surveyID, batch)
			if err != nil {
				b.Fatal(err)
			}
			n += len(entries)
		}
		return n
	}
	timed := func(lookups func() int) time.Duration {
		start := time.Now()
		if n := lookups(); n != contacts {
			b.Fatal(n)
		}
		return time.Since(start)
	}
	timed(raw)
	timed(ours)
	b.ReportAllocs()
	b.ResetTimer()
	var rawTime, ourTime time.Duration
	for b.Loop() {
		rawTime += timed(raw)
		ourTime += timed(ours)
	}
	b.ReportMetric(contacts*float64(b.N)/ourTime.Seconds(), "contacts/s")
	b.ReportMetric(contacts*float64(b.N)/rawTime.Seconds(), "raw/s")
	b.ReportMetric(float64(ourTime)/float64(rawTime), "ratio")
	b.ReportMetric(0, "ns/op")
}

// rawLookups returns a function that reads the rows of all emails, 100 at a
// time, and counts them.
func rawLookups(b *testing.B, db *sql.DB, emails []string) func() int {
	b.Helper()
	var query strings.Builder
	query.WriteString("SELECT email_key, state, status, contact_id, owner FROM demeterrr_journal WHERE campaign = $1 AND email_key IN ($2")
	for i := range 99 {
		fmt.Fprintf(&query, ", $%d", i+3)
	}
	query.WriteString(")")
	keys := make([]any, len(emails))
	for i, email := range emails {
		key := sha256.Sum256([]byte(email))
		keys[i] = key[:]
	}
	return func() (n int) {
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
		return n
	}
}
