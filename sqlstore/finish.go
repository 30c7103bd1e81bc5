package sqlstore

import (
	"context"
	"strings"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// finished holds the entries of one state, with their keys.
type finished struct {
	keys    []hashed
	entries []bulk.JournalEntry
}

// Finish records the outcome of emails claimed under the token. It retries like
// [Campaign.Claim].
func (c *Campaign) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	if _, err := c.asked(sequenceID, nil); err != nil {
		return err
	}
	if err := c.checkToken(token); err != nil {
		return err
	}
	byState := map[bulk.JournalState]finished{}
	for i, e := range entries {
		switch e.State {
		case bulk.JournalDone, bulk.JournalUnknown, bulk.JournalNew:
		default:
			return invalid("campaign %q: an entry cannot be finished as %q; use JournalNew, JournalUnknown or JournalDone", c.name, e.State)
		}
		if fault := checkEmail(e.Email); fault != "" {
			return invalid("campaign %q: email %d of %d %s", c.name, i+1, len(entries), fault)
		}
		some := byState[e.State]
		some.keys, some.entries = append(some.keys, c.store.hash(e.Email)), append(some.entries, e)
		byState[e.State] = some
	}
	if len(entries) == 0 {
		return nil
	}
	return c.failed(c.store.transact(ctx, func(ctx context.Context, q queryer) error {
		if err := c.verify(ctx, q, sequenceID); err != nil {
			return err
		}
		for _, state := range []bulk.JournalState{bulk.JournalDone, bulk.JournalUnknown, bulk.JournalNew} {
			if err := c.finishState(ctx, q, token, state, byState[state]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// finishState changes only the rows that are begun under the token.
func (c *Campaign) finishState(ctx context.Context, q queryer, token string, state bulk.JournalState, all finished) error {
	s := c.store
	for first := 0; first < len(all.keys); first += maxBatch {
		keys := all.keys[first:min(first+maxBatch, len(all.keys))]
		var query string
		var args []any
		switch state {
		case bulk.JournalDone:
			cases := "CASE email_key" + strings.Repeat(" WHEN ? THEN ?", len(keys))
			query = "UPDATE demeterrr_journal SET state = 'done', changed_at = NOW, status = " + cases + " END, contact_id = " + cases + " END"
			for i := range keys {
				args = append(args, keys[i].hash[:], clean(string(all.entries[first+i].Status)))
			}
			for i := range keys {
				args = append(args, keys[i].hash[:], clean(all.entries[first+i].ContactID))
			}
		case bulk.JournalUnknown:
			query = "UPDATE demeterrr_journal SET state = 'unknown', changed_at = NOW"
		default:
			query = "DELETE FROM demeterrr_journal"
		}
		query += " WHERE campaign = ? AND token = ? AND state = 'begun' AND email_key IN (" + list(len(keys), "?") + ")"
		args = append(args, s.bytes(c.name), s.bytes(token))
		for i := range keys {
			args = append(args, keys[i].hash[:])
		}
		if _, err := q.ExecContext(ctx, s.sql(query), args...); err != nil {
			return err
		}
	}
	return nil
}
