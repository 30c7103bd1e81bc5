package bulk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

// write sends the changes first, then the possibly new contacts. The first
// changes show whether the account is the one of the state.
func (r *syncRun) write() error {
	if r.options.DryRun || r.over() != nil {
		return r.over()
	}
	r.advance(func(p *SyncProgress) { p.WritesTotal = len(r.todo) })
	fresh := slices.IndexFunc(r.todo, func(place int) bool { return r.items.at(place).status == itemMissing })
	if fresh < 0 {
		fresh = len(r.todo)
	}
	changed, created := r.todo[:fresh], r.todo[fresh:]
	if r.options.State != nil && !r.witness.confirmed {
		first := min(enough, len(changed))
		parallel(r.run, 1, slices.Values(changed[:first]), r.change)
		changed = changed[first:]
		if r.witness.refuted() {
			return stateFailed(ErrStateMismatch)
		}
	}
	parallel(r.run, r.options.Concurrency, slices.Values(changed), r.change)
	slices.SortFunc(r.gone, func(a, b int) int { return cmp.Compare(r.items.at(a).index, r.items.at(b).index) })
	if created = slices.Concat(r.gone, created); len(created) == 0 || r.over() != nil {
		return r.over()
	}
	if r.options.State != nil && !r.witness.confirmed {
		if err := r.ask(); err != nil {
			return err
		}
	}
	parallel(r.run, r.options.Concurrency, slices.Values(created), r.create)
	return nil
}

// change updates a known contact. If it was deleted meanwhile, create handles
// it later.
func (r *syncRun) change(place int) {
	if r.over() != nil {
		return
	}
	update, id, err := r.updateOf(place)
	outcome := demeterrr.UpsertUpdated
	var updated *demeterrr.Contact
	switch {
	case err != nil:
	case update == nil:
		outcome = demeterrr.UpsertUnchanged
	default:
		updated, err = r.client.Contacts.Update(r.ctx, id, update, r.writing()...)
	}
	if r.isGone(err) {
		r.lose(place, id, err)
		return
	}
	if err == nil && updated != nil {
		r.witnessed(place)
		err = r.checkEmail(place, updated)
	}
	r.conclude(place, outcome, id, err)
}

// lose hands an item over to create. Its known id is missing in the account or
// belongs to another contact. In the second case the state drops the id.
func (r *syncRun) lose(place int, id string, err error) {
	_ = r.classify(err) // the service answers: reset its failures
	other := errors.Is(err, errOther)
	if entry, _ := r.dirty(place); other {
		entry.ContactID = ""
		r.save(entry)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = append(r.gone, place)
	if other {
		r.witness.confirmed = true
	} else {
		r.witness.miss(id)
	}
}

// tagsAge is the time for which tags that were read may be sent back: a PATCH
// replaces all tags.
const tagsAge = time.Minute

// updateOf returns the update of an item and the contact's id. It reads the
// contact first if unmanaged tags must be kept.
func (r *syncRun) updateOf(place int) (*demeterrr.ContactUpdate, string, error) {
	known, id := r.known[place], r.ids.at(place)
	if u := r.updates[place]; u != nil {
		if r.options.ManagedTags == nil || u.Tags.IsZero() || time.Since(u.at) < tagsAge {
			return u.ContactUpdate, id, nil
		}
	} else {
		id = known.id
		params, _ := unpack(r.packed.at(r.items.at(place).at))
		u := r.whole(&params, known.fields)
		if !r.needsTags(place) {
			return u, id, nil
		}
	}
	have, err := r.fresh(place)
	if err != nil {
		return nil, id, err
	}
	r.witnessed(place)
	params, _ := unpack(r.packed.at(r.items.at(place).at))
	return r.changes(&params, r.setBefore(place), have), id, nil
}

// witnessed records that a known id was found in the account.
func (r *syncRun) witnessed(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.witness.confirmed = r.witness.confirmed || r.items.at(place).status == itemChanged
}

// errOther means that a known id belongs to a contact with another email.
var errOther = errors.New("the contact has another email")

// fresh reads the contact of an item.
func (r *syncRun) fresh(place int) (*demeterrr.Contact, error) {
	id := r.ids.at(place)
	if id == "" {
		id = r.known[place].id
	}
	have, err := r.client.Contacts.Get(r.ctx, id, r.reading()...)
	if err == nil && !r.fits(place, have) {
		return nil, errOther
	}
	return have, err
}

// fits reports whether a contact has the email of an item. A reply without an
// email fits.
func (r *syncRun) fits(place int, c *demeterrr.Contact) bool {
	return c.Email == "" || mailbox.Key(c.Email) == mailbox.Key(r.email(place))
}

func (r *syncRun) isGone(err error) bool { return errors.Is(err, errOther) || isNotFound(err) }

// checkEmail fails if the contact just written has an email other than the
// item's. It also removes the item from the state.
func (r *syncRun) checkEmail(place int, c *demeterrr.Contact) error {
	if r.fits(place, c) {
		return nil
	}
	r.save(SyncEntry{Email: mailbox.Key(r.email(place))})
	return &failure{&apiError{
		Message: "the contact with the known id has another email in the account, and these fields were written to it; check that contact, then run Sync again to find this email",
	}, demeterrr.ErrUnknownOutcome}
}

// create creates the contact of an item, or updates the contact with its email.
func (r *syncRun) create(place int) {
	if r.over() != nil {
		return
	}
	var contact *demeterrr.Contact
	var outcome demeterrr.UpsertOutcome
	err := r.client.TraceOperation(r.ctx, "Contacts.Upsert", func(ctx context.Context) (err error) {
		contact, outcome, err = r.upsert(ctx, place)
		return err
	})
	id := ""
	if err == nil {
		id = contact.ID
		if outcome != demeterrr.UpsertUnchanged {
			err = r.checkEmail(place, contact)
		}
	}
	r.conclude(place, outcome, id, err)
}

// upsert is Contacts.Upsert with ClearEmpty and ManagedTags. A contact without
// a first name cannot be created, so upsert looks it up at once.
func (r *syncRun) upsert(ctx context.Context, place int) (*demeterrr.Contact, demeterrr.UpsertOutcome, error) {
	item := r.items.at(place)
	params, _ := unpack(r.packed.at(item.at))
	if item.status == itemMissing && !r.direct && params.FirstName == "" {
		return nil, "", params.Validate() // reading has shown that it is missing
	}
	var taken error
	for range 2 {
		if params.FirstName != "" {
			created, err := r.client.Contacts.Create(ctx, &params, r.writing()...)
			if err == nil {
				return created, demeterrr.UpsertCreated, nil
			}
			if !emailTaken(err) {
				return nil, "", inDoubt(err, taken)
			}
			if taken == nil || !errors.Is(taken, demeterrr.ErrUnknownOutcome) {
				taken = err
			}
		}
		have, err := r.client.Contacts.FindByEmail(ctx, params.Email, r.reading()...)
		if isNotFound(err) && params.FirstName == "" {
			return nil, "", params.Validate()
		}
		if err == nil {
			update := r.changes(&params, r.setBefore(place), have)
			if update == nil {
				return have, demeterrr.UpsertUnchanged, nil
			}
			if _, err = r.client.Contacts.Update(ctx, have.ID, update, r.writing()...); err == nil {
				return have, demeterrr.UpsertUpdated, nil
			}
		}
		if !isNotFound(err) {
			return nil, "", inDoubt(err, taken)
		}
	}
	return nil, "", taken // the create says it exists, the lookup says it does not: return the API's own error
}

// emailTaken reports whether a create failed because a contact has the email.
// Its error body may get lost, so a 409 without a code counts too.
func emailTaken(err error) bool {
	e, ok := asError(err)
	return ok && (e.Is(demeterrr.ErrContactExists) || e.StatusCode == http.StatusConflict && e.Code == "")
}

// inDoubt returns the error of a create with an unknown outcome, with err as
// its cause: that create may have made the contact. For any other create it
// returns err.
func inDoubt(err, create error) error {
	e, ok := asError(create)
	if !ok || err == nil || !e.Is(demeterrr.ErrUnknownOutcome) {
		return err
	}
	told := *e
	told.Message = withCause(e.Message, err)
	return &told
}

func asError(err error) (*demeterrr.Error, bool) { return errors.AsType[*demeterrr.Error](err) }

// conclude reports the outcome of a write and saves it in the state.
func (r *syncRun) conclude(place int, outcome demeterrr.UpsertOutcome, id string, err error) {
	if err == nil {
		r.save(r.clean(place, id))
	}
	if err = r.classify(err); r.isUntried(err) {
		return
	}
	params, _ := unpack(r.packed.at(r.items.at(place).at))
	r.finish(place, int(r.items.at(place).index), params, outcome, id, err)
	r.advance(func(p *SyncProgress) { p.Writes++ })
}

// isUntried reports whether a call was never made because the operation is
// over.
func (r *syncRun) isUntried(err error) bool {
	f, ok := err.(*failure) //nolint:errorlint // identity: a wrapping error is another failure
	return ok && r.over() != nil && f == r.untried
}

// fail reports an item with a failed reading.
func (r *syncRun) fail(place int, err error) {
	if !r.isUntried(err) {
		params, _ := unpack(r.packed.at(r.items.at(place).at))
		r.finish(place, int(r.items.at(place).index), params, "", "", err)
	}
}
