package bulk_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// acquired acquires a state and releases it.
func acquired(t testing.TB, s *bulk.FileSyncState, address string) {
	t.Helper()
	release, err := s.Acquire(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// knows fails the test unless a state has exactly these entries for these
// emails.
func knows(t testing.TB, s *bulk.FileSyncState, emails []string, want map[string]bulk.SyncEntry) {
	t.Helper()
	same(t, "entries", lookup(t, s, emails), want)
}

// lookup returns the entries of a state for these emails.
func lookup(t testing.TB, s *bulk.FileSyncState, emails []string) map[string]bulk.SyncEntry {
	t.Helper()
	found, err := s.Lookup(t.Context(), emails)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]bulk.SyncEntry{}
	for _, e := range found {
		entries[e.Email] = e
	}
	return entries
}

func randomEntry(r *rand.Rand, email string) bulk.SyncEntry {
	e := bulk.SyncEntry{Email: email, Dirty: r.IntN(3) == 0}
	switch r.IntN(6) {
	case 0:
		return bulk.SyncEntry{Email: email} // removes it
	case 1:
		e.ContactID = "odd id é " + email
	case 2:
		e.ContactID = "550E8400-E29B-41D4-A716-446655440000" // in another form than formatUUID
	default:
		e.ContactID = fmt.Sprintf("550e8400-e29b-41d4-a716-%012x", r.Uint32())
	}
	e.Fields = []string{"", `["phone"]`, `["customFields.é\n","title"]`, strings.Repeat("x", 3000) + email}[r.IntN(4)]
	for i := range e.Fingerprint {
		e.Fingerprint[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return e
}

// TestAStateFileKeepsWhatWasSaved saves at random, reopens, and compacts.
func TestAStateFileKeepsWhatWasSaved(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "state")
	s := openState(t, path)
	want, longest, shorter := map[string]bulk.SyncEntry{}, int64(0), 0
	var emails []string
	for i := range 900 {
		emails = append(emails, fmt.Sprintf("p%d@example.com", i))
	}
	for range rounds(150) {
		var entries []bulk.SyncEntry
		for _, i := range r.Perm(len(emails))[:1+r.IntN(400)] {
			e := randomEntry(r, emails[i])
			entries = append(entries, e)
			if want[e.Email] = e; e == (bulk.SyncEntry{Email: e.Email}) {
				delete(want, e.Email)
			}
		}
		if err := s.Save(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		switch r.IntN(10) {
		case 0:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openState(t, path)
		case 1:
			acquired(t, s, "https://a.example.com")
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < longest {
			shorter++
		}
		longest = info.Size()
		knows(t, s, emails, want)
	}
	if shorter == 0 || longest > 8<<20 {
		t.Errorf("it became shorter %d times, and has %d bytes", shorter, longest)
	}
	left, _ := filepath.Glob(path + "*")
	same(t, "files", left, []string{path})
	content, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(content), "p1@example.com\"") && !strings.Contains(string(content), "xp1@") {
		t.Error("the file has emails", err)
	}
}

func TestAStateFileIsBoundToAnAddress(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := openState(t, path)
	entry := []bulk.SyncEntry{{Email: "a@example.com", ContactID: "1"}}
	acquired(t, s, "https://a.example.com") // only looks, like a dry run
	acquired(t, s, "https://b.example.com")
	if err := s.Save(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Acquire(t.Context(), "https://c.example.com"); !errors.Is(err, bulk.ErrStateMismatch) || !strings.Contains(err.Error(), "https://b.example.com") {
			t.Error(err)
		}
		acquired(t, s, "https://b.example.com")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openState(t, path)
	}
}

func TestFilesThatAreNoStateAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const header = `{"syncState":"demeterrr","version":1}` + "\n"
	journal := filepath.Join(dir, "journal")
	if err := openJournal(t, journal, "s1").Close(); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	openState(t, open)
	cases := map[string]string{
		journal: "it is the journal of a sequence",
		write("later", `{"syncState":"demeterrr","version":2}`+"\n"):                                                  "it has version 2",
		write("csv", "Email,First name\n"):                                                                            "it is not a sync state",
		write("json", "{}\n"):                                                                                         "it is not a sync state",
		write("damaged", header+`{"entries":"!"}`+"\n{}\n"):                                                           "remove the file",
		write("short", header+`{"entries":"AAAA"}`+"\n{}\n"):                                                          "remove the file",
		write("fields", header+`{"entries":"`+strings.Repeat("////", 20)+`"}`+"\n{}\n"):                               "remove the file",
		write("text", header+`{"entries":"`+strings.Repeat("A", 20)+"AAH/////"+strings.Repeat("A", 32)+`"}`+"\n{}\n"): "remove the file",
		write("member", header+`{"more":1}`+"\n{}\n"):                                                                 "remove the file",
		write("type", header+`{"fields":1}`+"\n{}\n"):                                                                 "remove the file",
		write("torn inside", header+"{\n{}\n"):                                                                        "line 2 is damaged",
		dir:                                                                                                           "",
		open:                                                                                                          "open already",
		filepath.Join(dir, "none", "state"):                                                                           "",
	}
	if os.Geteuid() != 0 && runtime.GOOS != "windows" { // root may write to it
		readOnly := write("read-only", header)
		if err := os.Chmod(readOnly, 0o400); err != nil {
			t.Fatal(err)
		}
		cases[readOnly] = "permission denied"
	}
	for path, says := range cases {
		before, _ := os.ReadFile(path)
		s, err := bulk.OpenSyncState(path)
		if err == nil {
			t.Errorf("%s was opened", path)
			_ = s.Close()
			continue
		}
		e, ok := errors.AsType[*demeterrr.Error](err)
		if !ok || !strings.HasPrefix(e.Message, "sync state "+path+" cannot be opened: ") || !strings.Contains(e.Message, says) || strings.Contains(e.Message, "messaged") {
			t.Errorf("%v, want %q", err, says)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestATornStateFileCostsRequestsOnly cuts a file at every byte of its last
// lines.
func TestATornStateFileCostsRequestsOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	s := openState(t, path)
	emails := []string{"a@example.com", "b@example.com"}
	versions := []map[string]bulk.SyncEntry{{}}
	var sizes []int64
	r := rand.New(rand.NewPCG(1, 3))
	for range 4 {
		info, _ := os.Stat(path)
		sizes = append(sizes, info.Size())
		next := maps.Clone(versions[len(versions)-1])
		var entries []bulk.SyncEntry
		for _, email := range emails {
			e := randomEntry(r, email)
			e.Dirty, e.Fields = true, ""
			next[email], entries = e, append(entries, e)
		}
		if err := s.Save(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, next)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(path)
	for n := range whole {
		if testing.Short() && n%5 > 0 && whole[n] != '\n' {
			continue
		}
		torn := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(torn, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		version := 0
		for version < len(sizes) && int64(n) >= sizes[version] {
			version++
		}
		s, err := bulk.OpenSyncState(torn)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		found, _ := s.Lookup(t.Context(), emails)
		got := map[string]bulk.SyncEntry{}
		for _, e := range found {
			got[e.Email] = e
		}
		at := max(version-1, 0)
		if n < len(whole) && whole[n] == '\n' && version > 0 { // only the line end is missing
			at = min(version, len(versions)-1)
		}
		same(t, fmt.Sprint(n, " bytes"), got, versions[at])
		_ = s.Close()
	}
}

func TestAStateFileThatWasReplacedStopsTheRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows replaces no open file")
	}
	srv := account(t, 3)
	path := filepath.Join(t.TempDir(), "state")
	options := &bulk.SyncOptions{State: openState(t, path)}
	synced(t, srv, customerList(0, 3), options)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice([]demeterrr.ContactParams{changedCustomer(0)}), options)
	if err == nil || !strings.Contains(err.Error(), "the sync state failed: the file was removed or renamed") || strings.Contains(err.Error(), "messaged") || report.Requests != 0 || !slices.Equal(report.NotTried, []int{0}) {
		t.Error(err, summary(report))
	}
}

func TestAStateThatWasClosedOrNotMadeSaysSo(t *testing.T) {
	t.Parallel()
	s := stateFile(t)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Save(t.Context(), []bulk.SyncEntry{{Email: "a@example.com", Dirty: true}}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	for _, s := range []*bulk.FileSyncState{nil, {}} {
		_, err1 := s.Acquire(t.Context(), "")
		_, err2 := s.Lookup(t.Context(), []string{"a"})
		for _, err := range []error{err1, err2, s.Save(t.Context(), nil)} {
			wantIs(t, err, demeterrr.ErrValidation)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := stateFile(t).Save(t.Context(), []bulk.SyncEntry{{Email: "a@example.com", ContactID: strings.Repeat("x", 2000)}}); err == nil || strings.Contains(err.Error(), "@") {
		t.Error(err)
	}
}
