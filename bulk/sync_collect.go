package bulk

import (
	"iter"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/paging"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// syncRun is one call of Sync.
type syncRun struct {
	*run
	options SyncOptions
	report  *SyncReport // guarded by run.mu while workers run, like all fields below

	items   table[syncItem]      // one for each email, found by its place in this table
	packed  arena                // the contacts still needed
	known   map[int]*knownItem   // the state's knowledge of some items, by place
	ids     idTable              // of the account's contacts, by place
	updates map[int]*syncUpdate  // by place, of items that differ from the account's contact
	refused map[int]*SyncFailure // by place, of items that cannot be sent

	unfiltered bool         // the server ignores ?email=
	list       paging.Pages // the pages read so far
	progress   SyncProgress
	witness    witness
	fields     fieldTexts

	todo   []int // the places to write: changes first, then possibly new ones
	gone   []int // the places of contacts that disappeared meanwhile
	direct bool  // unknown contacts are sent without being read first

	// In a dry run:
	extra map[int]int // requests of a real run for the facts looked up here, by place
	spare int         // requests of this run that a real one skips
}

func newSyncRun(r *run, options SyncOptions) *syncRun {
	return &syncRun{
		run: r, options: options, report: &SyncReport{}, known: map[int]*knownItem{}, updates: map[int]*syncUpdate{},
		refused: map[int]*SyncFailure{}, extra: map[int]int{},
	}
}

// syncItem is one contact of the input with the findings about it.
type syncItem struct {
	at      int64 // offset of its packed params; -1 if they are dropped
	index   int32 // its position in the input
	status  itemStatus
	rank    int8 // 1 + mailbox.Rank of the account's email for it; 0 if none was found
	inState bool // the state has an id for it
	exact   bool // the state already matches the result of this run
}

type itemStatus uint8

const (
	itemMissing   itemStatus = iota // still unknown
	itemRefused                     // it cannot be sent
	itemUnchanged                   // the account has it
	itemChanged                     // the state has it with other content
	itemDiffers                     // the account has it with other content
	itemDone                        // it is in the report
)

// knownItem is the state's entry of a contact that needs a closer look.
type knownItem struct {
	id       string
	fields   string // set by this source
	dirty    bool
	sameTags bool
}

// collect draws the input and compares it with the state. It keeps the contacts
// that need a request.
func (r *syncRun) collect(contacts iter.Seq2[demeterrr.ContactParams, error]) error {
	if err := r.over(); err != nil {
		return err
	}
	in := collector{syncRun: r}
	for params, err := range contacts {
		if err != nil {
			return inputFailed(err)
		}
		if err := in.take(&params); err != nil {
			return err
		}
		if err := r.over(); err != nil {
			return err
		}
	}
	return in.flush()
}

// collector takes in contacts. With a state it works in batches.
type collector struct {
	*syncRun
	packer packer

	batch   []collected
	scratch []byte // their packed params
	emails  []string
	entries map[string]*SyncEntry
}

// collected is a contact that waits for the lookup in the state.
type collected struct {
	place       int
	index       int32
	email       string // its key
	start, end  int    // of its bytes in scratch
	emailEnd    int    // of the email in them
	fingerprint SyncFingerprint
	fields      string
}

// stateBatch is the number of emails in one call of a state.
const stateBatch = 1000

// take takes in one contact.
func (r *collector) take(params *demeterrr.ContactParams) error {
	index := r.report.Read
	r.report.Read++
	if wrong := validate.Email(params.Email); wrong != nil {
		r.finish(-1, index, *params, "", "", invalid("%s", wrong))
		return nil
	}
	place, again := r.items.add(hashEmail(params.Email))
	if again {
		r.report.Duplicates++
		delete(r.refused, place)
	}
	item := r.items.at(place)
	item.index, item.at = int32(index), -1 //nolint:gosec // 2³¹ contacts exceed any memory
	packed, refused := r.packer.pack(params)
	if refused == nil {
		refused = r.unmanaged(params)
	}
	if refused != nil {
		item.status = itemRefused
		r.refused[place] = &SyncFailure{index, *params, refused}
		return nil //nolint:nilerr // it is reported as a failure
	}
	item.status = itemMissing
	if r.options.State == nil {
		item.at = r.packed.add(packed.bytes)
		return nil
	}
	r.batch = append(r.batch, collected{
		place, item.index, mailbox.Key(params.Email), len(r.scratch), len(r.scratch) + len(packed.bytes), packed.email,
		packed.fingerprint(), r.fields.of(params),
	})
	r.scratch = append(r.scratch, packed.bytes...)
	if len(r.batch) < stateBatch {
		return nil
	}
	return r.flush()
}

// flush looks up a batch in the state and compares its contacts.
func (r *collector) flush() error {
	r.emails = r.emails[:0]
	for _, c := range r.batch {
		if r.current(&c) {
			r.emails = append(r.emails, c.email)
		}
	}
	if len(r.emails) == 0 {
		return nil
	}
	entries, err := r.options.State.Lookup(r.ctx, r.emails)
	if err != nil {
		return stateFailed(err)
	}
	clear(r.entries)
	if r.entries == nil {
		r.entries = make(map[string]*SyncEntry, stateBatch)
	}
	for i := range entries {
		r.entries[entries[i].Email] = &entries[i]
	}
	for i := range r.batch {
		if c := &r.batch[i]; r.current(c) {
			r.compare(c, r.entries[c.email])
		}
	}
	r.batch, r.scratch = r.batch[:0], r.scratch[:0]
	return nil
}

// current reports whether c is the last contact with its email so far.
func (r *collector) current(c *collected) bool {
	item := r.items.at(c.place)
	return item.index == c.index && item.status != itemRefused
}

// compare sets the status of a contact from its state entry; nil means there is
// none. An entry without an id belongs to a contact whose creation had begun.
func (r *collector) compare(c *collected, entry *SyncEntry) {
	item := r.items.at(c.place)
	again := item.inState
	item.inState, item.exact = false, false
	delete(r.known, c.place)
	packed := r.scratch[c.start:c.end]
	if entry == nil {
		item.at = r.packed.add(packed)
		return
	}
	if !again {
		r.witness.know(entry.ContactID)
	}
	cleared := !r.options.ClearEmpty || len(goneFields(entry.Fields, c.fields)) == 0
	same := !entry.Dirty && entry.Fingerprint == c.fingerprint && cleared
	item.inState = entry.ContactID != ""
	item.exact = same && item.inState && entry.Fields == c.fields
	if item.inState && (r.options.Verify || r.options.OnResult != nil) {
		r.ids.set(c.place, entry.ContactID)
	}
	switch {
	case same && item.inState && !r.options.Verify:
		item.status = itemUnchanged
		if r.options.OnResult != nil {
			item.at = r.packed.add(packed[:c.emailEnd])
		}
		return
	case item.inState && !r.options.Verify:
		item.status = itemChanged
	}
	if !item.exact {
		r.known[c.place] = &knownItem{
			entry.ContactID, entry.Fields, entry.Dirty, !entry.Dirty && entry.Fingerprint.sameTags(&c.fingerprint),
		}
	}
	item.at = r.packed.add(packed)
}
