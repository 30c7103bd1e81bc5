package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// memoryState is a SyncState in memory. It checks that Sync keeps the rules of
// the interface.
type memoryState struct {
	t testing.TB

	mu      sync.Mutex
	held    bool
	address string
	entries map[string]bulk.SyncEntry
	onSave  func([]bulk.SyncEntry) error // called before each Save
	saves   int
}

func newMemoryState(t testing.TB) *memoryState {
	t.Helper()
	return &memoryState{t: t, entries: map[string]bulk.SyncEntry{}}
}

func (s *memoryState) Acquire(_ context.Context, address string) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.held:
		return nil, bulk.ErrStateInUse
	case s.address != "" && s.address != address:
		return nil, fmt.Errorf("%w: at %s", bulk.ErrStateMismatch, s.address)
	}
	s.held, s.address = true, address
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.held {
			s.t.Error("released twice")
		}
		s.held = false
	}, nil
}

func (s *memoryState) Lookup(_ context.Context, emails []string) ([]bulk.SyncEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.check(len(emails), emails)
	var found []bulk.SyncEntry
	for _, email := range emails {
		if e, ok := s.entries[email]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func (s *memoryState) Save(ctx context.Context, entries []bulk.SyncEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	var emails []string
	for _, e := range entries {
		emails = append(emails, e.Email)
	}
	s.check(len(entries), emails)
	s.saves++
	if s.onSave != nil {
		if err := s.onSave(entries); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if s.entries[e.Email] = e; e == (bulk.SyncEntry{Email: e.Email}) {
			delete(s.entries, e.Email)
		}
	}
	return nil
}

// check checks the rules for a call. s.mu is held.
func (s *memoryState) check(n int, emails []string) {
	seen := map[string]bool{}
	for _, email := range emails {
		if email != bulk.EmailKey(email) || seen[email] {
			s.t.Errorf("the state is asked for %q, which is no key, or is there twice", email)
		}
		seen[email] = true
	}
	if !s.held || n == 0 || n > 1000 {
		s.t.Errorf("the state is asked for %d emails; it was acquired: %t", n, s.held)
	}
}

// snapshot returns a copy of the entries.
func (s *memoryState) snapshot() map[string]bulk.SyncEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

func openState(t testing.TB, path string) *bulk.FileSyncState {
	t.Helper()
	s, err := bulk.OpenSyncState(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func stateFile(t testing.TB) *bulk.FileSyncState {
	t.Helper()
	return openState(t, filepath.Join(t.TempDir(), "state"))
}

// synced runs a Sync that must succeed. It returns the report and the requests.
func synced(t testing.TB, srv *demeterrrtest.Server, input []demeterrr.ContactParams, options *bulk.SyncOptions) (*bulk.SyncReport, []demeterrrtest.Request) {
	t.Helper()
	before := len(srv.Requests())
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Failed {
		t.Errorf("contact %d: %v", f.Index, f.Err)
	}
	requests := srv.Requests()[before:]
	if report.Requests != len(requests) || len(report.NotTried) > 0 {
		t.Errorf("%d requests, the fake counted %d: %s", report.Requests, len(requests), summary(report))
	}
	return report, requests
}

// sent formats requests as method, path and body, without ids.
func sent(requests []demeterrrtest.Request) []string {
	texts := []string{}
	for _, r := range requests {
		text := r.Method
		switch {
		case r.Method == http.MethodPost || r.Path == "/contacts":
			text += " /contacts"
		default:
			text += " /contacts/{id}"
		}
		if email := r.Query.Get("email"); email != "" {
			text += "?email=" + email
		}
		if len(r.Body) > 0 {
			text += " " + string(r.Body)
		}
		texts = append(texts, text)
	}
	return texts
}

// ofEmail returns a contact of the fake.
func ofEmail(t testing.TB, srv *demeterrrtest.Server, email string) demeterrr.Contact {
	t.Helper()
	for _, c := range srv.Contacts() {
		if c.Email == email {
			return c
		}
	}
	t.Fatalf("the account has no %s", email)
	return demeterrr.Contact{}
}

var errTorn = errors.New("torn")
