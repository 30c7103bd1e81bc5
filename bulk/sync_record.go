package bulk

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// stateFailed returns the error for a failed or contradicted state. Its text
// has emails removed, as a database may quote them.
func stateFailed(err error) *failure {
	err = scrub.Readable(err)
	return &failure{&apiError{Message: withCause("the sync state failed", errors.New(scrub.Emails(err.Error())))}, err}
}

// acquireState takes the state for this run.
func (r *syncRun) acquireState() (release func(), err error) {
	if r.options.State == nil {
		return func() {}, nil
	}
	if err := r.over(); err != nil {
		return nil, err
	}
	release, err = r.options.State.Acquire(r.ctx, r.client.BaseURL())
	if err != nil {
		return nil, stateFailed(err)
	}
	if release == nil {
		release = func() {}
	}
	return release, nil
}

// record saves the results of reading, and marks the items in r.todo as dirty.
// It finishes before the first write.
func (r *syncRun) record() error {
	if r.options.State == nil || r.options.DryRun || r.over() != nil {
		return r.over()
	}
	batch := make([]SyncEntry, 0, stateBatch)
	save := func(least int) error {
		if len(batch) < least {
			return nil
		}
		if err := r.options.State.Save(r.ctx, batch); err != nil {
			return stateFailed(err)
		}
		batch = batch[:0]
		return nil
	}
	for place := range r.items.n {
		if item := r.items.at(place); item.status == itemUnchanged && item.rank > 0 && !item.exact {
			batch = append(batch, r.clean(place, r.ids.at(place)))
		}
		if err := save(stateBatch); err != nil {
			return err
		}
	}
	for i, place := range r.todo {
		if entry, news := r.dirty(place); news || i == 0 { // the first one in any case: Save fails if another run has taken the state
			batch = append(batch, entry)
		}
		if err := save(stateBatch); err != nil {
			return err
		}
	}
	return save(1)
}

// dirty returns the entry of an item that is about to be written. news is false
// if the state already has it.
func (r *syncRun) dirty(place int) (entry SyncEntry, news bool) {
	params, _ := unpack(r.packed.at(r.items.at(place).at))
	entry = SyncEntry{Email: mailbox.Key(params.Email), Fields: r.fields.of(&params), Dirty: true}
	known, status := r.known[place], r.items.at(place).status
	if status != itemMissing { // a missing item may have the id of another contact
		entry.ContactID = r.ids.at(place)
	}
	if known == nil {
		return entry, true
	}
	if status == itemChanged {
		entry.ContactID = known.id
	}
	entry.Fields = joinFields(known.fields, entry.Fields)
	return entry, !known.dirty || entry.ContactID != known.id || entry.Fields != known.fields
}

// clean returns the entry of an item that the account has.
func (r *syncRun) clean(place int, id string) SyncEntry {
	params, packed := unpack(r.packed.at(r.items.at(place).at))
	fields := r.fields.of(&params)
	if !r.options.ClearEmpty {
		fields = joinFields(r.setBefore(place), fields)
	}
	return SyncEntry{Email: mailbox.Key(params.Email), ContactID: id, Fingerprint: packed.fingerprint(), Fields: fields}
}

// saveTimeout is the time to save an outcome after the operation has ended.
const saveTimeout = 30 * time.Second

// save saves the entry of a written contact. If that fails, the contact stays
// dirty, and Sync stops.
func (r *syncRun) save(entry SyncEntry) {
	if r.options.State == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), saveTimeout)
	defer cancel()
	if err := r.options.State.Save(ctx, []SyncEntry{entry}); err != nil {
		r.stop(stateFailed(err))
	}
}

// witness decides whether the account is the one of the state.
type witness struct {
	ids       []string // the first three ids in the state
	known     int      // emails with an id in the state
	confirmed bool     // a known id was found
	missed    map[string]struct{}
}

// enough known ids missing in the account mean that it is another account.
const enough = 3

func (w *witness) know(id string) {
	if id == "" {
		return
	}
	w.known++
	if len(w.ids) < enough && !slices.Contains(w.ids, id) {
		w.ids = append(w.ids, id)
	}
}

// saw takes in an id of the account.
func (w *witness) saw(id string) {
	w.confirmed = w.confirmed || slices.Contains(w.ids, id)
}

// miss takes in a known id that is missing in the account.
func (w *witness) miss(id string) {
	if w.missed == nil {
		w.missed = map[string]struct{}{}
	}
	w.missed[id] = struct{}{}
}

// absent reports, after all pages were read, whether the account is another.
func (w *witness) absent() bool { return !w.confirmed && len(w.ids) == enough }

// refuted reports whether enough known ids are missing.
func (w *witness) refuted() bool { return !w.confirmed && len(w.missed) >= enough }

// probe asks for known ids until one is found. It does so only if contacts are
// to be created and no other request would check the account before that.
func (r *syncRun) probe() error {
	if r.options.State == nil || r.witness.confirmed || r.over() != nil {
		return r.over()
	}
	creates := false
	for place := range r.items.n {
		switch r.items.at(place).status {
		case itemChanged:
			if change, err := r.changeOf(place); err == nil && change.Requests > 0 {
				return nil // its update checks the account
			}
		case itemMissing:
			creates = true
		default: // it creates nothing
		}
	}
	if !creates {
		return nil
	}
	return r.ask()
}

// ask asks for known ids. It fails if enough of them are missing.
func (r *syncRun) ask() error {
	for _, id := range r.witness.ids {
		if _, asked := r.witness.missed[id]; asked || r.witness.confirmed || r.witness.refuted() {
			continue
		}
		_, err := r.client.Contacts.Get(r.ctx, id, r.reading()...)
		switch err = r.classify(err); {
		case err == nil:
			r.witness.confirmed = true
		case isNotFound(err):
			r.witness.miss(id)
		default:
			return err
		}
	}
	if r.witness.refuted() {
		return stateFailed(ErrStateMismatch)
	}
	return nil
}

func isNotFound(err error) bool {
	e, ok := asError(err)
	return ok && e.Is(demeterrr.ErrNotFound)
}

// idTable keeps ids by place. A UUID, the usual case, takes 16 bytes.
type idTable struct {
	chunks [][][16]byte
	odd    map[int]string
}

func (t *idTable) set(place int, id string) {
	for len(t.chunks) <= place/tableChunk {
		t.chunks = append(t.chunks, nil)
	}
	uuid, ok := parseUUID(id)
	chunk := &t.chunks[place/tableChunk]
	if *chunk == nil {
		*chunk = make([][16]byte, tableChunk)
	}
	(*chunk)[place%tableChunk] = uuid
	delete(t.odd, place)
	if !ok {
		if t.odd == nil {
			t.odd = map[int]string{}
		}
		t.odd[place] = strings.Clone(id)
	}
}

// at returns the id at a place; empty if there is none.
func (t *idTable) at(place int) string {
	if id, ok := t.odd[place]; ok {
		return id
	}
	if place/tableChunk >= len(t.chunks) || t.chunks[place/tableChunk] == nil {
		return ""
	}
	uuid := t.chunks[place/tableChunk][place%tableChunk]
	if uuid == ([16]byte{}) {
		return ""
	}
	return formatUUID(uuid)
}

// parseUUID parses a UUID in the exact form of formatUUID. ok is false for any
// other id.
func parseUUID(id string) (uuid [16]byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return uuid, false
	}
	var digits [32]byte
	copy(digits[:], id[:8])
	copy(digits[8:], id[9:13])
	copy(digits[12:], id[14:18])
	copy(digits[16:], id[19:23])
	copy(digits[20:], id[24:])
	if _, err := hex.Decode(uuid[:], digits[:]); err != nil || uuid == ([16]byte{}) || formatUUID(uuid) != id {
		return [16]byte{}, false
	}
	return uuid, true
}

func formatUUID(uuid [16]byte) string {
	var out [36]byte
	hex.Encode(out[:8], uuid[:4])
	hex.Encode(out[9:13], uuid[4:6])
	hex.Encode(out[14:18], uuid[6:8])
	hex.Encode(out[19:23], uuid[8:10])
	hex.Encode(out[24:], uuid[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
