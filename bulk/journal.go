package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/journalfile"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Journal remembers, across runs and crashes, to whom a sequence was sent, so
// that [Execute] sends it to nobody twice. [OpenJournal] keeps
// one in a file; a table in a database makes another. A journal that is asked
// about a sequence which is not its own returns an error.
//
// Emails are lower-cased. The methods may be called concurrently. The context of
// Begin and Finish does not end with the run's.
type Journal interface {
	// Entry returns what is known of an email; the zero JournalEntry if nothing is.
	Entry(ctx context.Context, sequenceID, email string) (JournalEntry, error)
	// Begin records JournalBegun for the emails and returns when that will survive a crash of the machine. The request
	// is sent next, unless there is an error: an email that the journal knows already is one.
	Begin(ctx context.Context, sequenceID string, emails []string) error
	// Finish records what became of emails that were begun. Those whose State is JournalNew were not sent to, and are forgotten.
	Finish(ctx context.Context, sequenceID string, entries []JournalEntry) error
}

// JournalState is what a journal knows of one contact.
type JournalState string

const (
	// JournalNew is the state of those who have been sent nothing.
	JournalNew JournalState = ""
	// JournalBegun is the state of those who may have been sent something: the request was about to be sent, and nothing
	// is known of its outcome. Execute reports them as unknown and leaves them alone.
	JournalBegun JournalState = "begun"
	// JournalDone is the state of those whom the API's reply was about.
	JournalDone JournalState = "done"
)

// JournalEntry is what a journal knows of one email.
type JournalEntry struct {
	// Email is lower-cased.
	Email string
	State JournalState
	// Status is what the API said, if State is JournalDone; empty if its reply did not name the contact.
	Status demeterrr.ExecutionStatus
}

// FileJournal is a [Journal] in a file of JSON lines, which people and programs
// can read. Make one with [OpenJournal]. The zero FileJournal cannot be used.
type FileJournal struct {
	sequenceID string
	file       *journalfile.File

	mu    sync.Mutex
	begun map[string]struct{}
	done  map[string]demeterrr.ExecutionStatus
}

// journalHeader is the first line of the file.
type journalHeader struct {
	Journal    string `json:"journal"`
	Version    int    `json:"version"`
	SequenceID string `json:"sequenceId"`
}

// journalLine is any other line. A line is written at once, so that what it says
// holds as a whole or not at all.
type journalLine struct {
	At        time.Time                              `json:"at"`
	Begun     []string                               `json:"begun,omitempty"`
	Done      map[demeterrr.ExecutionStatus][]string `json:"done,omitempty"` // by status
	NotSent   []string                               `json:"notSent,omitempty"`
	Forgotten []string                               `json:"forgotten,omitempty"`
}

// OpenJournal opens the journal of one sequence in the file at path, or creates
// it. It fails if the file belongs to another sequence, is not a journal, or is
// already open, in this process or another one. A process that was killed leaves
// it free. Close it after use. All emails in the file are held in memory.
//
// A journal is for one campaign: whoever is in it is not sent to again, however
// long ago it was. Use a new file for the next one.
//
// A crash can cut the last line short. That line is dropped, as what it announced
// was not done yet. Any other line that makes no sense is an error.
//
// Leave the file alone while it is open. If another program replaces, removes or
// resizes it, as editors do, the journal fails and Execute stops before it
// sends to anybody else. An edit that keeps the file and its size goes unnoticed.
//
// The file is locked while it is open. Solaris, AIX, Plan 9 and WebAssembly have
// no such locks: OpenJournal fails there and creates no file. Use a Journal of
// your own, in a database for example.
func OpenJournal(path, sequenceID string) (*FileJournal, error) {
	if err := validate.ID(sequenceID); err != nil {
		return nil, invalid("journal: %s", err)
	}
	j := &FileJournal{sequenceID: sequenceID, begun: map[string]struct{}{}, done: map[string]demeterrr.ExecutionStatus{}}
	header, err := json.Marshal(journalHeader{Journal: "demeterrr", Version: 1, SequenceID: sequenceID})
	if err != nil {
		return nil, err
	}
	if j.file, err = journalfile.Open(path, header, j.checkHeader, j.replay); err != nil {
		return nil, because(fmt.Sprintf("journal %s cannot be opened", path), err)
	}
	return j, nil
}

// checkHeader refuses the files of others.
func (j *FileJournal) checkHeader(line []byte) error {
	var h journalHeader
	switch err := json.Unmarshal(line, &h); {
	case err != nil || h.Journal != "demeterrr":
		return journalfile.ErrForeign
	case h.Version != 1:
		return fmt.Errorf("it has version %d, this program knows version 1 only", h.Version)
	}
	return sameSequence(h.SequenceID, j.sequenceID)
}

// usable refuses a journal that OpenJournal did not make, and the ids of other sequences.
func (j *FileJournal) usable(sequenceID string) error {
	if !j.made() {
		return errNotMade()
	}
	return sameSequence(j.sequenceID, sequenceID)
}

func (j *FileJournal) made() bool { return j != nil && j.file != nil }

func errNotMade() *demeterrr.Error { return invalid("the journal was not made by OpenJournal") }

// sameSequence refuses a sequence other than the journal's own.
func sameSequence(own, asked string) error {
	if asked != own {
		return invalid("this journal belongs to sequence %s, not to %s; use a separate file for each sequence and campaign", own, asked)
	}
	return nil
}

// replay takes in a line of the file, which people may have edited: what it does
// not understand is refused, because those whom it names would be sent to again.
func (j *FileJournal) replay(line []byte) error {
	var l journalLine
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&l); err != nil || l.apply(j) != elements(line) {
		return errors.New("it must have no members but at, begun, done, notSent and forgotten, each once, with lists of emails") // err may quote an email
	}
	return nil
}

// elements counts the strings in the lists of a line. A member that stands in it
// twice has more of them than json decodes.
func elements(line []byte) (n int) {
	in, list := json.NewDecoder(bytes.NewReader(line)), false
	for {
		switch token, err := in.Token(); token := token.(type) {
		case json.Delim:
			list = token == '['
		case string:
			if list {
				n++
			}
		case nil:
			if err != nil {
				return n
			}
		}
	}
}

// apply makes a journal know what a line says, and returns how many emails that were.
func (l *journalLine) apply(j *FileJournal) (n int) {
	for _, email := range l.Begun {
		n++
		j.begun[mailbox.Key(email)] = struct{}{}
	}
	for status, emails := range l.Done {
		for _, email := range emails {
			n++
			delete(j.begun, mailbox.Key(email))
			j.done[mailbox.Key(email)] = status
		}
	}
	for _, email := range slices.Concat(l.NotSent, l.Forgotten) {
		n++
		delete(j.begun, mailbox.Key(email))
	}
	return n
}

// write puts a line on the disk, and takes it in if it is there. j.mu is held.
func (j *FileJournal) write(l *journalLine) error {
	l.At = time.Now().UTC().Truncate(time.Millisecond)
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := j.file.Append(line); err != nil {
		return err
	}
	l.apply(j)
	return nil
}

func (j *FileJournal) entry(email string) JournalEntry {
	email = mailbox.Key(email)
	if status, ok := j.done[email]; ok {
		return JournalEntry{Email: email, State: JournalDone, Status: status}
	}
	if _, ok := j.begun[email]; ok {
		return JournalEntry{Email: email, State: JournalBegun}
	}
	return JournalEntry{Email: email}
}

// Entry returns what the journal knows of an email.
func (j *FileJournal) Entry(_ context.Context, sequenceID, email string) (JournalEntry, error) {
	if err := j.usable(sequenceID); err != nil {
		return JournalEntry{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entry(email), nil
}

// Begin records, on the disk, that the sequence is about to be sent to the emails.
func (j *FileJournal) Begin(_ context.Context, sequenceID string, emails []string) error {
	if err := j.usable(sequenceID); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, email := range emails {
		if err := validate.Email(email); err != nil {
			return invalid("email %d of the batch: %s", i+1, err)
		}
		if e := j.entry(email); e.State != JournalNew {
			return fmt.Errorf("email %d of the batch is in the journal as %s already", i+1, e.State)
		}
	}
	return j.write(&journalLine{Begun: emails})
}

// Finish records, on the disk, what became of emails that were begun.
func (j *FileJournal) Finish(_ context.Context, sequenceID string, entries []JournalEntry) error {
	if err := j.usable(sequenceID); err != nil {
		return err
	}
	for _, e := range entries {
		switch e.State {
		case JournalNew, JournalBegun, JournalDone:
		default:
			return invalid("the journal knows no state %q", e.State)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for some := range slices.Chunk(entries, maxBatch) { // a line has its limit
		if err := j.write(finished(some)); err != nil {
			return err
		}
	}
	return nil
}

// finished is the line that tells what became of emails. One that is begun stays
// in doubt.
func finished(entries []JournalEntry) *journalLine {
	l := &journalLine{Done: map[demeterrr.ExecutionStatus][]string{}}
	for _, e := range entries {
		switch e.State {
		case JournalDone:
			l.Done[e.Status] = append(l.Done[e.Status], e.Email)
		case JournalNew:
			l.NotSent = append(l.NotSent, e.Email)
		case JournalBegun:
		}
	}
	return l
}

// InDoubt returns the emails that were begun and not finished, sorted: each may
// have been messaged or not. Look them up in the dashboard before you [FileJournal.Forget] any.
func (j *FileJournal) InDoubt() []string {
	if !j.made() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.begun))
}

// Forget makes the next Execute send to emails that are in doubt. Only the
// caller can answer for that: those who were messaged after all are messaged
// twice. It refuses all of them if one is not in doubt.
func (j *FileJournal) Forget(emails ...string) error {
	if !j.made() {
		return errNotMade()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	keys := make([]string, len(emails))
	for i, email := range emails {
		key := mailbox.Key(email)
		if _, ok := j.begun[key]; !ok {
			return invalid("email %d of %d is not in doubt, so that none was forgotten; InDoubt lists those that are", i+1, len(emails))
		}
		keys[i] = key
	}
	for some := range slices.Chunk(keys, maxBatch) { // a line has its limit
		if err := j.write(&journalLine{Forgotten: some}); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file and lets others open it. It may be called twice.
func (j *FileJournal) Close() error {
	if !j.made() {
		return nil
	}
	return j.file.Close()
}
