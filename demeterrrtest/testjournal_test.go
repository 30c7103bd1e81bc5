package demeterrrtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// brokenJournal is a journal in memory that breaks a rule.
type brokenJournal struct {
	*Journal
	lookup func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error)
	claim  func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error)
	finish func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error
}

func (b *brokenJournal) Lookup(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
	if b.lookup == nil {
		return b.Journal.Lookup(ctx, sequenceID, emails)
	}
	return b.lookup(ctx, sequenceID, emails)
}

func (b *brokenJournal) Claim(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	if b.claim == nil {
		return b.Journal.Claim(ctx, sequenceID, token, emails)
	}
	return b.claim(ctx, sequenceID, token, emails)
}

func (b *brokenJournal) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	if b.finish == nil {
		return b.Journal.Finish(ctx, sequenceID, token, entries)
	}
	return b.finish(ctx, sequenceID, token, entries)
}

// records gives a broken journal access to its memory.
func (b *brokenJournal) records(sequenceID string, use func(map[string]*journalRecord)) {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	if b.memory.sequences[sequenceID] == nil {
		b.memory.sequences[sequenceID] = map[string]*journalRecord{}
	}
	use(b.memory.sequences[sequenceID])
}

// overwrite records emails as begun, even taken ones.
func (b *brokenJournal) overwrite(sequenceID, token string, emails []string) {
	b.records(sequenceID, func(records map[string]*journalRecord) {
		for _, email := range emails {
			records[email] = &journalRecord{bulk.JournalEntry{Email: email, State: bulk.JournalBegun, Owner: b.owner, At: time.Now()}, token, b.Journal}
		}
	})
}

// without returns the emails that have no entry.
func without(emails []string, entries []bulk.JournalEntry) []string {
	return slices.DeleteFunc(slices.Clone(emails), func(email string) bool {
		return slices.ContainsFunc(entries, func(e bulk.JournalEntry) bool { return e.Email == email })
	})
}

// lookFirst claims in the obvious, wrong way: it looks first and writes later.
func (b *brokenJournal) lookFirst(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
	known, err := b.Journal.Lookup(ctx, sequenceID, emails)
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Millisecond)
	known = slices.DeleteFunc(known, func(e bulk.JournalEntry) bool {
		var own bool
		b.records(sequenceID, func(records map[string]*journalRecord) {
			own = records[e.Email] != nil && records[e.Email].begunUnder(token)
		})
		return own
	})
	b.overwrite(sequenceID, token, without(emails, known))
	return known, nil
}

// finishEach returns a Finish with its own condition.
func (b *brokenJournal) finishEach(may func(*journalRecord, string) bool) func(context.Context, string, string, []bulk.JournalEntry) error {
	return func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
		for _, e := range entries {
			as := token
			b.records(sequenceID, func(records map[string]*journalRecord) {
				if record := records[e.Email]; record != nil && may(record, token) {
					record.entry = bulk.JournalEntry{Email: e.Email, State: bulk.JournalBegun, Owner: record.entry.Owner}
					as = record.token
				}
			})
			if err := b.Journal.Finish(ctx, sequenceID, as, []bulk.JournalEntry{e}); err != nil {
				return err
			}
		}
		return nil
	}
}

// seeing changes the entries that a journal returns.
func (b *brokenJournal) seeing(change func(*bulk.JournalEntry)) {
	b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
		known, err := b.Journal.Lookup(ctx, sequenceID, emails)
		for i := range known {
			change(&known[i])
		}
		return known, err
	}
	b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
		taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
		for i := range taken {
			change(&taken[i])
		}
		return taken, err
	}
}

// keyedBy makes a journal treat emails with the same key as one.
func (b *brokenJournal) keyedBy(key func(string) string) {
	keys := func(emails []string) (keys []string, emailOf map[string]string) {
		emailOf = map[string]string{}
		for _, email := range emails {
			if k := key(email); emailOf[k] == "" {
				keys, emailOf[k] = append(keys, k), email
			}
		}
		return keys, emailOf
	}
	back := func(entries []bulk.JournalEntry, emailOf map[string]string) []bulk.JournalEntry {
		for i := range entries {
			entries[i].Email = emailOf[entries[i].Email]
		}
		return entries
	}
	b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
		k, emailOf := keys(emails)
		known, err := b.Journal.Lookup(ctx, sequenceID, k)
		return back(known, emailOf), err
	}
	b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
		k, emailOf := keys(emails)
		taken, err := b.Journal.Claim(ctx, sequenceID, token, k)
		return back(taken, emailOf), err
	}
	b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
		for _, e := range entries {
			e.Email = key(e.Email)
			if err := b.Journal.Finish(ctx, sequenceID, token, []bulk.JournalEntry{e}); err != nil {
				return err
			}
		}
		return nil
	}
}

// brokenJournals are journals that must fail TestJournal, each with a failing
// subtest.
var brokenJournals = []struct {
	name    string
	caught  string
	because string // part of the failure
	spoil   func(*brokenJournal)
}{
	{"looks first and writes later", "ClaimAtOnce", "insert under a unique key", func(b *brokenJournal) { b.claim = b.lookFirst }},
	{"is atomic in one process only", "ProcessesClaimAtOnce", "insert under a unique key", func(b *brokenJournal) {
		free := make(chan struct{}, 1)
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			free <- struct{}{}
			defer func() { <-free }()
			return b.lookFirst(ctx, sequenceID, token, emails)
		}
	}},
	{"ignores conflicts", "ClaimOfTaken", "its caller would send to it a second time", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			_, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			return nil, err
		}
	}},
	{"gives back by owner", "FinishOfOthers", "begun under its token", func(b *brokenJournal) {
		b.finish = b.finishEach(func(r *journalRecord, _ string) bool {
			return r.entry.State == bulk.JournalBegun && r.entry.Owner == b.owner
		})
	}},
	{"forgets on reopening", "Reopen", "return only after the record is durable", func(b *brokenJournal) { b.Journal = NewJournal() }},
	{"forgets tokens on reopening", "Reopen", "keep the token with the claim", func(b *brokenJournal) {
		for _, records := range b.memory.sequences {
			for _, record := range records {
				record.token = ""
			}
		}
	}},
	{"keeps what is done, and what is begun, and forgets what is unknown on reopening", "Reopen", "return only after the record is durable", func(b *brokenJournal) {
		for _, records := range b.memory.sequences {
			maps.DeleteFunc(records, func(_ string, r *journalRecord) bool { return r.entry.State == bulk.JournalUnknown })
		}
	}},
	{"takes 50 emails at most", "Claim", "too many", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			if len(emails) > 50 {
				return nil, errors.New("too many SQL variables")
			}
			return b.Journal.Claim(ctx, sequenceID, token, emails)
		}
	}},
	{"records the first entry of a call", "Finish", "keep the Status", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			return b.Journal.Finish(ctx, sequenceID, token, entries[:1])
		}
	}},
	{"returns before it has written", "Finish", "keep the Status", func(b *brokenJournal) {
		b.finish = func(_ context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			go func() {
				time.Sleep(time.Millisecond)
				_ = b.Journal.Finish(context.Background(), sequenceID, token, entries)
			}()
			return nil
		}
	}},
	{"fails on a conflict", "ClaimOfTaken", "return taken emails", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			if taken, err := b.Journal.Claim(ctx, sequenceID, token, emails); err != nil || len(taken) == 0 {
				return nil, err
			}
			return nil, errors.New("UNIQUE constraint failed")
		}
	}},
	{"fails when it is busy", "ClaimAtOnce", "a busy database", func(b *brokenJournal) {
		var busy atomic.Bool
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			if busy.Swap(true) {
				return nil, errors.New("database is locked")
			}
			defer busy.Store(false)
			time.Sleep(time.Millisecond)
			return b.Journal.Claim(ctx, sequenceID, token, emails)
		}
	}},
	{"claims all or nothing", "ClaimOfTaken", "claim the free emails", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			if len(taken) > 0 {
				_ = b.Journal.Finish(ctx, sequenceID, token, inState(bulk.JournalNew, without(emails, taken)...))
			}
			return taken, err
		}
	}},
	{"takes everything where something is taken", "ClaimOfTaken", "claim the free emails", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			if len(taken) > 0 {
				taken = append(taken, inState(bulk.JournalBegun, without(emails, taken)...)...)
			}
			return taken, err
		}
	}},
	{"overwrites the token of a taken email", "FinishOfOthers", "begun under its token", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			b.records(sequenceID, func(records map[string]*journalRecord) {
				for _, e := range taken {
					if record := records[e.Email]; record != nil {
						record.token = token
					}
				}
			})
			return taken, err
		}
	}},
	{"reads the taken ones after it has inserted", "GiveBackAtOnce", "minus the emails read back", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			time.Sleep(time.Millisecond)
			defer time.Sleep(5 * time.Millisecond) // its reply comes after the claims of others
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			if err != nil || len(taken) == 0 {
				return nil, err
			}
			time.Sleep(2 * time.Millisecond)
			known, err := b.Journal.Lookup(ctx, sequenceID, emails)
			own := without(emails, taken)
			return slices.DeleteFunc(known, func(e bulk.JournalEntry) bool { return slices.Contains(own, e.Email) }), err
		}
	}},
	{"returns its own claim as taken when it is repeated", "ClaimAgain", "after a lost reply", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			known, err := b.Journal.Lookup(ctx, sequenceID, emails)
			if err != nil {
				return nil, err
			}
			_, err = b.Journal.Claim(ctx, sequenceID, token, emails)
			return known, err
		}
	}},
	{"records a repeated claim again", "ClaimAgain", "must change nothing", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			time.Sleep(time.Millisecond)
			b.overwrite(sequenceID, token, without(emails, taken))
			return taken, err
		}
	}},
	{"finishes by email", "FinishOfOthers", "begun under its token", func(b *brokenJournal) {
		b.finish = b.finishEach(func(r *journalRecord, _ string) bool { return r.entry.State == bulk.JournalBegun })
	}},
	{"inserts in Finish", "FinishOfOthers", "nobody has claimed", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			for _, e := range entries {
				_, _ = b.Journal.Claim(ctx, sequenceID, token, []string{e.Email})
			}
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
	}},
	{"finishes what is done", "FinishAgain", "keeps its state forever", func(b *brokenJournal) {
		b.finish = b.finishEach(func(r *journalRecord, token string) bool {
			return r.token == token && r.entry.State == bulk.JournalDone
		})
	}},
	{"finishes what is unknown", "FinishAgain", "keeps its state forever", func(b *brokenJournal) {
		b.finish = b.finishEach(func(r *journalRecord, token string) bool {
			return r.token == token && r.entry.State == bulk.JournalUnknown
		})
	}},
	{"takes unknown for new", "FinishAgain", "keeps its state forever", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			entries = slices.Clone(entries)
			for i := range entries {
				if entries[i].State == bulk.JournalUnknown {
					entries[i].State = bulk.JournalNew
				}
			}
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
	}},
	{"keeps what is given back", "GiveBack", "removes the email", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			entries = slices.DeleteFunc(slices.Clone(entries), func(e bulk.JournalEntry) bool { return e.State == bulk.JournalNew })
			if len(entries) == 0 {
				return nil
			}
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
	}},
	{"ignores other states", "FinishWithAnotherState", "any other state is an error", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			if err := b.Journal.Finish(ctx, sequenceID, token, entries); err != nil && ctx.Err() != nil {
				return err
			}
			return nil
		}
	}},
	{"records a call up to a bad entry", "FinishWithAnotherState", "nothing of the call", func(b *brokenJournal) {
		b.finish = b.finishEach(func(*journalRecord, string) bool { return false })
	}},
	{"returns unknown emails as new", "Lookup", "leave out emails", func(b *brokenJournal) {
		b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
			known, err := b.Journal.Lookup(ctx, sequenceID, emails)
			return append(known, inState(bulk.JournalNew, without(emails, known)...)...), err
		}
	}},
	{"returns an entry twice", "Lookup", "return one", func(b *brokenJournal) {
		b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
			known, err := b.Journal.Lookup(ctx, sequenceID, emails)
			return append(known, known...), err
		}
	}},
	{"looks up one email only", "Lookup", "no entry", func(b *brokenJournal) {
		b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
			return b.Journal.Lookup(ctx, sequenceID, emails[len(emails)-1:])
		}
	}},
	{"returns hashes of emails", "Lookup", "byte by byte", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.Email = fmt.Sprintf("%x", e.Email) })
	}},
	{"loses the contact's id", "Finish", "keep the Status and ContactID", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.ContactID = "" })
	}},
	{"knows one status", "Finish", "keep the Status and ContactID", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) {
			if e.State == bulk.JournalDone {
				e.Status = demeterrr.ExecutionQueued
			}
		})
	}},
	{"returns taken emails without what it knows of them", "ClaimOfTaken", "as Lookup does", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			for i := range taken {
				taken[i] = bulk.JournalEntry{Email: taken[i].Email, State: taken[i].State, Live: taken[i].Live}
			}
			return taken, err
		}
	}},
	{"returns every taken email as begun", "ClaimOfTaken", "as Lookup does", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			taken, err := b.Journal.Claim(ctx, sequenceID, token, emails)
			for i := range taken {
				taken[i] = bulk.JournalEntry{Email: taken[i].Email, State: bulk.JournalBegun, Live: true}
			}
			return taken, err
		}
	}},
	{"takes nobody for live", "Claim", "without Live", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.Live = false })
	}},
	{"takes its own process for live only", "Processes", "not Live", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.Live = e.Live && e.Owner == b.owner })
	}},
	{"takes everybody for live", "Finish", "only JournalBegun can be Live", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.Live = true })
	}},
	{"tells the reader as owner", "Reopen", "keep the Owner with the entry", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.Owner = b.owner })
	}},
	{"keeps local time", "Lookup", "keep it in UTC", func(b *brokenJournal) {
		b.seeing(func(e *bulk.JournalEntry) { e.At = e.At.Add(2 * time.Hour) })
	}},
	{"takes é for e", "Emails", "byte by byte", func(b *brokenJournal) { b.keyedBy(strings.NewReplacer("é", "e").Replace) }},
	{"takes emojis for one another", "Emails", "byte by byte", func(b *brokenJournal) { b.keyedBy(strings.NewReplacer("😀", "?", "🙃", "?").Replace) }},
	{"takes full width for half width", "Emails", "byte by byte", func(b *brokenJournal) { b.keyedBy(strings.NewReplacer("ｋｉｍ", "kim").Replace) }},
	{"compares 255 characters", "LongEmails", "a hash of it", func(b *brokenJournal) {
		b.keyedBy(func(email string) string { return string([]rune(email)[:min(255, len([]rune(email)))]) })
	}},
	{"keeps its sequences in one", "Sequences", "share nothing", func(b *brokenJournal) {
		b.lookup = func(ctx context.Context, _ string, emails []string) ([]bulk.JournalEntry, error) {
			return b.Journal.Lookup(ctx, "one", emails)
		}
		b.claim = func(ctx context.Context, _, token string, emails []string) ([]bulk.JournalEntry, error) {
			return b.Journal.Claim(ctx, "one", token, emails)
		}
		b.finish = func(ctx context.Context, _, token string, entries []bulk.JournalEntry) error {
			return b.Journal.Finish(ctx, "one", token, entries)
		}
	}},
	{"ignores the sequence in Finish", "Sequences", "share nothing", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			b.memory.mu.Lock()
			ids := slices.Collect(maps.Keys(b.memory.sequences))
			b.memory.mu.Unlock()
			for _, id := range ids {
				_ = b.Journal.Finish(ctx, id, token, entries)
			}
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
	}},
	{"goes on when its context has ended", "EndedContext", "pass the context", func(b *brokenJournal) {
		b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
			if ctx.Err() != nil {
				time.Sleep(time.Hour)
			}
			return b.Journal.Lookup(ctx, sequenceID, emails)
		}
	}},
	{"claims under no token when its context has ended", "EndedContext", "removes the email", func(b *brokenJournal) {
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			if ctx.Err() != nil {
				b.overwrite(sequenceID, "", emails)
			}
			return b.Journal.Claim(ctx, sequenceID, token, emails)
		}
	}},
	{"finishes nothing, without an error, when its context has ended", "EndedContext", "has recorded all", func(b *brokenJournal) {
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			if ctx.Err() != nil {
				return nil
			}
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
	}},
}

// recorder keeps the failures of a subtest that must fail.
type recorder struct {
	testing.TB
	failures chan string
}

func (r *recorder) Errorf(format string, args ...any) { r.failures <- fmt.Sprintf(format, args...) }

func (r *recorder) Fatal(args ...any) {
	r.failures <- fmt.Sprint(args...)
	runtime.Goexit() // like testing does
}

func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

// failuresOf runs a subtest on the journals of open, and returns its failures.
// Its time is virtual.
func failuresOf(t *testing.T, test func(*journalTest), open func() bulk.Journal) (failures []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t, failures: make(chan string, 100)}
		go func() {
			defer close(r.failures)
			test(newJournalTest(r, func(string) bulk.Journal { return open() }))
		}()
		for text := range r.failures {
			failures = append(failures, text)
		}
		time.Sleep(2 * time.Hour) // until a hanging call has returned
	})
	return failures
}

func TestTestJournalFailsForABrokenJournal(t *testing.T) {
	t.Parallel()
	for _, broken := range brokenJournals {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range journalCases {
				if c.name != broken.caught {
					continue
				}
				memory, opened := NewJournal(), 0
				failures := failuresOf(t, c.test, func() bulk.Journal {
					opened++
					b := &brokenJournal{Journal: memory.Process(fmt.Sprint("process ", opened))}
					broken.spoil(b)
					return b
				})
				if len(failures) == 0 || !strings.Contains(failures[0], broken.because) {
					t.Errorf("the failures are %q, want one with %q", failures, broken.because)
				}
				return
			}
			t.Errorf("TestJournal has no subtest %s", broken.caught)
		})
	}
}

// TestTestJournalIsQuickOnASlowDatabase counts the calls, since each is a
// transaction of a database.
func TestTestJournalIsQuickOnASlowDatabase(t *testing.T) {
	t.Parallel()
	memory := map[string]*Journal{}
	var lookups, claims, finishes atomic.Int64
	TestJournal(t, func(_ *testing.T, sequenceID string) bulk.Journal {
		if memory[sequenceID] == nil {
			memory[sequenceID] = NewJournal()
		}
		b := &brokenJournal{Journal: memory[sequenceID].Process("test")}
		b.lookup = func(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
			lookups.Add(1)
			return b.Journal.Lookup(ctx, sequenceID, emails)
		}
		b.claim = func(ctx context.Context, sequenceID, token string, emails []string) ([]bulk.JournalEntry, error) {
			claims.Add(1)
			return b.Journal.Claim(ctx, sequenceID, token, emails)
		}
		b.finish = func(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
			finishes.Add(1)
			return b.Journal.Finish(ctx, sequenceID, token, entries)
		}
		return b
	})
	t.Logf("%d lookups, %d claims, %d finishes", lookups.Load(), claims.Load(), finishes.Load())
	if calls := lookups.Load() + claims.Load() + finishes.Load(); calls > 700 {
		t.Errorf("TestJournal makes %d calls", calls)
	}
}

// Each subtest has its own sequence, so that a database may keep them all.
func TestEachSubtestHasASequence(t *testing.T) {
	t.Parallel()
	opened := map[string]int{}
	TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
		t.Helper()
		opened[sequenceID]++
		t.Skip("that is all")
		return nil
	})
	if len(opened) != len(journalCases) {
		t.Errorf("%d sequences for %d subtests", len(opened), len(journalCases))
	}
}

// The emails of the conformance test are valid for Execute.
func TestEmailsOfTheConformanceTestAreValid(t *testing.T) {
	t.Parallel()
	j := newJournalTest(t, nil)
	var emails []string
	for _, pair := range differentPeople {
		emails = append(emails, j.mark+pair[0], j.mark+pair[1])
	}
	for i, end := range []string{"1@example.com", "@example.c2", "3@example.com", "@example.c4"} {
		email := j.longEmail([]string{"a", "é"}[i/2], end)
		if len(email) != 320 {
			t.Errorf("%q has %d bytes", email, len(email))
		}
		emails = append(emails, email)
	}
	seen := map[string]bool{}
	for _, email := range emails {
		if err := (demeterrr.ExecuteContact{Email: email}).Validate(); err != nil {
			t.Errorf("%q: %v", email, err)
		}
		if key := bulk.EmailKey(email); key != email {
			t.Errorf("%q has the key %q", email, key)
		}
		if seen[email] {
			t.Errorf("%q stands twice", email)
		}
		seen[email] = true
	}
}
