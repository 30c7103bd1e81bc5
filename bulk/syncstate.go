package bulk

import (
	"context"
	"errors"
)

// SyncState remembers what [Sync] last sent for each email. The next Sync then
// sends the difference without reading the account. A state is for one source
// of contacts and one account. [OpenSyncState] keeps one in a file.
//
// SyncState is an interface so that a database can keep one. The emails of a
// call are keys made by [EmailKey], all different, 1,000 at most. The methods
// may be called concurrently.
//
// A state may lose entries: missing ones cost requests, and the data stays
// right. But an older, clean version of an entry must never replace a later,
// dirty one.
type SyncState interface {
	// Acquire takes the state for one run and returns a function to release it,
	// which is called once. address is the API's base URL; the first Save binds
	// the state to it. The error matches [ErrStateMismatch] if the state
	// belongs to another address, and [ErrStateInUse] if another run has the
	// state.
	Acquire(ctx context.Context, address string) (release func(), err error)
	// Lookup returns the entries of the emails in the state, in any order. It
	// leaves out unknown emails.
	Lookup(ctx context.Context, emails []string) ([]SyncEntry, error)
	// Save replaces the entries of their emails. It is durable: once it
	// returns, they survive a crash of the machine. An entry with nothing but
	// an email removes that email.
	//
	// Save serves the run that acquired the state last. For an earlier run it
	// fails. Sync calls it before its first write, so it notices a lost state
	// in time.
	Save(ctx context.Context, entries []SyncEntry) error
}

// SyncEntry is the entry of one email in a [SyncState]. Every field but Email
// may be empty.
type SyncEntry struct {
	Email     string
	ContactID string
	// Fingerprint identifies the content last sent. A state keeps it for Sync
	// to compare.
	Fingerprint SyncFingerprint
	// Fields names the fields that this source may have set, as text of any
	// length. Its format is private to Sync. Most contacts share one text.
	Fields string
	// Dirty marks a contact that was about to be sent, with an unconfirmed
	// outcome. Sync always sends it again.
	Dirty bool
}

// SyncFingerprint identifies the content of a contact. Its first byte is the
// version of the hashing rules.
type SyncFingerprint [24]byte

var (
	// ErrStateMismatch means that a [SyncState] belongs to another account. Its
	// address differs, or the account has none of three contacts in the state.
	// Sync then creates nothing. At the same address, Sync can check only an
	// input with at least three contacts in the state.
	ErrStateMismatch = errors.New("the sync state belongs to another account")
	// ErrStateInUse means that another run has the [SyncState]. Try again after
	// that run.
	ErrStateInUse = errors.New("the sync state is in use by another run")
)
