package bulk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

func TestAJournalIsReadableAsJSONLines(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	srv.AddContact(demeterrr.Contact{Email: "customer1@example.com", Unsubscribed: true})
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, id)
	if _, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 3)), &bulk.ExecuteOptions{Journal: j}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for line := range bytes.Lines(data) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, changing := range []string{"at", "owner", "token"} {
			delete(m, changing)
		}
		if ids, ok := m["contactIds"].(map[string]any); ok {
			m["contactIds"] = len(ids)
		}
		got = append(got, m)
	}
	want := []map[string]any{
		{"journal": "demeterrr", "version": 1.0, "sequenceId": id},
		{"begun": []any{"customer0@example.com", "customer1@example.com", "customer2@example.com"}},
		{"done": map[string]any{"queued": []any{"customer0@example.com", "customer2@example.com"}, "skipped": []any{"customer1@example.com"}}, "contactIds": 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// wholeJournal returns a journal with two batches. The second one sends to a
// contact that the first one missed.
func wholeJournal(t *testing.T, path, id string) []byte {
	t.Helper()
	j := openJournal(t, path, id)
	claim(t, j, id, "t1", "a@x", "b@x")
	finish(t, j, id, "t1", done("a@x"), bulk.JournalEntry{Email: "b@x"})
	claim(t, j, id, "t2", "b@x", "c@x")
	finish(t, j, id, "t2", done("b@x"), bulk.JournalEntry{Email: "c@x", State: bulk.JournalUnknown})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAJournalSurvivesBeingCutAnywhere cuts a journal after every byte, like a
// crash. Only whole lines count in the rest.
func TestAJournalSurvivesBeingCutAnywhere(t *testing.T) {
	t.Parallel()
	const id = "s1"
	dir := t.TempDir()
	path := filepath.Join(dir, "whole")
	data := wholeJournal(t, path, id)
	wants := []string{",,", "begun,begun,", "done,,", "done,begun,begun", "done,done,unknown"} // after each line
	for cut := range len(data) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00", "\x00\x00\n"} {
			if tail != "" && (cut%5 != 0 || cut == len(data) || !bytes.Contains(data[:cut], []byte("\n"))) {
				continue
			}
			torn := filepath.Join(dir, "torn")
			if err := os.WriteFile(torn, append(bytes.Clone(data[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // once more after the repair
				j, err := bulk.OpenJournal(torn, id)
				if err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				var states []string
				for _, email := range []string{"a@x", "b@x", "c@x"} {
					states = append(states, string(stateOf(t, j, id, email).State))
				}
				lines := bytes.Count(data[:cut], []byte("\n"))
				if tail == "" && cut < len(data) && data[cut] == '\n' {
					lines++ // it looks like an edited line, and its emails may have been messaged
				}
				want := wants[max(0, lines-1)]
				if got := strings.Join(states, ","); got != want {
					t.Fatalf("cut at %d: %q, want %q", cut, got, want)
				}
				if lines := bytes.Count(data[:cut], []byte("\n")); lines > 0 {
					kept, err := os.ReadFile(torn)
					if whole := data[:bytes.LastIndexByte(data[:cut], '\n')+1]; err != nil || !bytes.HasPrefix(kept, whole) || bytes.Count(kept, []byte("\n")) < lines || kept[len(kept)-1] != '\n' {
						t.Fatalf("cut at %d: the file is left as %q (%v)", cut, kept, err)
					}
				}
				if cut%5 == 0 { // each write waits for the disk
					claim(t, j, id, "t3", "d@x")
					finish(t, j, id, "t3", bulk.JournalEntry{Email: "d@x"})
				}
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAJournalIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const header = `{"journal":"demeterrr","version":1,"sequenceId":"s1"}` + "\n"
	for name, test := range map[string]struct{ content, want string }{
		"another sequence's":     {strings.Replace(header, "s1", "s2", 1), "belongs to sequence s2"},
		"a list of contacts":     {"Email,Name\na@example.com,A\n", "it is not a journal"},
		"one line":               {"Email,Name", "it is not a journal"},
		"other JSON":             {`{"a":1}` + "\n", "it is not a journal"},
		"another program's":      {strings.Replace(header, "demeterrr", "systemd", 1), "it is not a journal"},
		"a number of a sequence": {strings.Replace(header, `"s1"`, "1", 1), "it is not a journal"},
		"a later version":        {strings.Replace(header, "1,", "2,", 1), "it has version 2"},
		"damaged in between":     {header + "{\"begun\":[\"a@x\n" + `{"begun":["b@x"]}` + "\n", "damaged"},
		"wrong type of entry":    {header + `{"begun":"a@x"}` + "\n", "its members must be"},
		"a comma too many":       {header + `{"begun":["a@x",]}` + "\n", "damaged"},
		"no newline":             {header + `{"begun":"a@x"}`, "its members must be"},
		"null":                   {header + "null\n", "damaged"},
		"a string, no end":       {header + `"begun"` + "\n", "damaged"},
		"two on one line":        {header + `{"begun":["a@x"]}{"begun":["b@x"]}` + "\n", "damaged"},
		"an empty line":          {header + "\n", "damaged"},
		"unknown member":         {header + `{"sent":["a@x"]}` + "\n", "its members must be"},
		"unknown, no list":       {header + `{"sent":"a@x"}` + "\n", "its members must be"},
		"a member twice":         {header + `{"begun":["a@x"],"begun":["b@x"]}` + "\n", "each at most once"},
		"a status twice":         {header + `{"done":{"queued":["a@x"],"queued":["b@x"]}}` + "\n", "each at most once"},
		"no email":               {header + `{"begun":["a@x",null]}` + "\n", "lists of emails"},
		"Latin-1":                {header + "{\"begun\":[\"jos\xe9@x\"]}\n", "damaged"},
		"an endless line":        {header + strings.Repeat(" ", 2<<20) + "{}\n", "damaged"},
		"an endless header":      {strings.Repeat(" ", 2<<20) + header, "it is not a journal"},
	} {
		content := test.content
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := bulk.OpenJournal(path, "s1")
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = j.Close()
		}
		if _, ok := errors.AsType[*demeterrr.Error](err); !ok || strings.HasPrefix(content, header) && !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Errorf("%s: the file was changed to %q", name, left)
		}
	}
	if _, err := bulk.OpenJournal(filepath.Join(dir, "no id"), ""); !errors.Is(err, demeterrr.ErrValidation) {
		t.Errorf("no id: %v", err)
	}
}

func TestAJournalIsOpenOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "twice")
	j := openJournal(t, path, "s1")
	if _, err := bulk.OpenJournal(path, "s1"); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Errorf("opened twice: %v", err)
	}
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Error(err)
	}
	if _, err := j.Claim(t.Context(), "s1", "t1", []string{"a@x"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	openJournal(t, path, "s1") // it is free again
}

func TestAJournalThatPeopleEditedIsReadAsTheyMeantIt(t *testing.T) {
	t.Parallel()
	const header = `{"journal":"demeterrr","version":1,"sequenceId":"s1"}`
	for name, content := range map[string]string{
		"no newline":        header + "\n" + `{"done":{"queued":["a@x"]}}`,
		"upper case":        header + "\n" + `{"done":{"queued":["A@X"]}}` + "\n",
		"upper case, begun": header + "\n" + `{"begun":["A@X"]}` + "\n" + `{"done":{"queued":["a@x"]}}` + "\n",
		"lines of Windows":  header + "\r\n" + `{"done":{"queued":["a@x"]}}` + "\r\n",
		"done, then begun":  header + "\n" + `{"done":{"queued":["a@x"]}}` + "\n" + `{"begun":["a@x"]}` + "\n",
		"done, then unsure": header + "\n" + `{"done":{"queued":["a@x"]}}` + "\n" + `{"unknown":["A@x"]}` + "\n",
		"done, then free":   header + "\n" + `{"done":{"queued":["a@x"]}}` + "\n" + `{"forgotten":["a@x"],"notSent":["a@x"]}` + "\n",
		"free, never begun": header + "\n" + `{"notSent":["z@x"]}` + "\n" + `{"forgotten":["y@x"],"done":{"queued":["a@x"]}}` + "\n",
		"null members":      header + "\n" + `{"owner":null,"begun":null,"done":{"queued":["a@x"]}}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"b@x", "c@x"} { // both are written behind it
			j := openJournal(t, path, "s1")
			same(t, name, stateOf(t, j, "s1", "a@x"), done("a@x"))
			claim(t, j, "s1", "t1", email)
			if err := j.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "header")
	if err := os.WriteFile(path, []byte(header), 0o600); err != nil {
		t.Fatal(err)
	}
	openJournal(t, path, "s1")
}

func TestAJournalIsARegularFile(t *testing.T) {
	t.Parallel()
	if j, err := bulk.OpenJournal(os.DevNull, "s1"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(j, err)
	}
	if j, err := bulk.OpenJournal(t.TempDir(), "s1"); err == nil {
		t.Error(j, "a directory was opened")
	}
}

// longEmails returns emails of the maximum length. In JSON they are six times
// as long.
func longEmails(n int) []string {
	emails := make([]string, n)
	for i := range emails {
		emails[i] = fmt.Sprintf("%04d%s@x", i, strings.Repeat("&", 320-len("0000@x")))
	}
	return emails
}

func TestEveryLineOfAJournalCanBeReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	emails := longEmails(1200) // more than fit into a line
	if _, err := j.Claim(t.Context(), "s1", "t1", emails); err == nil {
		t.Error("a line was written that cannot be read")
	}
	var entries []bulk.JournalEntry
	for batch := range slices.Chunk(emails, 100) {
		claim(t, j, "s1", "t1", batch...)
	}
	for i, email := range emails[:600] {
		status := demeterrr.ExecutionStatus(strings.Repeat("<", i%100)) // a hundred different ones
		entries = append(entries, bulk.JournalEntry{Email: email, State: bulk.JournalDone, Status: status, ContactID: "990e8400-e29b-41d4-a716-446655440000"})
	}
	for _, email := range emails[600:] {
		entries = append(entries, bulk.JournalEntry{Email: email})
	}
	finish(t, j, "s1", "t1", entries...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, path, "s1")
	for _, want := range entries {
		got := stateOf(t, j, "s1", want.Email)
		got.At, got.Owner = time.Time{}, ""
		if want.State == bulk.JournalNew {
			want.Email = "" // no entry
		}
		same(t, "entry", got, want)
	}
}

func TestAJournalForgetsAnyNumber(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	emails := longEmails(1200)
	for batch := range slices.Chunk(emails, 100) {
		claim(t, j, "s1", "t1", batch...)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, path, "s1")
	if err := errors.Join(j.Forget(emails...), j.Close()); err != nil {
		t.Error(err)
	}
	if left := openJournal(t, path, "s1").InDoubt(); len(left) > 0 {
		t.Errorf("%d are left in doubt", len(left))
	}
}

// JSON would change this email, so a later lookup would miss it.
func TestAJournalClaimsOnlyEmails(t *testing.T) {
	t.Parallel()
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"), "s1")
	for _, email := range []string{"", "nobody", "jos\xe9@example.com", "a b@example.com"} {
		_, err := j.Claim(t.Context(), "s1", "t1", []string{"a@example.com", email})
		if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), "email 2 of the batch") || stateOf(t, j, "s1", "a@example.com").State != bulk.JournalNew {
			t.Errorf("%q: %v", email, err)
		}
	}
}

func TestAJournalThatWasNotOpenedIsRefused(t *testing.T) {
	t.Parallel()
	const want = "the journal was not made by OpenJournal"
	srv, id := survey(t)
	for _, j := range []*bulk.FileJournal{nil, {}} {
		_, lookup := j.Lookup(t.Context(), id, []string{"a@x"})
		_, claim := j.Claim(t.Context(), id, "t1", []string{"a@x"})
		_, execute := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		for name, err := range map[string]error{
			"Lookup": lookup, "Execute": execute, "Claim": claim,
			"Finish": j.Finish(t.Context(), id, "t1", nil), "Forget": j.Forget("a@x"), "Forget nobody": j.Forget(),
		} {
			if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if emails, err := j.InDoubt(), j.Close(); emails != nil || err != nil {
			t.Error(emails, err)
		}
	}
	if len(srv.Requests()) > 0 {
		t.Error("something was sent")
	}
}

func TestAJournalRefusesAnotherSequence(t *testing.T) {
	t.Parallel()
	srv, _ := survey(t)
	other := srv.AddSequence(demeterrr.Sequence{Name: "Other"}).ID
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	report, err := bulk.Execute(t.Context(), srv.Client(), other, bulk.Slice(recipients(0, 200)), &bulk.ExecuteOptions{Journal: j})
	executeAdds(t, report)
	if !errors.Is(err, demeterrr.ErrValidation) || len(report.NotTried) != 100 || len(srv.Requests()) > 0 {
		t.Error(err, totals(report))
	}
	_ = j.Close()
	_, errOpen := bulk.OpenJournal(path, other)
	_, claim := j.Claim(t.Context(), other, "t1", nil)
	for name, err := range map[string]error{"Execute": err, "OpenJournal": errOpen, "Claim": claim} {
		if want := "this journal belongs to sequence s1, not to " + other + ";"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// The file has the email in the lower case of an earlier version.
func TestAJournalKnowsAnEmailInEveryCase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	const lines = `{"journal":"demeterrr","version":1,"sequenceId":"s1"}
{"at":"2026-02-10T10:30:00Z","begun":["νικος@x.gr","µ@x.gr","i@x.gr"]}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, path, "s1")
	for _, email := range []string{"ΝΙΚΟΣ@x.gr", "νικοσ@X.gr", "νικος@x.gr", "μ@x.gr", "Μ@x.gr", "İ@x.gr"} {
		if e := stateOf(t, j, "s1", email); e.State != bulk.JournalBegun || e.Live {
			t.Errorf("%s: got %+v", email, e)
		}
	}
	if err := j.Forget("ΝΙΚΟΣ@x.gr", "Μ@x.gr", "İ@x.gr"); err != nil || len(j.InDoubt()) > 0 {
		t.Error(err, j.InDoubt())
	}
}

func TestForgetTakesOnlyThoseInDoubt(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, id)
	claim(t, j, id, "t1", keys(0, 4)...)
	finish(t, j, id, "t1", done("customer0@example.com"), bulk.JournalEntry{Email: "customer1@example.com", State: bulk.JournalUnknown})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, path, id)
	claim(t, j, id, "t2", "customer4@example.com")
	same(t, "in doubt", doubted(j), keys(1, 4))
	for _, test := range []struct {
		emails []string
		want   string
	}{
		{[]string{"customer0@example.com"}, "email 1 of 1 is not in doubt"},
		{[]string{"customer1@example.com", "customer9@example.com"}, "email 2 of 2 is not in doubt"},
		{[]string{"customer1@example.com", "customer4@example.com"}, "email 2 of 2 is being sent to"},
	} {
		if err := j.Forget(test.emails...); !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.emails, err, test.want)
		}
	}
	same(t, "in doubt", doubted(j), keys(1, 4))
	finish(t, j, id, "t2", bulk.JournalEntry{Email: "customer4@example.com"})
	if err := j.Forget("Customer2@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 3)), &bulk.ExecuteOptions{Journal: openJournal(t, path, id)})
	if err != nil || totals(report) != "read 3, duplicates 0, already sent 1, sent 1, skipped 0, failed 0, unknown 1, requests 1" {
		t.Error(err, totals(report))
	}
	if got := messaged(srv); !slices.Equal(got, []string{"customer2@example.com"}) {
		t.Errorf("messaged %v", got)
	}
}

// The emails stay in doubt if the file cannot say otherwise.
func TestForgetTellsThatTheFileFailed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	claim(t, j, "s1", "t1", "a@x")
	finish(t, j, "s1", "t1", bulk.JournalEntry{Email: "a@x", State: bulk.JournalUnknown})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Forget("a@x"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want the error of the closed file", err)
	}
	same(t, "in doubt", doubted(j), []string{"a@x"})
	same(t, "in doubt in the file", doubted(openJournal(t, path, "s1")), []string{"a@x"})
}

// A claim belongs to its token, even after the file is closed and opened again.
func TestAFilesClaimBelongsToItsToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	claim(t, j, "s1", "t1", "a@x", "b@x", "c@x")
	claim(t, j, "s1", "t1", "a@x", "b@x", "c@x") // again: nothing is taken
	lines := bytes.Count(must(os.ReadFile(path)), []byte("\n"))
	taken := must(j.Claim(t.Context(), "s1", "t2", []string{"B@x", "d@x"}))
	if len(taken) != 1 || taken[0].Email != "b@x" || !taken[0].Live || taken[0].Owner == "" || taken[0].At.IsZero() || lines != 2 {
		t.Errorf("%+v after %d lines", taken, lines)
	}
	finish(t, j, "s1", "t2", done("a@x"), bulk.JournalEntry{Email: "b@x"}, bulk.JournalEntry{Email: "stranger@x"})
	finish(t, j, "s1", "t1", bulk.JournalEntry{Email: "a@x", State: bulk.JournalUnknown})
	finish(t, j, "s1", "t1", done("a@x"), done("a@x")) // no longer begun
	taken = must(j.Claim(t.Context(), "s1", "t1", []string{"a@x"}))
	if len(taken) != 1 || taken[0].State != bulk.JournalUnknown || taken[0].Live {
		t.Errorf("%+v", taken)
	}
	if err := j.Forget("b@x"); !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), "is being sent to") {
		t.Error(err)
	}
	same(t, "in doubt", doubted(j), []string{"a@x"})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = openJournal(t, path, "s1")
	same(t, "in doubt", doubted(j), []string{"a@x", "b@x", "c@x", "d@x"})
	claim(t, j, "s1", "t1", "b@x") // after a broken connection, for example
	finish(t, j, "s1", "t1", bulk.JournalEntry{Email: "b@x", State: bulk.JournalDone, Status: "skipped", ContactID: "c1"})
	got := stateOf(t, j, "s1", "b@x")
	same(t, "entry", got, bulk.JournalEntry{Email: "b@x", State: bulk.JournalDone, Status: "skipped", ContactID: "c1", Owner: got.Owner, At: got.At})
	for _, token := range []string{"", strings.Repeat("t", 65), "\xff"} {
		if _, err := j.Claim(t.Context(), "s1", token, []string{"e@x"}); !errors.Is(err, demeterrr.ErrValidation) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	for _, state := range []bulk.JournalState{bulk.JournalBegun, "paused"} {
		if err := j.Finish(t.Context(), "s1", "t1", []bulk.JournalEntry{done("c@x"), {Email: "c@x", State: state}}); !errors.Is(err, demeterrr.ErrValidation) {
			t.Errorf("state %q: %v", state, err)
		}
	}
	claim(t, j, "s1", strings.Repeat("t", 64), "f@x")
	same(t, "c", stateOf(t, j, "s1", "c@x").State, bulk.JournalBegun)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Claim(ended, "s1", "t3", []string{"e@x"}); !errors.Is(err, context.Canceled) || stateOf(t, j, "s1", "e@x").State != bulk.JournalNew {
		t.Error(err)
	}
}

func TestASkippedContactStaysSkipped(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	srv.AddContact(demeterrr.Contact{Email: "customer1@example.com", Unsubscribed: true})
	options := &bulk.ExecuteOptions{Journal: openJournal(t, filepath.Join(t.TempDir(), "journal"), id)}
	for i := range 2 {
		report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 3)), options)
		if err != nil || len(report.Skipped) != 1 || report.Skipped[0].Status != "skipped" || report.Requests != 1-i {
			t.Error(err, totals(report), report.Skipped)
		}
	}
}

// An editor saves a file by replacing it. The next run would open the new file,
// so this run must not send beyond it.
func TestARunStopsWhenItsJournalIsReplaced(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let a program replace an open file")
	}
	for name, tt := range map[string]struct {
		inFlight bool
		sent     int
		want     string
	}{
		"between two batches":     {false, 100, "the journal could not claim a batch: "},
		"while one is on its way": {true, 200, "this report is correct"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			replace := func() {
				data := must(os.ReadFile(path))
				if err := errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path)); err != nil {
					t.Error(err)
				}
			}
			requests := 0
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests == 2 && tt.inFlight {
					replace()
				}
				answer(200, queued(readExecution(t, r)))(w, r)
			})
			j := openJournal(t, path, "s1")
			report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 1000)), &bulk.ExecuteOptions{
				Journal: j, OnProgress: func(p bulk.ExecuteProgress) {
					if p.Requests == 1 && !tt.inFlight {
						replace()
					}
				},
			})
			executeAdds(t, report)
			if report.Sent != tt.sent || requests != tt.sent/100 || len(report.Unknown) > 0 {
				t.Error(totals(report), requests)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "another file took its place") {
				t.Error(err)
			}
			if len(report.Failed) > 0 || len(report.NotTried) != report.Read-report.Sent {
				t.Error(totals(report))
			}
			openJournal(t, path, "s1") // the new file is unlocked
		})
	}
}

// Each contact has its own error, for the caller to change.
func TestTheErrorsOfAnEarlierRunAreNotShared(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := openJournal(t, filepath.Join(t.TempDir(), "journal"), id)
	claim(t, j, id, "t1", keys(0, 2)...)
	finish(t, j, id, "t1", bulk.JournalEntry{Email: keys(0, 1)[0], State: bulk.JournalUnknown}, bulk.JournalEntry{Email: keys(1, 2)[0], State: bulk.JournalUnknown})
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	if err != nil || len(report.Unknown) != 2 || report.Unknown[0].Err == report.Unknown[1].Err { //nolint:errorlint // identity
		t.Error(err, report.Unknown)
	}
}

// told returns the emails in the lists of a whole line, by member.
func told(line []byte, members ...string) []string {
	var emails []string
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			emails = append(emails, v)
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		}
	}
	var object map[string]any
	if json.Unmarshal(line, &object) != nil {
		return nil
	}
	for name, v := range object {
		if slices.ContainsFunc(members, func(m string) bool { return strings.EqualFold(m, name) }) {
			collect(v)
		}
	}
	return emails
}

// FuzzJournalFile opens arbitrary content after the header of a journal.
func FuzzJournalFile(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "null\n", `{"begun":["a@x"]}`, `{"begun":["a@x"]}` + "\n", `{"begun":["a@x"` + "\x00\x00\n", `{"begun":["A@x"],"begun":["b@x"]}` + "\n",
		`{"begun":["a@x"]}` + "\n" + `{"done":{"queued":["a@x"],"":["B@X"]},"Done":{}}` + "\n" + `{"notSent":["a@x"]}` + "\n",
		`{"at":"2026-11-23T19:00:00Z","begun":["a@x","b@x"]}` + "\r\n" + `{"forgotten":["b@x"]}` + "\r\n", `{"done":{"queued":["\u212a@x",null]}}`, "{\"begun\":[\"\xe9@x\"]}\n",
		`{"owner":"web-1:4711","token":"t1","begun":["a@x","b@x"]}` + "\n" + `{"unknown":["a@x"]}` + "\n" + `{"done":{"queued":["b@x"]},"contactIds":{"b@x":"c1","b@x":null}}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const header = `{"journal":"demeterrr","version":1,"sequenceId":"s1"}` + "\n"
		path := filepath.Join(t.TempDir(), "journal")
		content := append([]byte(header), data...)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := bulk.OpenJournal(path, "s1")
		if err != nil {
			if left, _ := os.ReadFile(path); !bytes.Equal(left, content) {
				t.Errorf("it was refused, and changed to %q", left)
			}
			return
		}
		var named, begun, done, free []string
		for line := range bytes.Lines(data) {
			begun = append(begun, told(line, "begun", "unknown")...)
			done = append(done, told(line, "done")...)
			free = append(free, told(line, "notSent", "forgotten")...)
		}
		named = slices.Concat(begun, done, free)
		states := func(j *bulk.FileJournal) (list []bulk.JournalEntry) {
			for _, email := range named {
				e := stateOf(t, j, "s1", email)
				e.Email = strings.ToLower(email)
				list = append(list, e)
			}
			return list
		}
		first := states(j)
		for i, e := range first {
			known := i < len(begun) && !slices.ContainsFunc(free, func(f string) bool { return strings.ToLower(f) == e.Email })
			if e.State == bulk.JournalNew && (known || i >= len(begun) && i < len(begun)+len(done)) {
				t.Errorf("%q is new", e.Email)
			}
		}
		doubt := j.InDoubt()
		_ = j.Close()
		again := openJournal(t, path, "s1")
		if diff := cmp.Diff(first, states(again)) + cmp.Diff(doubt, again.InDoubt()); diff != "" {
			t.Errorf("opened again (-first +again):\n%s", diff)
		}
	})
}
