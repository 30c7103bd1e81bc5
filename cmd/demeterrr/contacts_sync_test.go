package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const germanFile = "E-Mail;Vorname;Nachname;Stufe;Tags;Abgemeldet\n" +
	"ann@example.com;Ann;Lee-Day;Gold;vip, new;\nbo@example.com;Bo;;;;\ncy@example.com;Cy;;;;\ndi@example.com;;;;;\nno@example.com;No;;;;ja\nbroken;;;;;\n"

// linesOf returns the first line of JSON with the type.
func (r result) linesOf(t *testing.T, kind string) map[string]any {
	t.Helper()
	for line := range strings.Lines(r.out) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if object["type"] == kind {
			return object
		}
	}
	t.Fatalf("no line of type %s:\n%s", kind, r.out)
	return nil
}

// numbers returns the named counts of an object.
func numbers(object map[string]any, keys ...string) map[string]float64 {
	all := map[string]float64{}
	for _, key := range keys {
		all[key], _ = object[key].(float64)
	}
	return all
}

func TestASyncShowsWhatItWillDoAndWritesWhatDiffers(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(demeterrr.Contact{Email: "ann@example.com", FirstName: "Ann", LastName: "Lee"})
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo"})
	file := writeText(t, "c.csv", germanFile)
	line := "contacts sync --map customFields.Tier=Stufe -o table " + file

	command(t, line).want(t, exitUsage, "add --yes")
	if len(srv.Requests()) > 0 {
		t.Fatal("something was sent before the question")
	}
	r := command(t, line, "--dry-run").want(t, exitPartly,
		`c.csv: 6 rows, utf-8, separated by ";"`, "  Vorname: firstName\n", "  Stufe: customFields.Tier\n", "  Abgemeldet: consent, 1 opted out\n",
		`  {"update":"ann@example.com","with":{"lastName":"Lee-Day","customFields":{"Tier":"Gold"},"tags":["vip","new"]}}`,
		`  {"create":{"email":"cy@example.com","firstName":"Cy"}}`,
		"1 to create, 1 to update, 1 unchanged, 1 will fail, 1 opted out (left out), 1 invalid\n  2 more requests, done in under a minute\n",
		"Dry run, nothing was written; predicted: 1 created, 1 updated, 1 unchanged, 1 failed, 1 request")
	if strings.Contains(r.out, "no@example.com") || len(srv.Requests()) != 1 {
		t.Errorf("%d requests, or the opted-out contact in\n%s", len(srv.Requests()), r.out)
	}

	command(t, line, "--yes").want(t, exitPartly, "Done: 1 created, 1 updated, 1 unchanged, 1 failed, 3 requests, 1 opted out (left out), 1 invalid", "3 rows listed in errors.csv")
	if n := len(srv.Requests()); n != 1+3 {
		t.Errorf("%d requests: the account is read once", n)
	}
	listed, err := os.ReadFile("errors.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := "\ufeff" + `"row";"reason";"E-Mail";"Vorname";"Nachname";"Stufe";"Tags";"Abgemeldet"` + "\r\n" +
		`"5";"failed: VALIDATION_ERROR: the first name is empty; the API requires one to create a contact (to change one that exists, use FindByEmail and Update)";"di@example.com";"";"";"";"";""` + "\r\n" +
		`"6";"opted out: Abgemeldet is set";"no@example.com";"No";"";"";"";"ja"` + "\r\n" +
		`"7";"invalid: the email is not of the form name@host";"broken";"";"";"";"";""` + "\r\n"
	if diff := cmp.Diff(want, string(listed)); diff != "" {
		t.Error(diff)
	}

	again := command(t, "contacts sync --yes --include-opted-out --map customFields.Tier=Stufe "+file).want(t, exitPartly)
	if diff := cmp.Diff(map[string]float64{"created": 1, "unchanged": 3, "optedOut": 0, "requests": 2}, numbers(again.linesOf(t, "report"), "created", "unchanged", "optedOut", "requests")); diff != "" {
		t.Error(diff)
	}
	if p := again.linesOf(t, "plan"); p["file"] != "c.csv" || len(p["mapping"].([]any)) != 6 || p["requests"] != 1.0 {
		t.Errorf("%v", p)
	}
}

func TestASyncThatCannotGoOnSaysWhy(t *testing.T) {
	srv := newFake(t)
	file := writeText(t, "c.csv", "Email,First name\njane@example.com,Jane\n")
	t.Run("a file that is not understood is wrong input", func(t *testing.T) {
		broken := writeText(t, "broken.csv", "")
		command(t, "contacts sync --yes "+broken).want(t, exitUsage, "broken.csv")
		command(t, "contacts sync --yes none.csv").want(t, exitUsage, "none.csv")
		command(t, "contacts sync --dry-run "+t.TempDir()).want(t, exitUsage, "directory")
		command(t, "contacts sync --yes --errors c.csv c.csv").want(t, exitUsage, "customer file itself")
		command(t, "contacts sync --yes --errors ./s --state s c.csv").want(t, exitUsage, "same file as s")
		command(t, "contacts sync --yes --errors "+os.DevNull+" c.csv").want(t, exitUsage, "choose another errors file")
		command(t, "contacts sync --yes --verify c.csv").want(t, exitUsage, "need a state")
		command(t, "contacts sync --dry-run --map email=Mail c.csv").want(t, exitUsage, `no column "Mail"`)
		command(t, "contacts sync --dry-run --source crm --database sqlite:none/x.db c.csv").want(t, exitUsage, "--database")
		if len(srv.Requests()) > 0 {
			t.Errorf("%d requests", len(srv.Requests()))
		}
	})
	t.Run("a signal", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, errs bytes.Buffer
		if code := run(ctx, []string{"contacts", "sync", "--yes", file}, stdio{nil, &out, &errs}); code != exitInterrupted || !strings.Contains(errs.String(), "run the same command again") {
			t.Errorf("exit code %d, %s", code, &errs)
		}
	})
	t.Run("a key that is refused", func(t *testing.T) {
		srv.Inject(demeterrrtest.Fault{Status: 401})
		command(t, "contacts sync --yes c.csv").want(t, exitStopped, "INVALID_API_KEY")
		srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Status: 401})
		r := command(t, "contacts sync --yes -o table c.csv").want(t, exitStopped, "Stopped early: ")
		if strings.Contains(r.out, "Done") {
			t.Error(r.out)
		}
	})
}

func TestASourceKeepsItsState(t *testing.T) {
	for name, flags := range withDatabases(map[string]string{"file": "--source crm", "named file": "--state my.state", "": "--source crm DATABASE"}) {
		t.Run(name, func(t *testing.T) {
			flags := withDatabase(t, flags)
			srv := newFake(t)
			file := writeText(t, "c.csv", "Email,First name,Title\njane@example.com,Jane,Dr.\n")
			command(t, "contacts sync --dry-run "+flags+" "+file).want(t, exitDone)
			if left, _ := os.ReadDir("."); len(left) != 1 {
				t.Errorf("the dry run made %v", left)
			}
			command(t, "contacts sync --yes "+flags+" "+file).want(t, exitDone, `"created":1`)
			before := len(srv.Requests())
			command(t, "contacts sync --yes "+flags+" "+file).want(t, exitDone, `"unchanged":1`)
			if n := len(srv.Requests()) - before; n != 0 {
				t.Errorf("%d requests for what the state knows", n)
			}
			writeText(t, "c.csv", "Email,First name,Title\njane@example.com,Jane,\n")
			command(t, "contacts sync --yes --clear-empty "+flags+" "+file).want(t, exitDone, `"updated":1`)
			if title := srv.Contacts()[0].Title; title != "" {
				t.Errorf("title %q", title)
			}
			command(t, "contacts sync --yes --verify "+flags+" "+file).want(t, exitDone, `"unchanged":1`)
		})
	}
}

func TestAnExportCanBeSynced(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(jane)
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo", Unsubscribed: true})
	command(t, "contacts export all.csv").want(t, exitDone)
	r := command(t, "contacts sync --dry-run all.csv").want(t, exitDone)
	if diff := cmp.Diff(map[string]float64{"unchanged": 1, "optedOut": 1, "updated": 0}, numbers(r.linesOf(t, "report"), "unchanged", "optedOut", "updated")); diff != "" {
		t.Error(diff)
	}
}

func TestTheLastRowOfAnEmailWins(t *testing.T) {
	srv := newFake(t)
	file := writeText(t, "c.csv", "Email,First name\njane@example.com,Old\nJANE@example.com,New\n")
	command(t, "contacts sync --yes "+file).want(t, exitDone, `"created":1`, `"duplicateRows":1`)
	if c := srv.Contacts(); len(c) != 1 || c[0].FirstName != "New" {
		t.Errorf("%v", c)
	}
	if listed, _ := os.ReadFile("errors.csv"); !strings.Contains(string(listed), `"2","duplicate: row 3 has the same email and is used"`) {
		t.Errorf("%s", listed)
	}
}

func TestAStateInADatabaseIsForOneKey(t *testing.T) {
	srv := newFake(t)
	file := writeText(t, "c.csv", "Email,First name\njane@example.com,Jane\n")
	sync := "contacts sync --yes --source crm --database sqlite:a.db " + file
	command(t, sync).want(t, exitDone, `"created":1`)
	requests := len(srv.Requests())
	command(t, sync).want(t, exitDone, `"unchanged":1`)
	if n := len(srv.Requests()); n != requests {
		t.Errorf("%d requests with the state", n-requests)
	}
	t.Setenv("DEMETERRR_API_KEY", srv.AddKey("contacts:*")) // perhaps of another organization
	command(t, sync).want(t, exitDone, `"unchanged":1`)
	if n := len(srv.Requests()); n == requests {
		t.Error("another key took the state")
	}
	if info, err := os.Stat("a.db"); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the database: %v %v", info.Mode(), err)
	}
}

func TestAStateFileIsForOneKey(t *testing.T) {
	srv := newFake(t)
	file := writeText(t, "c.csv", "Email,First name\nann@example.com,Ann\n")
	sync := "contacts sync --yes --state s " + file
	command(t, sync).want(t, exitDone, `"created":1`)
	command(t, sync).want(t, exitDone, `"unchanged":1`)
	requests := len(srv.Requests())
	t.Setenv("DEMETERRR_API_KEY", srv.AddKey("contacts:*"))
	command(t, sync).want(t, exitUsage, "the sync state belongs to another account: the address or the API key differs; name another file with --state")
	command(t, sync+" --dry-run").want(t, exitUsage, "the API key differs")
	if n := len(srv.Requests()); n != requests {
		t.Errorf("%d requests with the other key", n-requests)
	}
	command(t, "contacts sync --yes --state s2 "+file).want(t, exitDone, `"unchanged":1`)
}
