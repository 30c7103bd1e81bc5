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

// write sends what is to be written: changes first, as they show whether the
// account is the one that the state knows, then what may be new.
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

// change updates a contact that the account or the state has. If somebody else has
// deleted it meanwhile, it is left to create.
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

// lose leaves an item to create, whose contact of a known id is not there or is
// another's. The state forgets an id of another's.
func (r *syncRun) lose(place int, id string, err error) {
	_ = r.classify(err) // the service is there
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

// tagsAge is how long tags that were read are good for being kept: a PATCH
// replaces all of them.
const tagsAge = time.Minute

// updateOf is the update of an item, and the contact's id. It reads the contact
// first, where tags that this source does not manage depend on it.
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

// witnessed notes that the account has the contact of an item, whose id may be the
// state's.
func (r *syncRun) witnessed(place int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.witness.confirmed = r.witness.confirmed || r.items.at(place).status == itemChanged
}

// errOther means that the contact of a known id has another email: it is another.
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

// fits reports whether a contact has an item's email, as far as the reply tells.
func (r *syncRun) fits(place int, c *demeterrr.Contact) bool {
	return c.Email == "" || mailbox.Key(c.Email) == mailbox.Key(r.email(place))
}

func (r *syncRun) isGone(err error) bool { return errors.Is(err, errOther) || isNotFound(err) }

// checkEmail fails if a contact that was just written has another email than the
// item, and makes the state forget it.
func (r *syncRun) checkEmail(place int, c *demeterrr.Contact) error {
	if r.fits(place, c) {
		return nil
	}
	r.save(SyncEntry{Email: mailbox.Key(r.email(place))})
	return &failure{&apiError{
		Message: "the contact of the known id has another email in the account, and got these fields; check it there, and run Sync again, which looks for this email anew",
	}, demeterrr.ErrUnknownOutcome}
}

// create makes the contact of an item, or updates the one that has its email.
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

// upsert is Contacts.Upsert, with ClearEmpty and ManagedTags. A contact without a
// first name cannot be created, so that it is looked for at once.
func (r *syncRun) upsert(ctx context.Context, place int) (*demeterrr.Contact, demeterrr.UpsertOutcome, error) {
	item := r.items.at(place)
	params, _ := unpack(r.packed.at(item.at))
	if item.status == itemMissing && !r.direct && params.FirstName == "" {
		return nil, "", params.Validate() // it was looked for
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
	return nil, "", taken // it exists, and cannot be found: the API's own words say it best
}

// emailTaken reports whether a create met a contact that has the email. The body
// that says so can get lost, so a 409 that gives no reason counts as one.
func emailTaken(err error) bool {
	e, ok := asError(err)
	return ok && (e.Is(demeterrr.ErrContactExists) || e.StatusCode == http.StatusConflict && e.Code == "")
}

// inDoubt is the error of a create, with err as the reason why its outcome stays
// unknown: a create whose reply was lost may have made the contact. Else it is err.
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

// conclude reports how the write of an item ended, and tells the state.
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

// isUntried reports whether an error says that a call was not made because the
// operation is over.
func (r *syncRun) isUntried(err error) bool {
	f, ok := err.(*failure) //nolint:errorlint // itself, and not one that wraps it
	return ok && r.over() != nil && f == r.untried
}

// fail reports an item that could not be read.
func (r *syncRun) fail(place int, err error) {
	if !r.isUntried(err) {
		params, _ := unpack(r.packed.at(r.items.at(place).at))
		r.finish(place, int(r.items.at(place).index), params, "", "", err)
	}
}
