package bulk

import (
	"iter"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

// Slice returns the items as an input for [Sync] or [Execute].
func Slice[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Collect returns all items of an iterator, such as
// [demeterrr.ContactsService.All]. At the first error it returns that error and
// the items before it.
//
// Collect a list of the account before [Execute] or [Sync] changes its
// contacts. A lazy list, ordered by last change, would shift while it is read,
// and contacts would be missed.
func Collect[T any](in iter.Seq2[T, error]) ([]T, error) {
	if in == nil {
		return nil, invalid("the sequence is nil; an empty one is an iterator that yields nothing")
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

// EmailKey returns the form of an email that identifies a person in this
// package. Two emails have the same key if they differ only in case. Composed
// and decomposed letters differ: if your emails may have both, convert them
// with package golang.org/x/text/unicode/norm. Use EmailKey to match a report
// with your own data, or in a [Journal] of your own.
func EmailKey(email string) string { return mailbox.Key(email) }
