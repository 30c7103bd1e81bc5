package bulk

import (
	"context"
	"errors"
)

// SyncState remembers what [Sync] last sent for each email, so that the next
// Sync sends the difference without reading the account. [OpenSyncState] keeps
// one in a file. A state is for one source of contacts and one account.
//
// It is an interface so that a database can keep one. Emails in its calls are as
// [EmailKey] gives them, each once in a call, 1,000 at most. The methods may be
// called concurrently. What a state does not know costs requests and never data,
// so an entry may get lost. It must never come back as clean when a later Save
// made it dirty.
type SyncState interface {
	// Acquire takes the state for one run and returns how to give it back, which is called once. address is the API's
	// base URL. The first Save binds the state to it. The error matches [ErrStateMismatch] if the state belongs to
	// another address, and [ErrStateInUse] if another run has the state.
	Acquire(ctx context.Context, address string) (release func(), err error)
	// Lookup returns what the state knows of the emails, in any order. It leaves out unknown emails.
	Lookup(ctx context.Context, emails []string) ([]SyncEntry, error)
	// Save replaces the entries of their emails, and returns when they will survive a crash of the machine. An entry
	// that has nothing but its email removes it. Save fails once another run has taken the state, and Sync calls it
	// before its first write. It serves the run that acquired the state last.
	Save(ctx context.Context, entries []SyncEntry) error
}

// SyncEntry is what a [SyncState] knows of one email. All but the email may be
// empty.
type SyncEntry struct {
	Email     string
	ContactID string
	// Fingerprint stands for what was sent. Sync compares it, a state only keeps it.
	Fingerprint SyncFingerprint
	// Fields names the fields that this source may have set, as text of any length for Sync alone. Most contacts
	// share one.
	Fields string
	// Dirty entries were about to be sent, and nothing says that they were. Sync always sends them.
	Dirty bool
}

// SyncFingerprint stands for the content of a contact. Its first byte is the
// version of the rules that made it.
type SyncFingerprint [24]byte

var (
	// ErrStateMismatch means that a [SyncState] belongs to another account: to one at another address, or to one that
	// has none of three contacts which the state knows. Nothing was created. At the same address, an input with fewer
	// than three known contacts is not checked.
	ErrStateMismatch = errors.New("the sync state belongs to another account")
	// ErrStateInUse means that another run has the [SyncState]. Try again when that has ended.
	ErrStateInUse = errors.New("the sync state is in use by another run")
)
