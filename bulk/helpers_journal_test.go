package bulk_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// memoryJournal is a journal in memory that processes can share.
type memoryJournal struct {
	mu      sync.Mutex
	entries map[string]bulk.JournalEntry
	tokens  map[string]string
}

func newMemoryJournal() *memoryJournal {
	return &memoryJournal{entries: map[string]bulk.JournalEntry{}, tokens: map[string]string{}}
}

func (m *memoryJournal) Lookup(_ context.Context, _ string, emails []string) (known []bulk.JournalEntry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, email := range emails {
		if e, ok := m.entries[email]; ok {
			known = append(known, e)
		}
	}
	return known, nil
}

func (m *memoryJournal) Claim(_ context.Context, _, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, email := range emails {
		e, known := m.entries[email]
		switch {
		case !known:
			m.entries[email] = bulk.JournalEntry{Email: email, State: bulk.JournalBegun, Live: true}
			m.tokens[email] = token
		case e.State != bulk.JournalBegun || m.tokens[email] != token:
			taken = append(taken, e)
		}
	}
	return taken, nil
}

func (m *memoryJournal) Finish(_ context.Context, _, token string, entries []bulk.JournalEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if m.tokens[e.Email] != token || m.entries[e.Email].State != bulk.JournalBegun {
			continue
		}
		if m.entries[e.Email] = e; e.State == bulk.JournalNew {
			delete(m.entries, e.Email)
			delete(m.tokens, e.Email)
		}
	}
	return nil
}

// count counts the entries by state.
func (m *memoryJournal) count() map[bulk.JournalState]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[bulk.JournalState]int{}
	for _, e := range m.entries {
		n[e.State]++
	}
	return n
}

// step is one call of a method of a journal.
type step struct {
	Method string
	Token  int // the number of the token, from 1, in the order of first use
	Emails int
	State  bulk.JournalState // given to the first email by Finish
	At     time.Duration     // since the start
}

// scriptedJournal is a memoryJournal that records its steps. It runs the
// functions of the test before and after each.
type scriptedJournal struct {
	*memoryJournal
	before, after func(ctx context.Context, s step) error // may be nil

	start  time.Time
	notes  sync.Mutex
	steps  []step
	tokens []string
}

func newScriptedJournal() *scriptedJournal {
	return &scriptedJournal{memoryJournal: newMemoryJournal(), start: time.Now()}
}

func (j *scriptedJournal) note(method, token string, emails int, state bulk.JournalState) step {
	j.notes.Lock()
	defer j.notes.Unlock()
	s := step{Method: method, Emails: emails, State: state, At: time.Since(j.start)}
	for i, known := range j.tokens {
		if known == token {
			s.Token = i + 1
		}
	}
	if token != "" && s.Token == 0 {
		j.tokens = append(j.tokens, token)
		s.Token = len(j.tokens)
	}
	j.steps = append(j.steps, s)
	return s
}

// around runs a method between the functions of the script.
func (j *scriptedJournal) around(ctx context.Context, s step, method func() error) error {
	if j.before != nil {
		if err := j.before(ctx, s); err != nil {
			return err
		}
	}
	err := method()
	if j.after != nil && err == nil {
		err = j.after(ctx, s)
	}
	return err
}

func (j *scriptedJournal) Lookup(ctx context.Context, id string, emails []string) (known []bulk.JournalEntry, err error) {
	err = j.around(ctx, j.note("Lookup", "", len(emails), ""), func() (err error) {
		known, err = j.memoryJournal.Lookup(ctx, id, emails)
		return err
	})
	return known, err
}

func (j *scriptedJournal) Claim(ctx context.Context, id, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	err = j.around(ctx, j.note("Claim", token, len(emails), ""), func() (err error) {
		taken, err = j.memoryJournal.Claim(ctx, id, token, emails)
		return err
	})
	return taken, err
}

func (j *scriptedJournal) Finish(ctx context.Context, id, token string, entries []bulk.JournalEntry) error {
	return j.around(ctx, j.note("Finish", token, len(entries), entries[0].State), func() error {
		return j.memoryJournal.Finish(ctx, id, token, entries)
	})
}

// script returns the steps without their times.
func (j *scriptedJournal) script() []step {
	steps := append([]step(nil), j.steps...)
	for i := range steps {
		steps[i].At = 0
	}
	return steps
}

// places is a limiter that counts its taken places.
type places struct {
	mu    sync.Mutex
	taken int
}

func (p *places) Acquire(context.Context) (demeterrr.Release, error) {
	p.add(1)
	return func(demeterrr.LimitOutcome) { p.add(-1) }, nil
}

func (p *places) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken += n
}

// lostElsewhere returns the error of another client's call, with an unknown
// outcome.
func lostElsewhere(t *testing.T) error {
	t.Helper()
	_, err := serving(t, answer(502, "")).Sequences.Execute(t.Context(), "s1", &demeterrr.ExecuteParams{Contacts: recipients(0, 1)})
	wantIs(t, err, demeterrr.ErrUnknownOutcome)
	return err
}

var errDiskFull = errors.New("disk full")
