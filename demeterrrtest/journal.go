package demeterrrtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// Journal is a [bulk.Journal] in memory, for tests of programs that use
// [bulk.Execute] or [bulk.ExecuteOnce]. It keeps any number of sequences and is
// safe for concurrent use. Make one with [NewJournal]; the zero value is
// unusable.
//
// A Journal is the view of one process. [Journal.Process] returns the view of
// another process on the same memory. [Journal.Close] ends a process like a
// crash: its open claims stay begun and are no longer Live. Live depends on
// Close alone, whatever the clock says.
//
// It enforces the rules of [bulk.Journal] on its caller: a call has 1 to 100
// emails, all different, and a token has 1 to 64 letters and digits.
type Journal struct {
	memory *journalMemory
	owner  string
	closed bool // guarded by memory.mu
}

// journalMemory is shared by the processes of a journal.
type journalMemory struct {
	mu        sync.Mutex
	sequences map[string]map[string]*journalRecord // by id, then by key of the email
}

// journalRecord is one entry with the claim that made it.
type journalRecord struct {
	entry   bulk.JournalEntry
	token   string
	process *Journal
}

// NewJournal returns an empty journal. The Owner of its entries is "test".
func NewJournal() *Journal {
	return &Journal{memory: &journalMemory{sequences: map[string]map[string]*journalRecord{}}, owner: "test"}
}

// Process returns the journal as seen by another process, which makes entries
// with this Owner. It also works after Close: to play a restart, close a
// journal and take a new Process.
func (j *Journal) Process(owner string) *Journal {
	if j == nil || j.memory == nil {
		misuse("Process: the journal was not made by NewJournal")
	}
	return &Journal{memory: j.memory, owner: owner}
}

// Close ends the process. Its open claims are no longer Live, and its methods
// Lookup, Claim and Finish fail. Other processes go on. A second call does
// nothing.
func (j *Journal) Close() error {
	if j == nil || j.memory == nil {
		return nil
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	j.closed = true
	return nil
}

// Entries returns all entries of a sequence, sorted by email. It also works
// after Close.
func (j *Journal) Entries(sequenceID string) []bulk.JournalEntry {
	if j == nil || j.memory == nil {
		return nil
	}
	j.memory.mu.Lock()
	defer j.memory.mu.Unlock()
	var entries []bulk.JournalEntry
	for _, record := range j.memory.sequences[sequenceID] {
		entries = append(entries, record.seen())
	}
	slices.SortFunc(entries, func(a, b bulk.JournalEntry) int { return strings.Compare(a.Email, b.Email) })
	return entries
}

// Lookup returns the entries of the emails in the journal.
func (j *Journal) Lookup(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
	keys, err := journalKeys(emails)
	if err != nil {
		return nil, err
	}
	records, unlock, err := j.lock(ctx, sequenceID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var known []bulk.JournalEntry
	for _, key := range keys {
		if record := records[key]; record != nil {
			known = append(known, record.seen())
		}
	}
	return known, nil
}

// Claim records the free emails as begun and returns the entries of the others.
func (j *Journal) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	if err := checkToken(token); err != nil {
		return nil, err
	}
	keys, err := journalKeys(emails)
	if err != nil {
		return nil, err
	}
	records, unlock, err := j.lock(ctx, sequenceID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, key := range keys {
		record := records[key]
		switch {
		case record == nil:
			entry := bulk.JournalEntry{Email: key, State: bulk.JournalBegun, Owner: j.owner, At: time.Now()}
			records[key] = &journalRecord{entry, token, j}
		case !record.begunUnder(token):
			taken = append(taken, record.seen())
		}
	}
	return taken, nil
}

// Finish records the outcome of emails that are begun under the token.
func (j *Journal) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	if err := checkToken(token); err != nil {
		return err
	}
	emails := make([]string, len(entries))
	for i, entry := range entries {
		emails[i] = entry.Email
		switch entry.State {
		case bulk.JournalNew, bulk.JournalUnknown, bulk.JournalDone:
		default:
			return fmt.Errorf("demeterrrtest: an entry cannot be finished as %q; use JournalNew, JournalUnknown or JournalDone", entry.State)
		}
	}
	keys, err := journalKeys(emails)
	if err != nil {
		return err
	}
	records, unlock, err := j.lock(ctx, sequenceID)
	if err != nil {
		return err
	}
	defer unlock()
	for i, entry := range entries {
		record := records[keys[i]]
		if record == nil || !record.begunUnder(token) {
			continue
		}
		record.entry.State, record.entry.At = entry.State, time.Now()
		switch entry.State {
		case bulk.JournalNew:
			delete(records, keys[i])
		case bulk.JournalDone:
			record.entry.Status, record.entry.ContactID = entry.Status, entry.ContactID
		case bulk.JournalBegun, bulk.JournalUnknown: // nothing else to keep
		}
	}
	return nil
}

// lock returns the records of a sequence and a function to unlock them.
func (j *Journal) lock(ctx context.Context, sequenceID string) (records map[string]*journalRecord, unlock func(), err error) {
	switch {
	case j == nil || j.memory == nil:
		return nil, nil, errors.New("demeterrrtest: the journal was not made by NewJournal")
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case sequenceID == "":
		return nil, nil, errors.New("demeterrrtest: the sequence id is empty")
	}
	m := j.memory
	m.mu.Lock()
	if j.closed {
		m.mu.Unlock()
		return nil, nil, errors.New("demeterrrtest: the journal is closed; call Process for a new one")
	}
	if m.sequences[sequenceID] == nil {
		m.sequences[sequenceID] = map[string]*journalRecord{}
	}
	return m.sequences[sequenceID], m.mu.Unlock, nil
}

// seen returns the entry as a reader sees it now. The lock is held.
func (r *journalRecord) seen() bulk.JournalEntry {
	entry := r.entry
	entry.Live = entry.State == bulk.JournalBegun && !r.process.closed
	return entry
}

func (r *journalRecord) begunUnder(token string) bool {
	return r.entry.State == bulk.JournalBegun && r.token == token
}

// The limits of [bulk.Journal].
const (
	maxJournalEmails = 100
	maxJournalToken  = 64
)

// journalKeys checks the emails of one call and returns their keys.
func journalKeys(emails []string) ([]string, error) {
	if len(emails) < 1 || len(emails) > maxJournalEmails {
		return nil, fmt.Errorf("demeterrrtest: a call of a journal has 1 to %d emails, this one has %d", maxJournalEmails, len(emails))
	}
	keys, seen := make([]string, len(emails)), map[string]bool{}
	for i, email := range emails {
		keys[i] = bulk.EmailKey(email)
		switch {
		case email == "":
			return nil, fmt.Errorf("demeterrrtest: email %d of %d is empty", i+1, len(emails))
		case seen[keys[i]]:
			return nil, fmt.Errorf("demeterrrtest: email %d of %d appears twice in one call of a journal", i+1, len(emails))
		}
		seen[keys[i]] = true
	}
	return keys, nil
}

func checkToken(token string) error {
	letterOrDigit := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' }
	if other := strings.TrimFunc(token, letterOrDigit); token == "" || len(token) > maxJournalToken || other != "" {
		return fmt.Errorf("demeterrrtest: the token of a claim has 1 to %d letters and digits; make one with rand.Text of crypto/rand", maxJournalToken)
	}
	return nil
}
