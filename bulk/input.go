package bulk

import (
	"iter"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

// Slice returns the items as the input of [Sync] or [Execute].
func Slice[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Collect returns the items of a sequence, such as
// [demeterrr.ContactsService.All]. At the first error it returns that error and
// the items before it. Collect a list of the account before [Execute] or [Sync]
// changes its contacts: a list in the order of the last change would shift under
// the reader, and people would be missed.
func Collect[T any](in iter.Seq2[T, error]) ([]T, error) {
	if in == nil {
		return nil, invalid("the sequence is nil; an empty one yields nothing")
	}
	var items []T
	for item, err := range in {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// EmailKey returns the form of an email by which this package tells people apart:
// two emails have the same key if they differ in nothing but case. Use it to find
// a report's emails in your own data, or for a [Journal] of your own.
func EmailKey(email string) string { return mailbox.Key(email) }
