package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"iter"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// Entry is an entry of a campaign of the store.
type Entry struct {
	Campaign   string
	SequenceID string
	bulk.JournalEntry
}

// pageSize is how many entries are read at once.
const pageSize = 1000

// InDoubt yields the entries that were begun and not finished, and those whose
// reply was lost, in the order of their hashes. It leaves out Live entries. Each of
// these contacts may have been messaged or not. Look them up under Sendings in the
// dashboard. Call [Campaign.Forget] for those without a sending, and leave the others.
//
// An error is yielded once, and ends the sequence. No connection is held between
// two entries.
func (c *Campaign) InDoubt(ctx context.Context) iter.Seq2[bulk.JournalEntry, error] {
	return c.list(ctx, true)
}

// Entries yields all entries, in the order of their hashes. Errors are yielded as by
// [Campaign.InDoubt].
func (c *Campaign) Entries(ctx context.Context) iter.Seq2[bulk.JournalEntry, error] {
	return c.list(ctx, false)
}

func (c *Campaign) list(ctx context.Context, inDoubt bool) iter.Seq2[bulk.JournalEntry, error] {
	return func(yield func(bulk.JournalEntry, error) bool) {
		err := c.usable()
		if err == nil {
			err = c.store.repeat(ctx, func(ctx context.Context) error { return c.verify(ctx, c.store.db, "") })
		}
		if err != nil {
			yield(bulk.JournalEntry{}, c.failed(err))
			return
		}
		for e, err := range c.store.list(ctx, c.name, inDoubt) {
			if !yield(e.JournalEntry, c.failed(err)) {
				return
			}
		}
	}
}

// InDoubt yields the entries in doubt of every campaign, as [Campaign.InDoubt]
// does for one. Use it if each order or visit has a campaign of its own.
func (s *Store) InDoubt(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := s.made(); err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range s.list(ctx, "", true) {
			if err != nil {
				err = because("the campaigns cannot be read", err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Lookup returns the entries of people in every campaign, in the order of the
// campaigns. It reads the whole journal, as [Store.Redact] does: use it for
// questions of people, and [Campaign.Lookup] for one campaign. A Store with a
// secret finds only the entries that were made with it.
func (s *Store) Lookup(ctx context.Context, emails ...string) ([]Entry, error) {
	keys, err := s.people(emails)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for some := range slices.Chunk(keys, maxBatch) {
		var found []Entry
		err := s.repeat(ctx, func(ctx context.Context) (err error) {
			found, err = s.everywhere(ctx, some)
			return err
		})
		if err != nil {
			return nil, because("the emails cannot be looked up", err)
		}
		entries = append(entries, found...)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Campaign, b.Campaign) })
	return entries, nil
}

// people checks emails that are not of one campaign, and returns their keys.
func (s *Store) people(emails []string) ([]hashed, error) {
	if err := s.made(); err != nil {
		return nil, err
	}
	keys := make([]hashed, len(emails))
	for i, email := range emails {
		if fault := checkEmail(email); fault != "" {
			return nil, invalid("email %d of %d %s", i+1, len(emails), fault)
		}
		keys[i] = s.hash(email)
	}
	return keys, nil
}

// everywhere reads the entries of some keys in every campaign.
func (s *Store) everywhere(ctx context.Context, keys []hashed) (entries []Entry, err error) {
	emails := make(map[string]string, len(keys))
	args := make([]any, len(keys))
	for i := range keys {
		args[i] = keys[i].hash[:]
		emails[string(keys[i].hash[:])] = keys[i].email
	}
	query := "SELECT j.campaign, COALESCE(c.sequence_id, j.campaign), " + rowColumns +
		" FROM demeterrr_journal j LEFT JOIN demeterrr_campaigns c ON c.campaign = j.campaign WHERE j.email_key IN (" +
		list(len(keys), "?") + ") ORDER BY j.campaign, j.email_key"
	err = each(ctx, s.db, s.sql(query), args, func(rows *sql.Rows) error {
		var e Entry
		var r row
		err := s.scan(rows, &r, &e.Campaign, &e.SequenceID)
		e.JournalEntry = r.entry
		e.Email = emails[string(r.hash)]
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// list yields the entries of a campaign, or of all if the name is empty. It reads
// whole pages, so that the caller can use the connection meanwhile.
func (s *Store) list(ctx context.Context, campaign string, inDoubt bool) iter.Seq2[Entry, error] {
	type keyed struct {
		Entry
		hash []byte
	}
	return func(yield func(Entry, error) bool) {
		last := keyed{Entry: Entry{Campaign: campaign}, hash: []byte{}}
		for {
			var page []keyed
			query := "SELECT j.campaign, COALESCE(c.sequence_id, j.campaign), " + rowColumns +
				" FROM demeterrr_journal j LEFT JOIN demeterrr_campaigns c ON c.campaign = j.campaign WHERE "
			args := []any{s.bytes(last.Campaign), last.hash}
			if campaign != "" {
				query += "j.campaign = ? AND j.email_key > ?"
			} else {
				query += "(j.campaign > ? OR j.campaign = ? AND j.email_key > ?)"
				args = append(args[:1:1], args...)
			}
			if inDoubt {
				query += " AND j.state <> 'done'"
			}
			query += " ORDER BY j.campaign, j.email_key LIMIT ?"
			err := s.repeat(ctx, func(ctx context.Context) error {
				page = page[:0]
				var r row
				return each(ctx, s.db, s.sql(query), append(args, pageSize), func(rows *sql.Rows) error {
					var k keyed
					err := s.scan(rows, &r, &k.Campaign, &k.SequenceID)
					k.JournalEntry, k.hash = r.entry, bytes.Clone(r.hash)
					k.Email = string(r.email)
					page = append(page, k)
					return err
				})
			})
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, k := range page {
				if inDoubt && k.Live {
					continue
				}
				if !yield(k.Entry, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = page[len(page)-1]
		}
	}
}

// Forget makes the next Execute send to emails that are in doubt. Only the caller
// can answer for that: a contact who was messaged after all is messaged twice. It
// refuses all of them if one is not in doubt, or is being sent to now.
func (c *Campaign) Forget(ctx context.Context, emails ...string) error {
	if err := c.usable(); err != nil {
		return err
	}
	keys, err := c.store.keys("campaign", c.name, emails)
	if err != nil || len(keys) == 0 {
		return err
	}
	keys = slices.CompactFunc(keys, func(a, b hashed) bool { return a.hash == b.hash })
	committing := false // an earlier attempt may have forgotten them
	return c.failed(c.store.transact(ctx, func(ctx context.Context, q queryer) error {
		if err := c.verify(ctx, q, ""); err != nil {
			return err
		}
		for some := range slices.Chunk(keys, maxBatch) {
			if err := c.forget(ctx, q, some, committing); err != nil {
				return err
			}
		}
		committing = true
		return nil
	}))
}

func (c *Campaign) forget(ctx context.Context, q queryer, keys []hashed, missingIsFine bool) error {
	s := c.store
	args := []any{s.bytes(c.name)}
	for i := range keys {
		args = append(args, keys[i].hash[:])
	}
	where := " WHERE j.campaign = ? AND j.email_key IN (" + list(len(keys), "?") + ")"
	known := 0
	var r row
	err := each(ctx, q, s.sql("SELECT "+rowColumns+" FROM demeterrr_journal j"+where+" ORDER BY j.email_key "+s.forUpdate), args, func(rows *sql.Rows) error {
		if err := s.scan(rows, &r); err != nil {
			return err
		}
		known++
		switch {
		case r.entry.Live:
			return invalid("campaign %q: one of the emails is being sent to, so that none was forgotten; wait for its outcome", c.name)
		case r.entry.State == bulk.JournalDone:
			known--
		}
		return nil
	})
	if err != nil {
		return err
	}
	if known < len(keys) && !missingIsFine {
		return invalid("campaign %q: %d of %d emails are not in doubt, so that none was forgotten; InDoubt lists those that are", c.name, len(keys)-known, len(keys))
	}
	_, err = q.ExecContext(ctx, s.sql("DELETE FROM demeterrr_journal"+
		" WHERE campaign = ? AND state <> 'done' AND email_key IN ("+list(len(keys), "?")+")"), args...)
	return err
}

// Prune deletes the entries that were done before a time, in every campaign, and
// campaigns that are left without any. It returns the number of entries.
//
// Prune lets people be sent to again: the campaign no longer knows them. So prune
// only campaigns that never run again, and events that are not delivered again.
// To drop the emails and keep the promise, use [Store.RedactBefore].
//
// Entries in doubt stay, however old, and so do sync states. It deletes 1,000
// entries or so at a time.
func (s *Store) Prune(ctx context.Context, before time.Time) (int64, error) {
	if err := s.made(); err != nil {
		return 0, err
	}
	n, err := s.sweep(ctx, before, "DELETE FROM demeterrr_journal WHERE ")
	if err == nil {
		err = s.pruneCampaigns(ctx, before)
	}
	if err != nil {
		return n, because("the store cannot be pruned", err)
	}
	return n, nil
}

// Redact removes the readable email and the contact's id of people from every
// campaign. The hash of the email stays, so these people are still not sent to
// again. It deletes their entries from every sync state. A Sync that still has them
// in its input adds them again: take them out there first. Redact returns the number
// of entries that it changed or deleted.
func (s *Store) Redact(ctx context.Context, emails ...string) (n int64, err error) {
	keys, err := s.people(emails)
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(keys, maxBatch) {
		var args []any
		for i := range some {
			args = append(args, some[i].hash[:])
		}
		for _, statement := range []string{redact, "DELETE FROM demeterrr_sync_entries WHERE "} {
			changed, err := s.exec(ctx, statement+"email_key IN ("+list(len(some), "?")+")", args)
			if err != nil {
				return n, because("the emails cannot be redacted", err)
			}
			n += changed
		}
	}
	return n, nil
}

// RedactBefore does what [Store.Redact] does for all entries that were done before
// a time, in the campaigns. Entries in doubt stay, for the people who look them up.
// Sync states stay too: their entries hold what the account has today.
func (s *Store) RedactBefore(ctx context.Context, before time.Time) (int64, error) {
	if err := s.made(); err != nil {
		return 0, err
	}
	n, err := s.sweep(ctx, before, redact)
	if err != nil {
		return n, because("the emails cannot be redacted", err)
	}
	return n, nil
}

const redact = "UPDATE demeterrr_journal SET email = NULL, contact_id = NULL WHERE (email IS NOT NULL OR contact_id IS NOT NULL) AND "

// exec runs one statement in a transaction.
func (s *Store) exec(ctx context.Context, query string, args []any) (changed int64, err error) {
	err = s.transact(ctx, func(ctx context.Context, q queryer) error {
		result, err := q.ExecContext(ctx, s.sql(query), args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// sweep runs a statement on all entries that were done before a time, from the
// oldest on, in transactions of a page or so.
func (s *Store) sweep(ctx context.Context, before time.Time, statement string) (changed int64, err error) {
	after := time.Unix(0, 0)
	for {
		var last dbTime
		err := s.repeat(ctx, func(ctx context.Context) (err error) {
			last, err = one[dbTime](ctx, s.db, s.sql("SELECT MICROS(changed_at) FROM demeterrr_journal"+
				" WHERE state = 'done' AND changed_at > ? AND changed_at < ? ORDER BY changed_at LIMIT 1 OFFSET ?"), s.time(after), s.time(before), pageSize-1)
			return err
		})
		if err != nil {
			return changed, err
		}
		args, upTo := []any{s.time(after), s.time(before)}, ""
		if !last.IsZero() {
			upTo = " AND changed_at <= ?"
			after = last.Time
			args = append(args, s.time(after))
		}
		n, err := s.exec(ctx, statement+"state = 'done' AND changed_at > ? AND changed_at < ?"+upTo, args)
		changed += n
		if err != nil || last.IsZero() {
			return changed, err
		}
	}
}

// pruneCampaigns deletes campaigns without entries. It locks them first, and looks
// again: a claim that has its campaign may be inserting.
func (s *Store) pruneCampaigns(ctx context.Context, before time.Time) error {
	last := ""
	for {
		var names []any
		after := last
		err := s.transact(ctx, func(ctx context.Context, q queryer) error {
			names = nil
			query := "SELECT campaign FROM demeterrr_campaigns WHERE campaign > ? AND created_at < ? ORDER BY campaign LIMIT ? " + s.forUpdate
			err := each(ctx, q, s.sql(query), []any{s.bytes(after), s.time(before), pageSize}, func(rows *sql.Rows) error {
				var name string
				err := rows.Scan(&name)
				names = append(names, s.bytes(name))
				last = name
				return err
			})
			if err != nil || len(names) == 0 {
				return err
			}
			_, err = q.ExecContext(ctx, s.sql("DELETE FROM demeterrr_campaigns WHERE campaign IN ("+list(len(names), "?")+")"+
				" AND NOT EXISTS (SELECT 1 FROM demeterrr_journal j WHERE j.campaign = demeterrr_campaigns.campaign)"), names...)
			return err
		})
		if err != nil || len(names) < pageSize {
			return err
		}
	}
}
