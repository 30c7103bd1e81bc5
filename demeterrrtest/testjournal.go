package demeterrrtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// TestJournal tests an implementation of [bulk.Journal]: atomic claims, tokens,
// durability, and the outcome of an execution when a step fails. A failure
// names the broken rule and the fix. The test makes about 600 calls of the
// journal, so a database needs some seconds.
//
//	func TestMyJournal(t *testing.T) {
//		db := openTestDatabase(t)
//		demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
//			return myjournal.New(db, sequenceID)
//		})
//	}
//
// open returns the journal of a sequence for a new process. Each subtest has
// its own sequence. The first journal of a sequence is empty. Every further one
// belongs to another process, or to the same program after a restart: it has
// the records of the others. open runs on the goroutine of the subtest, so it
// may call t.Fatal and t.Cleanup.
//
// Some subtests open several journals of a sequence at once. If your journal
// allows one process only, like a file, open calls t.Skip there.
//
// If a journal has a method Close() error, TestJournal calls it when the
// subtest ends or earlier.
func TestJournal(t *testing.T, open func(t *testing.T, sequenceID string) bulk.Journal) {
	t.Helper()
	if open == nil {
		t.Fatal("demeterrrtest: TestJournal needs a function that opens the journal")
	}
	for _, c := range journalCases {
		t.Run(c.name, func(t *testing.T) {
			c.test(newJournalTest(t, func(sequenceID string) bulk.Journal { return open(t, sequenceID) }))
		})
	}
}

// journalCases are the subtests, in a good order for implementing the rules.
var journalCases = []struct {
	name string
	test func(*journalTest)
}{
	{"Lookup", testLookup},
	{"Claim", testClaim},
	{"ClaimOfTaken", testClaimOfTaken},
	{"ClaimAgain", testClaimAgain},
	{"Finish", testFinish},
	{"FinishAgain", testFinishAgain},
	{"FinishOfOthers", testFinishOfOthers},
	{"FinishWithAnotherState", testFinishWithAnotherState},
	{"GiveBack", testGiveBack},
	{"Emails", testEmails},
	{"LongEmails", testLongEmails},
	{"Sequences", testSequences},
	{"EndedContext", testEndedContext},
	{"Reopen", testReopen},
	{"ClaimAtOnce", testClaimAtOnce},
	{"GiveBackAtOnce", testGiveBackAtOnce},
	{"Processes", testProcesses},
	{"ProcessesClaimAtOnce", testProcessesClaimAtOnce},
	{"ProcessesGiveBackAtOnce", testProcessesGiveBackAtOnce},
	{"Execute", testExecute},
	{"ProcessesExecute", testProcessesExecute},
	{"ExecuteWhereTheJournalFails", testExecuteWhereTheJournalFails},
	{"ExecuteWhereTheAPIFails", testExecuteWhereTheAPIFails},
}

// journalTest is one subtest of TestJournal.
type journalTest struct {
	testing.TB
	sequenceID string
	opener     func(sequenceID string) bulk.Journal
	mark       string // in this subtest's emails, as a database may keep those of others
}

// process is one process of a subtest, with its journal.
type process struct {
	*journalTest
	journal bulk.Journal
	closed  bool
}

const (
	journalPatience = time.Minute      // for one call of a journal
	contextPatience = 10 * time.Second // for a call with an ended context
	clockPatience   = 10 * time.Minute // for the clock of a database
)

func newJournalTest(t testing.TB, opener func(sequenceID string) bulk.Journal) *journalTest {
	t.Helper()
	return &journalTest{TB: t, sequenceID: newSequenceID(), opener: opener, mark: strings.ToLower(rand.Text()[:8])}
}

// newSequenceID returns a random UUID.
func newSequenceID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// open starts a process.
func (t *journalTest) open() *process {
	t.Helper()
	p := &process{journalTest: t, journal: t.opener(t.sequenceID)}
	if p.journal == nil {
		t.Fatal("open returned nil; return a journal, or call t.Fatal")
	}
	t.Cleanup(p.close)
	return p
}

// reopen ends a process and starts another one.
func (t *journalTest) reopen(p *process) *process {
	t.Helper()
	p.close()
	return t.open()
}

func (p *process) close() {
	p.Helper()
	if p.closed {
		return
	}
	p.closed = true
	if closer, ok := p.journal.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			p.Errorf("Close: %v", err)
		}
	}
}

// email returns an email of this subtest.
func (t *journalTest) email(name string) string { return t.mark + "." + name + "@example.com" }

// emails returns n emails of this subtest.
func (t *journalTest) emails(name string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = t.email(fmt.Sprintf("%s%d", name, i))
	}
	return list
}

// newToken returns a token in the form of Execute.
func newToken() string { return rand.Text() }

// entriesOf is the result of a call, by email.
type entriesOf map[string]bulk.JournalEntry

// tryLookup calls Lookup. It returns an error for invalid entries.
func (p *process) tryLookup(emails []string) (entriesOf, error) {
	ctx, cancel := context.WithTimeout(p.Context(), journalPatience)
	defer cancel()
	entries, err := p.journal.Lookup(ctx, p.sequenceID, emails)
	if err != nil {
		return nil, fmt.Errorf("Lookup: %w", err)
	}
	return checkEntries("Lookup", emails, entries)
}

func (p *process) lookup(emails ...string) entriesOf {
	p.Helper()
	known, err := p.tryLookup(emails)
	if err != nil {
		p.Fatal(err)
	}
	return known
}

// tryClaim calls Claim. It returns an error for invalid entries.
func (p *process) tryClaim(token string, emails []string) (entriesOf, error) {
	ctx, cancel := context.WithTimeout(p.Context(), journalPatience)
	defer cancel()
	taken, err := p.journal.Claim(ctx, p.sequenceID, token, emails)
	if err != nil {
		return nil, fmt.Errorf("Claim: %w; return taken emails without an error, and repeat the statement after a conflict, a deadlock or a busy database", err)
	}
	return checkEntries("Claim", emails, taken)
}

func (p *process) claim(token string, emails ...string) (taken entriesOf) {
	p.Helper()
	taken, err := p.tryClaim(token, emails)
	if err != nil {
		p.Fatal(err)
	}
	return taken
}

// claimNew claims free emails. It fails the subtest if one is taken.
func (p *process) claimNew(token string, emails ...string) {
	p.Helper()
	if taken := p.claim(token, emails...); len(taken) > 0 {
		p.Fatalf("Claim returned %s as taken, but nobody has claimed them; claim every email that is unknown to the journal", taken)
	}
}

func (p *process) tryFinish(token string, entries []bulk.JournalEntry) error {
	ctx, cancel := context.WithTimeout(p.Context(), journalPatience)
	defer cancel()
	if err := p.journal.Finish(ctx, p.sequenceID, token, entries); err != nil {
		return fmt.Errorf("Finish: %w; ignore emails that are not begun under the token, and repeat the statement after a deadlock or a busy database", err)
	}
	return nil
}

func (p *process) finish(token string, entries ...bulk.JournalEntry) {
	p.Helper()
	if err := p.tryFinish(token, entries); err != nil {
		p.Fatal(err)
	}
}

// inState makes an entry for Finish of each email.
func inState(state bulk.JournalState, emails ...string) []bulk.JournalEntry {
	entries := make([]bulk.JournalEntry, len(emails))
	for i, email := range emails {
		entries[i] = bulk.JournalEntry{Email: email, State: state}
	}
	return entries
}

// checkEntries checks the result of a method against the rules of
// [bulk.JournalEntry].
func checkEntries(method string, asked []string, entries []bulk.JournalEntry) (entriesOf, error) {
	missing := make(map[string]bool, len(asked))
	for _, email := range asked {
		missing[email] = true
	}
	found := make(entriesOf, len(entries))
	for _, e := range entries {
		_, twice := found[e.Email]
		switch off := time.Since(e.At); {
		case twice:
			return nil, fmt.Errorf("%s returned two entries of %s; return one", method, quoted(e.Email))
		case !missing[e.Email]:
			return nil, fmt.Errorf("%s returned an entry of %s, which was not asked for; return each email byte by byte as it was given", method, quoted(e.Email))
		case e.State == bulk.JournalNew:
			return nil, fmt.Errorf("%s returned an entry of %s with the state JournalNew; leave out emails that are unknown to the journal", method, quoted(e.Email))
		case e.State != bulk.JournalBegun && e.State != bulk.JournalUnknown && e.State != bulk.JournalDone:
			return nil, fmt.Errorf("%s returned %s with the state %q; keep the states recorded by Claim and Finish", method, quoted(e.Email), e.State)
		case e.Live && e.State != bulk.JournalBegun:
			return nil, fmt.Errorf("%s returned %s as %s and Live; only JournalBegun can be Live", method, quoted(e.Email), e.State)
		case (e.Status != "" || e.ContactID != "") && e.State != bulk.JournalDone:
			return nil, fmt.Errorf("%s returned %s as %s with a Status or a ContactID; only JournalDone has these", method, quoted(e.Email), e.State)
		case !e.At.IsZero() && (off < -clockPatience || off > clockPatience):
			return nil, fmt.Errorf("%s returned %s with an At that is %v off; keep it in UTC, or leave it zero", method, quoted(e.Email), off.Round(time.Minute))
		}
		found[e.Email] = e
	}
	return found, nil
}

// want fails the subtest unless exactly these emails have entries, all with
// that state.
func (found entriesOf) want(t testing.TB, where string, state bulk.JournalState, rule string, emails ...string) {
	t.Helper()
	if err := found.check(state, emails...); err != nil {
		t.Fatalf("%s: %v; %s", where, err, rule)
	}
}

func (found entriesOf) check(state bulk.JournalState, emails ...string) error {
	for _, email := range emails {
		switch e, ok := found[email]; {
		case !ok:
			return fmt.Errorf("no entry of %s, want it as %s", quoted(email), state)
		case e.State != state:
			return fmt.Errorf("%s is %s, want it %s", quoted(email), e.State, state)
		}
	}
	if len(found) != len(emails) {
		return fmt.Errorf("%d entries, want %d: %s", len(found), len(emails), found)
	}
	return nil
}

// none fails the subtest if there is an entry.
func (found entriesOf) none(t testing.TB, where, rule string) {
	t.Helper()
	if len(found) > 0 {
		t.Fatalf("%s: got %s, want no entry; %s", where, found, rule)
	}
}

// quoted quotes an email. It shortens a long one in the middle.
func quoted(email string) string {
	const end = 24
	if letters := []rune(email); len(letters) > 3*end {
		return fmt.Sprintf("%q…%q (%d bytes)", string(letters[:end]), string(letters[len(letters)-end:]), len(email))
	}
	return strconv.Quote(email)
}

// String lists up to three entries.
func (found entriesOf) String() string {
	if len(found) == 0 {
		return "no entry"
	}
	var texts []string
	for _, email := range slices.Sorted(maps.Keys(found)) {
		if len(texts) == 3 {
			texts = append(texts, fmt.Sprintf("and %d more", len(found)-3))
			break
		}
		texts = append(texts, fmt.Sprintf("%s (%s)", quoted(email), found[email].State))
	}
	return strings.Join(texts, ", ")
}
