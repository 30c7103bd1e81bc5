package bulk

import (
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go"
)

// changes returns the update that makes a contact of the account match the
// input; nil if it matches. before are the fields set by this source.
func (r *syncRun) changes(c *demeterrr.ContactParams, before string, have *demeterrr.Contact) *demeterrr.ContactUpdate {
	gone := r.toClear(c, before)
	wanted := *c
	if wanted.Tags == nil && slices.Contains(gone, "tags") {
		wanted.Tags = []string{}
	}
	wanted.Tags = r.withForeignTags(wanted.Tags, have.Tags)
	u := wanted.Changes(have)
	gone = slices.DeleteFunc(gone, func(name string) bool { return !holds(have, name) })
	if len(gone) == 0 {
		return u
	}
	if u == nil {
		u = &demeterrr.ContactUpdate{}
	}
	return clearFields(u, gone)
}

// whole returns the update with all content of the input, for a contact that
// was not read; nil if there is no content. It leaves managed tags out, as they
// depend on a reading.
func (r *syncRun) whole(c *demeterrr.ContactParams, before string) *demeterrr.ContactUpdate {
	u := &demeterrr.ContactUpdate{}
	setText(&u.FirstName, c.FirstName)
	setText(&u.LastName, c.LastName)
	setText(&u.Phone, c.Phone)
	setText(&u.Title, c.Title)
	setText(&u.PreferredLanguage, c.PreferredLanguage)
	if len(c.CustomFields) > 0 {
		u.CustomFields = demeterrr.Set(c.CustomFields)
	}
	gone := r.toClear(c, before)
	switch {
	case r.options.ManagedTags != nil:
	case c.Tags != nil:
		u.Tags = demeterrr.Set(c.Tags)
	case slices.Contains(gone, "tags"):
		u.Tags = demeterrr.Set([]string{})
	}
	u = clearFields(u, gone)
	if u.FirstName.IsZero() && u.LastName.IsZero() && u.Phone.IsZero() && u.Title.IsZero() && u.PreferredLanguage.IsZero() && u.CustomFields.IsZero() && u.Tags.IsZero() {
		return nil
	}
	return u
}

func setText[T ~string](o *demeterrr.Opt[T], text T) {
	if text != "" {
		*o = demeterrr.Set(text)
	}
}

// toClear returns the fields that this source has set and that are now empty.
func (r *syncRun) toClear(c *demeterrr.ContactParams, before string) []string {
	if !r.options.ClearEmpty || before == "" {
		return nil
	}
	return goneFields(before, r.fields.of(c))
}

// withForeignTags returns the wanted tags plus the contact's tags that this
// source does not manage.
func (r *syncRun) withForeignTags(wanted, have []string) []string {
	if wanted == nil || r.options.ManagedTags == nil {
		return wanted
	}
	tags := slices.Clone(wanted)
	for _, tag := range have {
		if !slices.Contains(r.options.ManagedTags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// unmanaged returns an error for a contact with a tag outside ManagedTags.
func (r *syncRun) unmanaged(c *demeterrr.ContactParams) error {
	if r.options.ManagedTags == nil {
		return nil
	}
	for i, tag := range c.Tags {
		if !slices.Contains(r.options.ManagedTags, tag) {
			return invalid("tag %d of the contact is not in ManagedTags; add it there, or leave it out", i+1)
		}
	}
	return nil
}

// holds reports whether a field of the contact has content.
func holds(c *demeterrr.Contact, name string) bool {
	switch name {
	case "lastName":
		return c.LastName != ""
	case "phone":
		return c.Phone != ""
	case "title":
		return c.Title != ""
	case "preferredLanguage":
		return c.PreferredLanguage != ""
	case "tags": // Changes has handled them
		return false
	}
	value := c.CustomFields[strings.TrimPrefix(name, customField)]
	return value != nil && value != ""
}

// clearFields adds cleared fields to an update. A custom field becomes an empty
// text, because the API documents no null for the value of one.
func clearFields(u *demeterrr.ContactUpdate, names []string) *demeterrr.ContactUpdate {
	custom := map[string]any{}
	for _, name := range names {
		switch name {
		case "lastName":
			u.LastName = demeterrr.Null[string]()
		case "phone":
			u.Phone = demeterrr.Null[string]()
		case "title":
			u.Title = demeterrr.Null[string]()
		case "preferredLanguage":
			u.PreferredLanguage = demeterrr.Null[demeterrr.Language]()
		default:
			if key, ok := strings.CutPrefix(name, customField); ok {
				custom[key] = ""
			}
		}
	}
	if len(custom) == 0 {
		return u
	}
	set, _ := u.CustomFields.Get()
	for key, value := range set {
		custom[key] = value
	}
	u.CustomFields = demeterrr.Set(custom)
	return u
}
