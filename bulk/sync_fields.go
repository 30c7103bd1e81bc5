package bulk

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/demeterrr/demeterrr-go"
)

// customField is the prefix of custom fields in a list of field names.
const customField = "customFields."

// clearable returns the names of the contact's fields that ClearEmpty can clear
// one day, sorted. An empty list of tags counts as set.
func clearable(c *demeterrr.ContactParams) []string {
	names := make([]string, 0, 5+len(c.CustomFields))
	for key := range c.CustomFields {
		names = append(names, customField+key)
	}
	for i, set := range standardFields(c) {
		if set {
			names = append(names, []string{"lastName", "phone", "preferredLanguage", "tags", "title"}[i])
		}
	}
	slices.Sort(names)
	return names
}

// standardFields reports the standard fields that a contact sets.
func standardFields(c *demeterrr.ContactParams) [5]bool {
	return [5]bool{c.LastName != "", c.Phone != "", c.PreferredLanguage != "", c.Tags != nil, c.Title != ""}
}

// fieldTexts turns the fields of contacts into [SyncEntry.Fields]. Contacts
// with the same fields share one text.
type fieldTexts struct {
	mu    sync.Mutex
	texts map[string]string // by shape
	shape []byte
	keys  []string
}

// of returns the text of a contact.
func (f *fieldTexts) of(c *demeterrr.ContactParams) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shape = f.shape[:0]
	for i, set := range standardFields(c) {
		if set {
			f.shape = append(f.shape, byte(i))
		}
	}
	f.shape = append(f.shape, '|')
	f.keys = slices.AppendSeq(f.keys[:0], maps.Keys(c.CustomFields))
	slices.Sort(f.keys)
	for _, key := range f.keys {
		f.shape = appendText(f.shape, key)
	}
	text, ok := f.texts[string(f.shape)]
	if !ok {
		if f.texts == nil {
			f.texts = map[string]string{}
		}
		text = fieldText(clearable(c))
		f.texts[string(f.shape)] = text
	}
	return text
}

// fieldText returns the text of names; empty for no names.
func fieldText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	text, _ := json.Marshal(names) // strings can always be encoded
	return string(text)
}

// fieldNames is the inverse of fieldText. It returns nil for a text in another
// format.
func fieldNames(text string) (names []string) {
	if text == "" || json.Unmarshal([]byte(text), &names) != nil {
		return nil
	}
	return names
}

// joinFields returns the text of the union of two texts.
func joinFields(a, b string) string {
	if a == b || b == "" {
		return a
	}
	if a == "" {
		return b
	}
	names := append(fieldNames(a), fieldNames(b)...)
	slices.Sort(names)
	return fieldText(slices.Compact(names))
}

// goneFields returns the names that are in before and missing in now.
func goneFields(before, now string) []string {
	if before == now || before == "" {
		return nil
	}
	have := fieldNames(now)
	return slices.DeleteFunc(fieldNames(before), func(name string) bool {
		_, found := slices.BinarySearch(have, name)
		return found
	})
}
