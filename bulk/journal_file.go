package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/journalfile"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// FileJournal is a [Journal] in a file of JSON lines, for one process at a
// time. People and programs can read it. An entry is Live from its Claim to its
// Finish in this process. Make a FileJournal with [OpenJournal]; the zero value
// is unusable.
type FileJournal struct {
	sequenceID string
	file       *journalfile.File
	owner      string

	mu    sync.Mutex
	known map[string]*fileEntry // by email key
}

// fileEntry is the entry of one email in the file.
type fileEntry struct {
	state     JournalState
	status    demeterrr.ExecutionStatus
	contactID string
	at        time.Time
	claim     *fileClaim
}

// fileClaim is shared by the emails of one claim.
type fileClaim struct {
	token, owner string
	ours         bool // made since the file was opened
}

// journalHeader is the first line of the file.
type journalHeader struct {
	Journal    string `json:"journal"`
	Version    int    `json:"version"`
	SequenceID string `json:"sequenceId"`
}

// journalLine is any other line. Each line is written at once, so it is
// complete or void.
type journalLine struct {
	At         time.Time                              `json:"at"`
	Owner      string                                 `json:"owner,omitempty"`
	Token      string                                 `json:"token,omitempty"` // of Begun
	Begun      []string                               `json:"begun,omitempty"`
	Done       map[demeterrr.ExecutionStatus][]string `json:"done,omitempty"`       // by status
	ContactIDs map[string]string                      `json:"contactIds,omitempty"` // of Done, by email
	Unknown    []string                               `json:"unknown,omitempty"`
	NotSent    []string                               `json:"notSent,omitempty"`
	Forgotten  []string                               `json:"forgotten,omitempty"`
}

// OpenJournal opens or creates the journal of one sequence in the file at path.
// It locks the file until Close or the end of the process, even a killed one.
// It fails if the file belongs to another sequence, is not a journal, or is
// already open in any process. The journal holds all emails of the file in
// memory.
//
// A journal is for one campaign: a contact in it is never messaged again. Use a
// new file for the next campaign.
//
// A crash can cut the last line short. OpenJournal drops such a line. If it was
// a claim, nothing was sent. If it was an outcome, its emails are in doubt. Any
// other malformed line is an error.
//
// Leave the file alone while it is open. If another program replaces, removes
// or resizes it, as editors do, the journal fails. Execute then stops before it
// sends anything else. An edit that keeps the file and its size goes unnoticed.
//
// Solaris, AIX, Plan 9 and WebAssembly lack such locks, so OpenJournal fails
// there and creates no file. Use a journal in a database there, such as module
// sqlstore.
func OpenJournal(path, sequenceID string) (*FileJournal, error) {
	if err := validate.ID(sequenceID); err != nil {
		return nil, invalid("journal: %s", err)
	}
	j := &FileJournal{sequenceID: sequenceID, known: map[string]*fileEntry{}, owner: owner()}
	header, err := json.Marshal(journalHeader{Journal: "demeterrr", Version: 1, SequenceID: sequenceID})
	if err != nil {
		return nil, err
	}
	if j.file, err = journalfile.Open(path, header, j.checkHeader, j.replay); err != nil {
		return nil, because(fmt.Sprintf("journal %s cannot be opened", path), err)
	}
	return j, nil
}

// owner names this process for people.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return strings.ToValidUTF8(host, "?") + ":" + strconv.Itoa(os.Getpid())
}

// checkHeader refuses files of another kind, version or sequence.
func (j *FileJournal) checkHeader(line []byte) error {
	var h journalHeader
	switch err := json.Unmarshal(line, &h); {
	case err != nil || h.Journal != "demeterrr":
		return journalfile.ErrForeign
	case h.Version != 1:
		return fmt.Errorf("it has version %d, this program reads only version 1; use the program that wrote it, or another file", h.Version)
	}
	return sameSequence(h.SequenceID, j.sequenceID)
}

// usable refuses a zero journal, an ended context, and the id of another
// sequence.
func (j *FileJournal) usable(ctx context.Context, sequenceID string) error {
	if !j.made() {
		return errNotMade()
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return sameSequence(j.sequenceID, sequenceID)
}

func (j *FileJournal) made() bool { return j != nil && j.file != nil }

func errNotMade() *demeterrr.Error { return invalid("the journal was not made by OpenJournal") }

// sameSequence refuses any sequence but the journal's own.
func sameSequence(own, asked string) error {
	if asked != own {
		return invalid("this journal belongs to sequence %s, not to %s; use a separate file for each sequence and campaign", own, asked)
	}
	return nil
}

// replay applies a line of the file. People may have edited the file, so any
// unknown content is an error: its emails would be sent to again.
func (j *FileJournal) replay(line []byte) error {
	var l journalLine
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&l); err != nil || l.apply(j, false) != elements(line) {
		return errors.New("its members must be at, owner, token, begun, done, contactIds, unknown, notSent and forgotten, each at most once, with lists of emails") // err may quote an email
	}
	return nil
}

// elements counts the strings in the lists of a line. If a member appears
// twice, the count exceeds that of the decoded lists.
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

// apply records a line in memory and returns the number of its emails.
func (l *journalLine) apply(j *FileJournal, ours bool) (n int) {
	set := func(email string, state JournalState) *fileEntry {
		n++
		key := mailbox.Key(email)
		e := j.known[key]
		if e == nil {
			e = &fileEntry{claim: &fileClaim{}}
			j.known[key] = e
		}
		if e.state != JournalDone {
			e.state, e.at = state, l.At
		}
		return e
	}
	claim := &fileClaim{l.Token, l.Owner, ours}
	for _, email := range l.Begun {
		set(email, JournalBegun).claim = claim
	}
	for _, email := range l.Unknown {
		set(email, JournalUnknown)
	}
	for status, emails := range l.Done {
		for _, email := range emails {
			e := set(email, JournalDone)
			e.status, e.contactID = status, l.ContactIDs[email]
		}
	}
	for _, email := range slices.Concat(l.NotSent, l.Forgotten) {
		n++
		if key := mailbox.Key(email); j.known[key] != nil && j.known[key].state != JournalDone {
			delete(j.known, key)
		}
	}
	return n
}

// write appends a line to the file and then applies it. j.mu is held.
func (j *FileJournal) write(l *journalLine) error {
	l.At = time.Now().UTC().Truncate(time.Millisecond)
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := j.file.Append(line); err != nil {
		return err
	}
	l.apply(j, true)
	return nil
}

// entry returns the entry of a key, and false for an unknown key. j.mu is held.
func (j *FileJournal) entry(key string) (JournalEntry, bool) {
	e := j.known[key]
	if e == nil {
		return JournalEntry{}, false
	}
	return JournalEntry{
		Email: key, State: e.state, Live: e.live(), Status: e.status, ContactID: e.contactID, Owner: e.claim.owner, At: e.at,
	}, true
}

// live reports whether this process has claimed the email and is yet to finish
// it.
func (e *fileEntry) live() bool { return e.state == JournalBegun && e.claim.ours }

// Lookup returns the entries of known emails. It accepts emails in any case.
func (j *FileJournal) Lookup(ctx context.Context, sequenceID string, emails []string) ([]JournalEntry, error) {
	if err := j.usable(ctx, sequenceID); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var entries []JournalEntry
	for _, email := range emails {
		if e, ok := j.entry(mailbox.Key(email)); ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Claim records the free emails as begun and returns the entries of the others.
// The record is on the disk when Claim returns.
func (j *FileJournal) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []JournalEntry, err error) {
	if err := j.usable(ctx, sequenceID); err != nil {
		return nil, err
	}
	if token == "" || len(token) > maxToken || !utf8.ValidString(token) {
		return nil, invalid("the token of a claim must have 1 to %d bytes of UTF-8; use a new random one for each claim", maxToken)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var claimed []string
	for i, email := range emails {
		if err := validate.Email(email); err != nil {
			return nil, invalid("email %d of the batch: %s", i+1, err)
		}
		key := mailbox.Key(email)
		switch e := j.known[key]; {
		case e == nil:
			claimed = append(claimed, key)
		case e.state != JournalBegun || e.claim.token != token:
			entry, _ := j.entry(key)
			taken = append(taken, entry)
		}
	}
	if len(claimed) == 0 {
		return taken, nil
	}
	return taken, j.write(&journalLine{Owner: j.owner, Token: token, Begun: claimed})
}

// maxToken is the length limit of a token in [Journal].
const maxToken = 64

// Finish records the outcome of emails claimed under the token. The record is
// on the disk when Finish returns.
func (j *FileJournal) Finish(ctx context.Context, sequenceID, token string, entries []JournalEntry) error {
	if err := j.usable(ctx, sequenceID); err != nil {
		return err
	}
	for _, e := range entries {
		switch e.State {
		case JournalNew, JournalUnknown, JournalDone:
		default:
			return invalid("an entry cannot be finished as %q; use JournalNew, JournalUnknown or JournalDone", e.State)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for some := range slices.Chunk(entries, maxBatch) { // keeps each line within its limit
		ours := slices.DeleteFunc(slices.Clone(some), func(e JournalEntry) bool {
			known := j.known[mailbox.Key(e.Email)]
			return known == nil || known.state != JournalBegun || known.claim.token != token
		})
		if len(ours) == 0 {
			continue
		}
		if err := j.write(finished(ours)); err != nil {
			return err
		}
	}
	return nil
}

// finished returns the line with the outcome of emails.
func finished(entries []JournalEntry) *journalLine {
	l := &journalLine{Done: map[demeterrr.ExecutionStatus][]string{}, ContactIDs: map[string]string{}}
	for _, e := range entries {
		key := mailbox.Key(e.Email)
		switch e.State {
		case JournalDone:
			l.Done[e.Status] = append(l.Done[e.Status], key)
			if e.ContactID != "" {
				l.ContactIDs[key] = e.ContactID
			}
		case JournalUnknown:
			l.Unknown = append(l.Unknown, key)
		case JournalNew:
			l.NotSent = append(l.NotSent, key)
		case JournalBegun: // Finish has refused it
		}
	}
	return l
}

// InDoubt returns the entries with an unknown outcome, sorted by email. Their
// reply was lost, or their process died. It leaves out Live entries.
//
// Each of these contacts may have been messaged. Look them up in the dashboard,
// under Sendings. Call [FileJournal.Forget] for those without a sending, and
// leave the others.
func (j *FileJournal) InDoubt() []JournalEntry {
	if !j.made() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var doubt []JournalEntry
	for key, known := range j.known {
		if known.inDoubt() {
			e, _ := j.entry(key)
			doubt = append(doubt, e)
		}
	}
	slices.SortFunc(doubt, func(a, b JournalEntry) int { return strings.Compare(a.Email, b.Email) })
	return doubt
}

func (e *fileEntry) inDoubt() bool { return e.state != JournalDone && !e.live() }

// Forget removes emails that are in doubt, so that the next Execute sends to
// them. It relies on your check: a contact that was messaged after all is
// messaged twice. If one of the emails is Live, done or missing in the journal,
// Forget fails and removes none.
func (j *FileJournal) Forget(emails ...string) error {
	if !j.made() {
		return errNotMade()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	keys := make([]string, len(emails))
	for i, email := range emails {
		keys[i] = mailbox.Key(email)
		switch e := j.known[keys[i]]; {
		case e != nil && e.live():
			return invalid("email %d of %d is being sent to, so none was forgotten; wait for its outcome", i+1, len(emails))
		case e == nil || !e.inDoubt():
			return invalid("email %d of %d is not in doubt, so none was forgotten; pass emails from InDoubt only", i+1, len(emails))
		}
	}
	for some := range slices.Chunk(keys, maxBatch) { // keeps each line within its limit
		if err := j.write(&journalLine{Forgotten: some}); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file and releases its lock. A second call does nothing.
func (j *FileJournal) Close() error {
	if !j.made() {
		return nil
	}
	return j.file.Close()
}
