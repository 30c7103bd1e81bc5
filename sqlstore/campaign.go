package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// Campaign is a [bulk.Journal] for any number of processes. Make one with
// [Store.Campaign]. It is safe for concurrent use.
type Campaign struct {
	store *Store
	name  string
}

var _ bulk.Journal = (*Campaign)(nil)

// Name returns the name of the campaign.
func (c *Campaign) Name() string { return c.name }

// usable returns an error for a bad name, and for a campaign made without a
// Store.
func (c *Campaign) usable() error {
	if c == nil {
		return invalid("the campaign is nil; use Store.Campaign")
	}
	if err := c.store.made(); err != nil {
		return err
	}
	return checkName("campaign", c.name)
}

// checkName rejects bad names.
func checkName(kind, name string) error {
	if n := len(name); n == 0 || n > maxName || !printable(name) {
		return invalid("%s %q: a name has 1 to %d bytes of UTF-8, no control characters, and no white space at its ends", kind, clean(name), maxName)
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// asked checks the input of a method and returns the sorted keys of its emails.
func (c *Campaign) asked(sequenceID string, emails []string) ([]hashed, error) {
	if err := c.usable(); err != nil {
		return nil, err
	}
	if n := len(sequenceID); n == 0 || n > maxSequence || !printable(sequenceID) {
		return nil, invalid("campaign %q: the sequence's id has %d bytes; pass the UUID of the sequence", c.name, n)
	}
	return c.store.keys("campaign", c.name, emails)
}

// keys checks the emails for a journal or a state and returns their keys,
// sorted.
func (s *Store) keys(kind, name string, emails []string) ([]hashed, error) {
	keys := make([]hashed, len(emails))
	for i, email := range emails {
		if fault := checkEmail(email); fault != "" {
			return nil, invalid("%s %q: email %d of %d %s", kind, name, i+1, len(emails), fault)
		}
		keys[i] = s.hash(email)
	}
	sortKeys(keys)
	return keys, nil
}

// sortKeys sorts keys into the one order in which every process locks them.
func sortKeys(keys []hashed) {
	slices.SortFunc(keys, func(a, b hashed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
}

// failed adds the campaign's name to err; nil stays nil.
func (c *Campaign) failed(err error) error {
	if err == nil {
		return nil
	}
	return because(fmt.Sprintf("campaign %q", c.name), err)
}

// Lookup returns the entries of the emails that are already recorded, in any
// order. It runs one statement for each 100 emails.
func (c *Campaign) Lookup(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
	keys, err := c.asked(sequenceID, emails)
	if err != nil {
		return nil, err
	}
	var entries []bulk.JournalEntry
	err = c.store.repeat(ctx, func(ctx context.Context) error {
		entries = make([]bulk.JournalEntry, 0, len(keys))
		_, err := c.read(ctx, c.store.db, sequenceID, keys, func(r *row) {
			entries = append(entries, r.entry)
		})
		return err
	})
	if err != nil {
		return nil, c.failed(err)
	}
	return entries, nil
}

// Claim records new emails as begun, and returns the entries of the emails that
// are already recorded. The record is durable when Claim returns.
//
// Claim retries with the same token for 30 seconds or until ctx ends: after
// deadlocks, serialization failures, broken connections and a COMMIT with an
// unknown result.
func (c *Campaign) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	keys, err := c.asked(sequenceID, emails)
	if err != nil {
		return nil, err
	}
	if err := c.checkToken(token); err != nil {
		return nil, err
	}
	for i := 1; i < len(keys); i++ {
		if keys[i].hash == keys[i-1].hash {
			return nil, invalid("campaign %q: two emails of a claim are equal; pass each once", c.name)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	err = c.store.transact(ctx, func(ctx context.Context, q queryer) (err error) {
		taken, err = c.claim(ctx, q, sequenceID, token, keys)
		return err
	})
	if err != nil {
		return nil, c.failed(err)
	}
	return taken, nil
}

func (c *Campaign) checkToken(token string) error {
	if n := len(token); n == 0 || n > maxToken || !printable(token) {
		return invalid("campaign %q: the token of a claim has 1 to %d letters and digits; use a new random one for each claim", c.name, maxToken)
	}
	return nil
}

// claim inserts the new keys, then reads all keys. A single statement for both
// would read as of its start, and miss a row that another process commits
// meanwhile. A row read back under the token is ours. All others are taken.
func (c *Campaign) claim(ctx context.Context, q queryer, sequenceID, token string, keys []hashed) (taken []bulk.JournalEntry, err error) {
	if err := c.create(ctx, q, sequenceID); err != nil {
		return nil, err
	}
	var missing []hashed
	for range 2 { // another process can release a row between the insert and the read
		if err := c.insert(ctx, q, token, keys); err != nil {
			return nil, err
		}
		taken = nil
		missing, err = c.read(ctx, q, sequenceID, keys, func(r *row) {
			if string(r.token) != token || r.entry.State != bulk.JournalBegun {
				taken = append(taken, r.entry)
			}
		})
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			return taken, nil
		}
	}
	for _, k := range missing { // they come and go: other processes are at work
		taken = append(taken, bulk.JournalEntry{Email: k.email, State: bulk.JournalBegun, Live: true})
	}
	return taken, nil
}

// create makes the campaign if it is missing, and locks it against Prune until
// the transaction ends. read checks its sequence and secret.
func (c *Campaign) create(ctx context.Context, q queryer, sequenceID string) error {
	s := c.store
	for range 10 { // Prune may delete a campaign that another process made and has yet to use
		exists, err := one[int](ctx, q, s.sql("SELECT 1 FROM demeterrr_campaigns WHERE campaign = ? "+s.forShare), s.bytes(c.name))
		if err != nil || exists == 1 {
			return err
		}
		_, err = q.ExecContext(ctx, s.sql("INSERT INTO demeterrr_campaigns (campaign, sequence_id, secret_check, created_at) VALUES (?, ?, ?, NOW) "+s.keepOld),
			s.bytes(c.name), s.bytes(sequenceID), s.secretCheck())
		if err != nil {
			return err
		}
	}
	return errors.New("Prune deletes the campaign again and again; prune less often")
}

func (c *Campaign) insert(ctx context.Context, q queryer, token string, keys []hashed) error {
	s := c.store
	for some := range slices.Chunk(keys, maxBatch) {
		args := make([]any, 0, 5*len(some))
		for i := range some {
			args = append(args, s.bytes(c.name), some[i].hash[:], s.readable(some[i].email), s.bytes(token), s.owner)
		}
		query := "INSERT INTO demeterrr_journal (campaign, email_key, email, state, token, owner, changed_at) VALUES " +
			list(len(some), "(?, ?, ?, 'begun', ?, ?, NOW)") + " " + s.keepOld
		if _, err := q.ExecContext(ctx, s.sql(query), args...); err != nil {
			return err
		}
	}
	return nil
}

// readable returns the readable email for the tables; nil without emails.
func (s *Store) readable(email string) any {
	if s.noEmails {
		return nil
	}
	return email
}

// row is a row of the journal.
type row struct {
	hash  []byte // nil if the campaign has no row; valid until the next row, like email and token
	email sql.RawBytes
	token sql.RawBytes
	entry bulk.JournalEntry
}

const rowColumns = "j.email_key, j.email, j.state, j.token, j.status, j.contact_id, j.owner, MICROS(j.changed_at), MICROS(NOW)"

// scan reads rowColumns, after the caller's own columns. A text equal to the
// one of the row before is kept, which saves an allocation.
func (s *Store) scan(rows *sql.Rows, r *row, before ...any) error {
	var (
		hash, state, status, contactID, owner sql.RawBytes
		changed, now                          dbTime
	)
	if err := rows.Scan(append(before, &hash, &r.email, &state, &r.token, &status, &contactID, &owner, &changed, &now)...); err != nil {
		return err
	}
	r.hash = hash
	e := &r.entry
	keep(&e.State, state)
	keep(&e.Status, status)
	keep(&e.ContactID, contactID)
	keep(&e.Owner, owner)
	e.At = changed.Time
	e.Live = e.State == bulk.JournalBegun && now.Sub(e.At) < s.inFlight
	return nil
}

// keep sets a text if it differs.
func keep[T ~string](text *T, raw sql.RawBytes) {
	if string(*text) != string(raw) {
		*text = T(raw)
	}
}

// read calls f for the row of each recorded key, and returns the keys without a
// row. It fails if the campaign belongs to another sequence or secret.
func (c *Campaign) read(ctx context.Context, q queryer, sequenceID string, keys []hashed, f func(r *row)) (missing []hashed, err error) {
	s := c.store
	for first := 0; first < len(keys); first += maxBatch {
		some := keys[first:min(first+maxBatch, len(keys))]
		args := make([]any, 0, len(some)+1)
		for i := range some {
			args = append(args, some[i].hash[:])
		}
		query := "SELECT c.sequence_id, c.secret_check, " + rowColumns + " FROM demeterrr_campaigns c LEFT JOIN " + s.journalRows(len(some)) + " WHERE c.campaign = ?"
		found := make([]bool, len(some))
		var (
			r                     row
			sequence, secretCheck sql.RawBytes
		)
		err := each(ctx, q, s.sql(query), append(args, s.bytes(c.name)), func(rows *sql.Rows) error {
			if err := s.scan(rows, &r, &sequence, &secretCheck); err != nil {
				return err
			}
			if err := c.same(string(sequence), sequenceID, secretCheck); err != nil || r.hash == nil {
				return err
			}
			i, ok := slices.BinarySearchFunc(some, r.hash, func(k hashed, hash []byte) int { return bytes.Compare(k.hash[:], hash) })
			if !ok {
				return fmt.Errorf("the database returned the row of another email")
			}
			found[i] = true
			r.entry.Email = some[i].email
			f(&r)
			return nil
		})
		if err != nil {
			return nil, err
		}
		for i := range some {
			if !found[i] {
				missing = append(missing, some[i])
			}
		}
	}
	return missing, nil
}

// journalRows joins the rows of n keys. Without statistics, PostgreSQL assumes
// that a campaign is small and reads all of it to find the keys. LATERAL makes
// it look up the keys one by one, and OFFSET 0 stops it from merging the two
// queries.
func (s *Store) journalRows(n int) string {
	if s.dialect != PostgreSQL {
		return "demeterrr_journal j ON j.campaign = c.campaign AND j.email_key IN (" + list(n, "?") + ")"
	}
	return "LATERAL (SELECT found.* FROM (VALUES " + list(n, "(?::bytea)") + ") asked (email_key) CROSS JOIN LATERAL" +
		" (SELECT * FROM demeterrr_journal r WHERE r.campaign = c.campaign AND r.email_key = asked.email_key OFFSET 0) found) j ON true"
}

// same fails if the campaign belongs to another sequence or secret.
func (c *Campaign) same(sequence, asked string, secretCheck []byte) error {
	if asked != "" && sequence != asked {
		return invalid("campaign %q belongs to sequence %s, not to %s; use a new name for each sequence and campaign", c.name, sequence, asked)
	}
	return c.store.sameSecret("campaign", c.name, secretCheck)
}

// sameSecret fails if the secret check belongs to another secret.
func (s *Store) sameSecret(kind, name string, secretCheck []byte) error {
	want := s.secretCheck()
	switch {
	case bytes.Equal(secretCheck, want):
		return nil
	case len(want) == 0:
		return invalid("%s %q belongs to a secret, and the store has none; pass WithSecret to Open", kind, name)
	case len(secretCheck) == 0:
		return invalid("%s %q has no secret, and the store has one; leave WithSecret out, or use a new %s", kind, name, kind)
	}
	return invalid("%s %q belongs to another secret than the store's; pass the one it was begun with to WithSecret", kind, name)
}

// verify fails if the campaign belongs to another secret, or to another
// sequence than sequenceID. An empty sequenceID matches every sequence.
func (c *Campaign) verify(ctx context.Context, q queryer, sequenceID string) error {
	s := c.store
	return each(ctx, q, s.sql("SELECT sequence_id, secret_check FROM demeterrr_campaigns WHERE campaign = ?"), []any{s.bytes(c.name)}, func(rows *sql.Rows) error {
		var (
			sequence    string
			secretCheck []byte
		)
		if err := rows.Scan(&sequence, &secretCheck); err != nil {
			return err
		}
		return c.same(sequence, sequenceID, secretCheck)
	})
}
