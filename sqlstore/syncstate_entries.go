package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/bulk"
)

const (
	maxStateID     = 1000    // bytes of a contact's id
	maxStateFields = 1 << 17 // bytes
	maxStatement   = 1 << 20 // bytes of such texts in one statement, without the last one
	stateColumns   = 6       // parameters for an entry
)

// Lookup returns the recorded entries of the emails, in any order. Call
// [SyncState.Acquire] first. A statement reads up to 6,999 emails, in SQLite up
// to 998.
func (s *SyncState) Lookup(ctx context.Context, emails []string) ([]bulk.SyncEntry, error) {
	if _, err := s.current(); err != nil {
		return nil, err
	}
	keys, err := s.store.keys("sync state", s.name, emails)
	if err != nil {
		return nil, err
	}
	var entries []bulk.SyncEntry
	err = s.store.repeat(ctx, func(ctx context.Context) (err error) {
		entries, err = s.read(ctx, s.store.db, keys)
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	return entries, nil
}

func (s *SyncState) read(ctx context.Context, q queryer, keys []hashed) ([]bulk.SyncEntry, error) {
	st := s.store
	entries := make([]bulk.SyncEntry, 0, len(keys))
	var hash, contactID, fingerprint, fields sql.RawBytes
	var e bulk.SyncEntry // its texts are kept while they stay the same
	for some := range slices.Chunk(keys, st.maxParams-1) {
		args := append(make([]any, 0, len(some)+1), st.bytes(s.name))
		for i := range some {
			args = append(args, some[i].hash[:])
		}
		query := "SELECT email_key, contact_id, fingerprint, fields, dirty FROM demeterrr_sync_entries WHERE state = ? AND email_key IN (" + list(len(some), "?") + ")"
		err := each(ctx, q, st.sql(query), args, func(rows *sql.Rows) error {
			if err := rows.Scan(&hash, &contactID, &fingerprint, &fields, &e.Dirty); err != nil {
				return err
			}
			i, ok := slices.BinarySearchFunc(some, hash, func(k hashed, hash sql.RawBytes) int { return bytes.Compare(k.hash[:], hash) })
			if !ok || len(fingerprint) != len(e.Fingerprint) {
				return invalid("sync state %q: the database returned a row that Save did not write; delete it, and run Sync again", s.name)
			}
			e.Email = some[i].email
			copy(e.Fingerprint[:], fingerprint)
			keep(&e.ContactID, contactID)
			keep(&e.Fields, fields)
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Save replaces the entries of their emails in one transaction. They are
// durable when Save returns. The same transaction renews the lease. Save
// retries like [Campaign.Claim]. If another run has taken the state, nothing is
// saved and the error matches bulk.ErrStateInUse.
func (s *SyncState) Save(ctx context.Context, entries []bulk.SyncEntry) error {
	run, err := s.current()
	if err != nil {
		return err
	}
	saved, err := s.checked(entries)
	if err != nil {
		return err
	}
	return s.failed(s.store.transact(ctx, func(ctx context.Context, q queryer) error {
		return s.save(ctx, q, run, saved)
	}))
}

// stateEntry is an entry with its key.
type stateEntry struct {
	hashed
	*bulk.SyncEntry
}

// checked checks entries and returns them in the one order in which every run
// writes them.
func (s *SyncState) checked(entries []bulk.SyncEntry) ([]stateEntry, error) {
	saved := make([]stateEntry, len(entries))
	for i := range entries {
		e := &entries[i]
		switch fault := checkEmail(e.Email); {
		case fault != "":
			return nil, invalid("sync state %q: email %d of %d %s", s.name, i+1, len(entries), fault)
		case len(e.ContactID) > maxStateID || len(e.Fields) > maxStateFields:
			return nil, invalid("sync state %q: the id or the names of the fields of contact %d of %d are too long", s.name, i+1, len(entries))
		case !utf8.ValidString(e.ContactID) || strings.ContainsRune(e.ContactID, 0):
			return nil, invalid("sync state %q: the id of contact %d of %d is not valid text", s.name, i+1, len(entries))
		}
		saved[i] = stateEntry{s.store.hash(e.Email), e}
	}
	slices.SortFunc(saved, func(a, b stateEntry) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	for i := 1; i < len(saved); i++ {
		if saved[i].hash == saved[i-1].hash {
			return nil, invalid("sync state %q: two emails of a save are equal; pass each once", s.name)
		}
	}
	return saved, nil
}

// save writes entries for a run that has the state. The first save ties the
// state to the address and the secret.
func (s *SyncState) save(ctx context.Context, q queryer, run *stateRun, entries []stateEntry) error {
	st := s.store
	if err := s.hold(ctx, q, run, "address = ?, secret_check = ?, ", st.bytes(run.address), st.secretCheck()); err != nil {
		return err
	}
	var news, gone []stateEntry
	for _, e := range entries {
		if *e.SyncEntry == (bulk.SyncEntry{Email: e.Email}) {
			gone = append(gone, e)
		} else {
			news = append(news, e)
		}
	}
	for len(news) > 0 {
		n := st.statement(news)
		if err := s.insert(ctx, q, news[:n]); err != nil {
			return err
		}
		news = news[n:]
	}
	for some := range slices.Chunk(gone, st.maxParams-1) {
		args := []any{st.bytes(s.name)}
		for i := range some {
			args = append(args, some[i].hash[:])
		}
		query := "DELETE FROM demeterrr_sync_entries WHERE state = ? AND email_key IN (" + list(len(some), "?") + ")"
		if _, err := q.ExecContext(ctx, st.sql(query), args...); err != nil {
			return err
		}
	}
	return nil
}

// statement returns the number of entries that fit into one statement.
func (s *Store) statement(entries []stateEntry) int {
	n, size := 0, 0
	for n < len(entries) && n < s.maxParams/stateColumns && size <= maxStatement {
		size += len(entries[n].Fields) + len(entries[n].ContactID)
		n++
	}
	return n
}

func (s *SyncState) insert(ctx context.Context, q queryer, entries []stateEntry) error {
	st := s.store
	args := make([]any, 0, stateColumns*len(entries))
	for i := range entries {
		e := &entries[i]
		args = append(args, e.hash[:], st.bytes(s.name), st.bytes(e.ContactID), e.Fingerprint[:], []byte(e.Fields), e.Dirty)
	}
	query := "INSERT INTO demeterrr_sync_entries (email_key, state, contact_id, fingerprint, fields, dirty, changed_at) VALUES " +
		list(len(entries), "(?, ?, ?, ?, ?, ?, NOW)") + " " +
		st.upsert("email_key, state", "contact_id", "fingerprint", "fields", "dirty", "changed_at")
	_, err := q.ExecContext(ctx, st.sql(query), args...)
	return err
}
