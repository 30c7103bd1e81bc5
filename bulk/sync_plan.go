package bulk

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// SyncPlan lists the writes that Sync is about to make.
type SyncPlan struct {
	// Creates and Updates are the numbers of contacts that Changes yields.
	Creates, Updates int
	// Reads is the number of requests before the first write. In a dry run it
	// is the number that a real run would take.
	Reads int
	// Writes is the number of requests for the changes. In a dry run it is
	// exact, as long as the State is right and the account stays the same. In
	// Confirm, a contact outside the State counts as new, with one request. It
	// takes one or two more if the account has it.
	Writes int

	updates []SyncChange
	creates []plannedCreate
	packed  arena
}

// plannedCreate is a new contact of a plan. It takes a tenth of the memory of a
// SyncChange.
type plannedCreate struct {
	at              int64 // of its packed params
	index, requests int32
}

// Changes yields the changes in the order in which they are sent: updates first,
// then new contacts, each in the order of the input. It unpacks each contact as
// it is asked for, so a plan of a million contacts takes little memory.
func (p *SyncPlan) Changes() iter.Seq[SyncChange] {
	return func(yield func(SyncChange) bool) {
		if p == nil {
			return
		}
		for _, change := range p.updates {
			if !yield(change) {
				return
			}
		}
		for _, c := range p.creates {
			params, _ := unpack(p.packed.at(c.at))
			if !yield(SyncChange{Index: int(c.index), Email: params.Email, Create: &params, Requests: int(c.requests)}) {
				return
			}
		}
	}
}

// add adds a change of the contact that is packed at a place of the arena.
func (p *SyncPlan) add(change SyncChange, at int64) {
	if change.Create == nil {
		p.Updates++
		p.updates = append(p.updates, change)
		return
	}
	p.Creates++
	p.creates = append(p.creates, plannedCreate{at, int32(change.Index), int32(change.Requests)}) //nolint:gosec // there is no memory for 2³¹ contacts
}

// SyncChange is one contact to write: Create or Update is set.
type SyncChange struct {
	// Index is the position of the contact in the input, from 0.
	Index int
	Email string
	// Create is the contact to create; nil if it exists.
	Create *demeterrr.ContactParams
	// ContactID and Update are the contact to change and the fields to send.
	// With ManagedTags, Confirm may see fewer tags than Sync sends. Sync reads
	// the tags of others just before it writes, to keep them.
	ContactID string
	Update    *demeterrr.ContactUpdate
	// Requests is the number of requests for this change.
	Requests int
}

// syncUpdate is the update that an item's contact in the account needs.
type syncUpdate struct {
	*demeterrr.ContactUpdate
	at time.Time // the time of reading the contact
}

// settle reports the items that need no request, and lists the others in
// r.todo.
func (r *syncRun) settle() error {
	var created []int
	for place := range r.items.n {
		switch item := r.items.at(place); item.status {
		case itemRefused:
			f := r.refused[place]
			r.finish(place, f.Index, f.Contact, "", "", f.Err)
		case itemUnchanged:
			r.report.Unchanged++
			if r.options.OnResult != nil {
				r.tell(SyncResult{int(item.index), r.email(place), demeterrr.UpsertUnchanged, r.ids.at(place), nil})
			}
		case itemChanged, itemDiffers:
			r.todo = append(r.todo, place)
		case itemMissing:
			created = append(created, place)
		case itemDone:
		}
	}
	byIndex := func(a, b int) int { return cmp.Compare(r.items.at(a).index, r.items.at(b).index) }
	slices.SortFunc(r.todo, byIndex)
	slices.SortFunc(created, byIndex)
	r.todo = append(r.todo, created...)
	return nil
}

// preview makes a dry run read what a real run learns while writing: from the
// replies, and from its own reads of tags.
func (r *syncRun) preview() error {
	if !r.options.DryRun {
		return nil
	}
	before := int(r.sent.Load())
	if r.direct {
		r.lookUp(r.missing())
	}
	var tagged []int
	for place := range r.items.n {
		if r.items.at(place).status == itemChanged && r.needsTags(place) {
			tagged = append(tagged, place)
		}
	}
	parallel(r.run, r.options.Concurrency, slices.Values(tagged), func(place int) {
		if r.over() != nil {
			return
		}
		have, err := r.fresh(place)
		r.mu.Lock()
		r.extra[place] = 1
		r.mu.Unlock()
		switch {
		case err == nil:
			r.mu.Lock()
			r.match(place, have, time.Now())
			r.mu.Unlock()
		case r.isGone(err):
			r.items.at(place).status = itemMissing
		default:
			r.fail(place, r.classify(err))
		}
	})
	r.spare = int(r.sent.Load()) - before
	return r.over()
}

// plan shows the plan to the caller: in the report of a dry run, in Confirm
// otherwise.
func (r *syncRun) plan() error {
	switch {
	case r.options.DryRun:
		r.report.Plan = r.planned()
	case r.over() == nil && r.options.Confirm != nil:
		plan := r.planned()
		if plan.Creates+plan.Updates == 0 {
			return nil
		}
		if err := r.options.Confirm(plan); err != nil {
			return because("not confirmed", foreign{err})
		}
	}
	return nil
}

// planned returns the pending writes. A dry run also reports them as done.
func (r *syncRun) planned() *SyncPlan {
	plan := &SyncPlan{Reads: int(r.sent.Load()) - r.spare, packed: r.packed}
	if r.over() != nil {
		return plan
	}
	for _, place := range r.todo {
		change, err := r.changeOf(place)
		plan.Writes += change.Requests
		outcome := demeterrr.UpsertUnchanged
		switch {
		case err != nil:
			outcome = ""
		case change.Create != nil:
			outcome = demeterrr.UpsertCreated
		case change.Update != nil:
			outcome = demeterrr.UpsertUpdated
		}
		if err == nil && outcome != demeterrr.UpsertUnchanged {
			plan.add(change, r.items.at(place).at)
		}
		if r.options.DryRun {
			var params demeterrr.ContactParams // a failure has them whole
			if params.Email = change.Email; err != nil {
				params, _ = unpack(r.packed.at(r.items.at(place).at))
			}
			r.finish(place, change.Index, params, outcome, change.ContactID, err)
		}
	}
	for place, n := range r.extra {
		if r.items.at(place).status == itemUnchanged {
			plan.Writes += n
		}
	}
	return plan
}

// changeOf returns the change of an item, or its future error. If everything
// matches already, Create and Update are both nil.
func (r *syncRun) changeOf(place int) (SyncChange, error) {
	item := r.items.at(place)
	params, _ := unpack(r.packed.at(item.at))
	change := SyncChange{Index: int(item.index), Email: params.Email, Requests: r.extra[place]}
	var err error
	switch item.status {
	case itemMissing:
		change.Create, err = &params, params.Validate()
	case itemChanged:
		known := r.known[place]
		change.ContactID, change.Update = known.id, r.whole(&params, known.fields)
		if r.needsTags(place) {
			change.Requests++
			if change.Update == nil {
				change.Update = &demeterrr.ContactUpdate{}
			}
			change.Update.Tags = demeterrr.Set(params.Tags)
		}
	default:
		change.ContactID, change.Update = r.ids.at(place), r.updates[place].ContactUpdate
	}
	if change.Update != nil {
		err = change.Update.Validate()
	}
	if err == nil && (change.Create != nil || change.Update != nil) {
		change.Requests++
	}
	return change, err
}

// needsTags reports whether a contact must be read before its tags are sent.
// That is so for a contact known from the state alone.
func (r *syncRun) needsTags(place int) bool {
	known := r.known[place]
	if r.options.ManagedTags == nil || known.sameTags {
		return false
	}
	params, _ := unpack(r.packed.at(r.items.at(place).at))
	return params.Tags != nil || slices.Contains(r.toClear(&params, known.fields), "tags")
}
