package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// Journal remembers the contacts that got a sequence, across runs, processes
// and crashes. With one, [Execute] messages each contact at most once.
// [OpenJournal] keeps a journal in a file, for one machine. Module sqlstore
// keeps it in a database, for any number of machines.
//
// A batch takes three steps:
//
//   - Claim records its emails as begun.
//   - The request follows at once.
//   - Finish records the outcome.
//
// If a process dies between the first and the last step, its emails stay begun.
// All processes leave them alone until a person resolves them. So a claim never
// expires.
//
// # Write your own journal
//
// Emails are keys made by [EmailKey]. A key of a key is the key itself. Compare
// keys byte by byte; a collation may treat different keys as equal. One call
// has 1 to 100 emails, all different. Each is valid UTF-8 and at most 320 bytes
// long.
//
// Each method is safe for concurrent use by every process that shares the
// journal. It returns soon after its context has ended. It returns an error for
// a sequence that it does not keep.
//
// The caller repeats a method after a connection error, so all three are
// idempotent. See [Execute] for the errors that count as such.
//
// To test your journal, use [demeterrrtest.TestJournal].
//
// [demeterrrtest.TestJournal]: https://pkg.go.dev/github.com/demeterrr/demeterrr-go/demeterrrtest#TestJournal
type Journal interface {
	// Lookup returns the entries of the emails in the journal, in any order. It
	// leaves out emails without an entry, and changes nothing.
	Lookup(ctx context.Context, sequenceID string, emails []string) ([]JournalEntry, error)

	// Claim records each email without an entry as JournalBegun under the
	// token. It returns the entries of all other emails, in any order. The
	// caller sends only to the emails missing from the result.
	//
	// Claim is atomic for each email. Of any number of concurrent claims, in
	// any process, exactly one gets it. Looking first and writing later breaks
	// this rule. The free emails of a call are claimed even if others are
	// taken. An email that is given back while Claim runs is either claimed or
	// returned as begun. So compute taken as the emails asked for minus the
	// emails read back under the token.
	//
	// Claim is durable: once it returns, the record survives a crash of the
	// machine.
	//
	// The token is new and random for each claim, with at most 64 letters and
	// digits. Claiming again with the same token and emails changes nothing:
	// emails begun under that token are missing from the result.
	//
	// After an error, any part may be recorded. The caller then sends nothing
	// and gives all emails back with Finish.
	Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []JournalEntry, err error)

	// Finish records the outcome of emails claimed under the token. It reads
	// the fields Email, State, Status and ContactID of an entry:
	//
	//   - JournalDone: the reply covered this email. Keep Status and ContactID.
	//   - JournalUnknown: the email may have been messaged.
	//   - JournalNew: nothing was sent. Forget the email, so that it can be
	//     claimed.
	//
	// Any other state is an error, and then nothing is recorded.
	//
	// Finish changes only emails that are begun under this token, whoever owns
	// them. It silently ignores emails of another token and emails that are
	// finished or unknown. So finishing again changes nothing.
	//
	// Finish is durable like Claim. After an error, each email is as it was or
	// finished.
	Finish(ctx context.Context, sequenceID, token string, entries []JournalEntry) error
}

// JournalState is the state of one email in a journal. Treat any other value as
// JournalUnknown.
type JournalState string

const (
	// JournalNew means that nothing was sent. A journal keeps no entry for such
	// an email.
	JournalNew JournalState = ""
	// JournalBegun means that the request was about to be sent. Its process is
	// still sending (see JournalEntry.Live) or has died.
	JournalBegun JournalState = "begun"
	// JournalUnknown means that the reply was lost. The email may have been
	// messaged.
	JournalUnknown JournalState = "unknown"
	// JournalDone means that the reply of the API covered this email, with any
	// status.
	JournalDone JournalState = "done"
)

// JournalEntry is the entry of one email in a journal.
type JournalEntry struct {
	// Email is a key made by [EmailKey], one of the emails asked for.
	Email string
	State JournalState
	// Live reports whether the process that began this may still be sending. It
	// is true right after Claim, for every process. It turns false when that
	// process can no longer be sending. In any state but JournalBegun it is
	// false.
	Live bool
	// Status is the status reported by the API if State is JournalDone; empty
	// if its reply left the contact out.
	Status demeterrr.ExecutionStatus
	// ContactID is the UUID of the contact if State is JournalDone; empty if
	// the reply left it out.
	ContactID string
	// Owner names the host and process that made the entry, for people; empty
	// if the journal does not keep it.
	Owner string
	// At is the time when the entry got its state; zero if the journal does not
	// keep it.
	At time.Time
}

// ErrInFlight matches the error of a contact that another process is sending to
// at this moment, according to the journal. This call sent nothing. Ask again
// in a few minutes: by then the contact is done, free or in doubt.
var ErrInFlight = errors.New("demeterrr: another process is sending to this contact")
