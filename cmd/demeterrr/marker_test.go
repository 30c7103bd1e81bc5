package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACampaignOfADatabaseDoesNotBeginAnewElsewhere(t *testing.T) {
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			srv, sequence := newSurvey(t)
			file := writeText(t, "c.csv", "Email\njane@example.com\n")
			flag, other := database(t), database(t)
			execute := func(want int, says string, flags ...string) {
				t.Helper()
				command(t, "sequences execute "+sequence.ID+" "+file, flags...).want(t, want, says)
			}
			execute(exitDone, "", "--dry-run", flag) // a dry run marks nothing
			execute(exitDone, "", "--dry-run")
			execute(exitDone, `"sent":1`, "--yes", "--campaign=Nov é", flag)
			for _, campaign := range []string{"Nov é", "nov E\u0301", "NOV É"} {
				for _, mode := range []string{"--yes", "--dry-run"} {
					execute(exitUsage, "has its journal in a database; name that one with --database", mode, "--campaign", campaign)
					execute(exitUsage, "has its journal in another database", mode, "--campaign", campaign, other)
				}
				execute(exitDone, `"alreadySent":1`, "--yes", "--campaign", campaign, flag)
			}
			if len(srv.Sendings()) != 1 {
				t.Errorf("%d sendings", len(srv.Sendings()))
			}
			markers, _ := filepath.Glob("state/demeterrr/*/" + sequence.ID + "/*" + markerEnd)
			if len(markers) != 1 {
				t.Fatalf("%q", markers)
			}
			execute(exitDone, `"sent":1`, "--yes") // another campaign
			if err := os.Remove(markers[0]); err != nil {
				t.Fatal(err)
			}
			execute(exitDone, `"sent":1`, "--yes", "--campaign=Nov é")
		})
	}
}

func TestAMarkerHasNoAddress(t *testing.T) {
	newFake(t)
	f := campaignFlags{campaign: "2026-11"}
	const before, after = "postgres://jane:secret@db.example.com/crm?sslmode=disable", "postgres://joe:changed@db.example.com:5432/crm?sslmode=disable"
	if err := f.mark("s1", before); err != nil {
		t.Fatal(err)
	}
	file, err := f.marker("s1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"jane", "secret", "db.example.com", "crm"} {
		if strings.Contains(string(text), word) {
			t.Errorf("%q is in %q", word, text)
		}
	}
	if err := f.checkMarker("s1", after); err != nil {
		t.Errorf("another user and password: %v", err)
	}
	for _, other := range []string{
		"", "postgres://jane:secret@db.example.com/shop", "postgres://jane:secret@db2.example.com/crm", "mysql://jane:secret@tcp(db.example.com)/crm",
		"sqlite:crm", "mysql://jane:secret@tcp(db.example.com)/shop",
	} {
		if err := f.checkMarker("s1", other); err == nil {
			t.Errorf("%q is accepted", other)
		}
	}
}
