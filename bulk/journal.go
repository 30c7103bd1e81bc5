package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// Journal remembers to whom a sequence was sent, across runs, processes and
// crashes. With one, [Execute] sends to nobody twice. [OpenJournal] keeps one in a
// file, for one machine. Module sqlstore keeps one in a database, for any number.
//
// A sending takes three steps. Claim records the emails as begun. The request
// follows at once. Finish records its outcome. If a process dies between the two,
// its emails stay begun, and nobody sends to them until a person has looked. So a
// claim never expires.
//
// # What a journal of your own must do
//
// Emails are keys, as [EmailKey] makes them. Applying it again changes nothing.
// Compare them byte by byte, not by a collation. One call has 1 to 100 emails, no two of
// them equal. Each is valid UTF-8 and at most 320 bytes long.
//
// Each method is safe for concurrent use, by every process that shares the
// journal. It returns soon after its context has ended. It returns an error for a
// sequence that the journal does not keep.
//
// The caller repeats a method that fails with a connection error, so all three
// are idempotent. See [Execute] for the errors that count as such.
//
// [demeterrrtest.TestJournal] tests all of this.
//
// [demeterrrtest.TestJournal]: https://pkg.go.dev/github.com/demeterrr/demeterrr-go/demeterrrtest#TestJournal
type Journal interface {
	// Lookup returns the entries of the emails that the journal knows, in any
	// order. Unknown emails are left out. It changes nothing.
	Lookup(ctx context.Context, sequenceID string, emails []string) ([]JournalEntry, error)

	// Claim records as JournalBegun, under the token, each email that the journal
	// does not know. It returns the entries of all the others, in any order. The
	// caller sends to the emails that are not returned, and to no others.
	//
	// Claim is atomic for each email: of any number of concurrent claims, in any
	// process, exactly one gets it. A claim that looks first and writes later is
	// wrong. One email that is taken does not keep the others from being claimed. An
	// email that is given back while Claim runs is claimed, or returned as begun. So
	// taken is what was asked for, minus what is read back under the token.
	//
	// Claim is durable: it returns when the record survives a crash of the machine.
	//
	// The token is new and random for each claim, of at most 64 letters and
	// digits. Claiming again with the same token and emails changes nothing: emails
	// that are begun under it are not returned.
	//
	// After an error, any part may be recorded. The caller sends nothing then, and
	// gives all the emails back with Finish.
	Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []JournalEntry, err error)

	// Finish records what became of emails that were claimed under the token. Of an
	// entry it reads Email, State, Status and ContactID:
	//
	//   - JournalDone: the reply was about this email. Keep Status and ContactID.
	//   - JournalUnknown: the email may have been sent to.
	//   - JournalNew: nothing was sent. Forget the email, so that it can be claimed.
	//
	// Any other state is an error, and nothing is recorded.
	//
	// Finish changes only emails that are begun under this token. It ignores, without
	// an error, emails of another token, finished ones and unknown ones. So finishing
	// again changes nothing, and the owner does not matter.
	//
	// Finish is durable as Claim is. An error leaves each email as it was, or
	// finished.
	Finish(ctx context.Context, sequenceID, token string, entries []JournalEntry) error
}

// JournalState is what a journal knows of one email. Treat a state that you do
// not know as JournalUnknown.
type JournalState string

const (
	// JournalNew is the state of an email to which nothing was sent. A journal keeps no entry for it.
	JournalNew JournalState = ""
	// JournalBegun is the state of an email whose request was about to be sent. Its process is at it (see JournalEntry.Live), or has died.
	JournalBegun JournalState = "begun"
	// JournalUnknown is the state of an email whose reply was lost. It may have been sent to.
	JournalUnknown JournalState = "unknown"
	// JournalDone is the state of an email that the API's reply was about, whatever its status.
	JournalDone JournalState = "done"
)

// JournalEntry is what a journal knows of one email.
type JournalEntry struct {
	// Email is a key, as [EmailKey] makes it: one of those that were asked for.
	Email string
	State JournalState
	// Live is the journal's word that the process which began this may still be at it. It is true right after Claim, for
	// every process. It is false unless State is JournalBegun, and turns false when the process cannot be at it any more.
	Live bool
	// Status is what the API said, if State is JournalDone; empty if its reply did not name the contact.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact, if State is JournalDone; empty if the reply did not tell.
	ContactID string
	// Owner names the host and the process that made the entry, for people; empty if the journal does not keep it.
	Owner string
	// At is when the entry got its state; zero if the journal does not keep it.
	At time.Time
}

// ErrInFlight matches the error of a contact to whom another process is sending
// at this moment, says the journal. Nothing was sent now. Ask again in a few
// minutes: the contact is done then, free again, or in doubt.
var ErrInFlight = errors.New("demeterrr: another process is sending to this contact")
