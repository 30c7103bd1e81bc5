package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

var jane = demeterrr.Contact{
	ID: "550e8400-e29b-41d4-a716-446655440000", Email: "jane.smith@example.com", FirstName: "Jane", LastName: "=1+2", Phone: "+15559876543",
	Tags: []string{"vip", "a,b"}, CustomFields: map[string]any{"Visits": 3.0, "Tier": "Gold"}, PreferredLanguage: "fr",
	CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
}

func TestContactsAreListed(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(jane)
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo\x1b[2J", Unsubscribed: true, ID: "660e8400-e29b-41d4-a716-446655440000"})

	t.Run("as JSON lines in a pipe", func(t *testing.T) {
		r := command(t, "contacts list").want(t, exitDone)
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		var got demeterrr.Contact
		if err := json.Unmarshal([]byte(lines[0]), &got); err != nil || len(lines) != 2 {
			t.Fatalf("%d lines: %v", len(lines), err)
		}
		if diff := cmp.Diff(jane, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("as a table", func(t *testing.T) {
		r := command(t, "contacts list -o table").want(t, exitDone)
		if !strings.HasPrefix(r.out, "email: jane.smith@example.com\nfirst name: Jane\n") || strings.Contains(r.out, "\x1b") {
			t.Errorf("%q", r.out) // 80 columns are too few
		}
	})
	t.Run("as CSV", func(t *testing.T) {
		r := command(t, "contacts list -o csv --limit 1").want(t, exitDone, "1 of 2 contacts")
		want := "id,email,firstName,lastName,phone,title,preferredLanguage,locationId,contactOrganizationId,tags,unsubscribed,createdAt,updatedAt,customFields.Tier,customFields.Visits\n" +
			`550e8400-e29b-41d4-a716-446655440000,jane.smith@example.com,Jane,'=1+2,+15559876543,,fr,,,"vip,""a,b""",false,2026-01-02T03:04:05.000Z,2026-01-02T03:04:05.000Z,Gold,3` + "\n"
		if diff := cmp.Diff(want, r.out); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("one", func(t *testing.T) {
		r := command(t, "contacts get -o table Jane.Smith@example.com").want(t, exitDone, "customFields.Tier: Gold\n")
		if by := command(t, "contacts get -o table "+jane.ID); by.out != r.out {
			t.Errorf("by id:\n%s", by.out)
		}
	})
	t.Run("selected", func(t *testing.T) {
		if r := command(t, "contacts list --search bo --limit 0").want(t, exitDone); strings.Count(r.out, "\n") != 1 {
			t.Error(r.out)
		}
	})
}

func TestAnExportIsPrivateAndReplacesTheFileInOneStep(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(jane)
	writeText(t, "all.csv", "id,email,firstName,lastName\n")
	if err := os.Chmod("all.csv", 0o644); err != nil { //nolint:gosec // what the export replaces
		t.Fatal(err)
	}
	command(t, "contacts export all.csv").want(t, exitDone, "1 contact in all.csv")
	text, err := os.ReadFile("all.csv")
	info, _ := os.Stat("all.csv")
	if err != nil || !strings.Contains(string(text), "jane.smith@example.com") || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v %s", err, info.Mode(), text)
	}
	command(t, "contacts export -o json all.jsonl").want(t, exitDone)
	if text, err := os.ReadFile("all.jsonl"); err != nil || !strings.HasPrefix(string(text), `{"id":`) {
		t.Errorf("%v %s", err, text)
	}
	srv.DeactivateKey(srv.APIKey())
	command(t, "contacts export all.jsonl").want(t, exitStopped, "nothing was written")
	if left, _ := os.ReadDir("."); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSequencesAreListed(t *testing.T) {
	srv := newFake(t)
	s := srv.AddSequence(demeterrr.Sequence{Name: "Survey", Status: "draft"})
	command(t, "sequences list -o table").want(t, exitDone, "Survey  draft   "+s.ID)
}

func TestAFileOfSomethingElseIsNotReplaced(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\nnobody\n")
	execute := "sequences execute --yes --journal j " + sequence.ID + " " + file
	command(t, execute).want(t, exitPartly, `"sent":1`)
	journal, _ := os.ReadFile("j")
	notes := writeText(t, "notes.txt", "mine\n")
	for _, path := range []string{"j", notes, file} {
		command(t, "contacts export "+path).want(t, exitUsage, "is not an export")
		if path != file {
			command(t, "sequences execute --yes --errors "+path+" "+sequence.ID+" "+file).want(t, exitUsage, "is not an errors file")
		}
	}
	if text, _ := os.ReadFile("j"); string(text) != string(journal) {
		t.Errorf("the journal is %q", text)
	}
	command(t, execute).want(t, exitPartly, `"alreadySent":1`) // errors.csv is an errors file
	for _, format := range []string{"csv", "json", "table"} {
		for range 2 {
			command(t, "contacts export -o "+format+" all").want(t, exitDone)
		}
	}
	if len(srv.Sendings()) != 1 {
		t.Errorf("sent to %q", sentTo(srv))
	}
}
