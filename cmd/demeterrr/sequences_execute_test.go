package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const guests = "Email,First name,Unsubscribed\na@example.com,Ann,\nA@EXAMPLE.COM,Ann,\nstop@example.com,Uma,\n,No name,\nout@example.com,Otto,yes\nb@example.com,Bo,\n"

// newSurvey starts a fake with a sequence and an unsubscribed contact.
func newSurvey(t *testing.T) (*demeterrrtest.Server, demeterrr.Sequence) {
	t.Helper()
	srv := newFake(t)
	srv.AddContact(demeterrr.Contact{Email: "stop@example.com", FirstName: "Stop", Unsubscribed: true})
	return srv, srv.AddSequence(demeterrr.Sequence{Name: "My Survey"})
}

func sentTo(srv *demeterrrtest.Server) []string {
	var all []string
	for _, s := range srv.Sendings() {
		all = append(all, s.Email)
	}
	slices.Sort(all)
	return all
}

func TestASequenceIsSentToEachOnce(t *testing.T) {
	for name, flags := range withDatabases(map[string]string{"file": "--campaign=2026-11", "named file": "--journal=j", "": "--campaign=2026-11 DATABASE"}) {
		t.Run(name, func(t *testing.T) {
			flags := strings.Fields(withDatabase(t, flags))
			srv, sequence := newSurvey(t)
			file := writeText(t, "c.csv", guests)
			args := append([]string{"my survey", file}, flags...)
			command(t, "sequences execute", args...).want(t, exitUsage, "add --yes")
			if n := len(srv.Requests()); n != 0 {
				t.Fatalf("%d requests before the question", n)
			}

			r := command(t, "sequences execute -o table --dry-run", args...).want(t, exitPartly,
				"c.csv: 6 rows, utf-8\n", "  Email: email\n", "  Unsubscribed: consent, 1 opted out\n",
				`  {"email":"a@example.com","firstName":"Ann"}`, `Sequence "My Survey" (`+sequence.ID+`)`,
				"  3 to send, 1 opted out (left out), 1 duplicate, 1 invalid\n  1 more request, done in under a minute\n", "nothing was sent")
			if strings.Contains(r.out, "out@example.com") || len(srv.Sendings()) > 0 || len(srv.Requests()) != 1 {
				t.Errorf("%d requests\n%s", len(srv.Requests()), r.out)
			}
			if left, _ := os.ReadDir("."); len(left) != 2 { // the input and the errors file
				t.Errorf("the dry run made %v", left)
			}

			command(t, "sequences execute -o table --yes", args...).want(t, exitPartly,
				"Done: 2 sent, 1 skipped by the API, 1 request, 1 opted out (left out), 1 duplicate, 1 invalid\n")
			if diff := cmp.Diff([]string{"a@example.com", "b@example.com"}, sentTo(srv)); diff != "" {
				t.Error(diff)
			}
			listed, _ := os.ReadFile("errors.csv")
			want := "\ufeff" + `"row","reason","Email","First name","Unsubscribed"` + "\r\n" +
				`"3","duplicate: row 2 has the same email and is used","A@EXAMPLE.COM","Ann",""` + "\r\n" +
				`"4","skipped: the API's status is ""skipped""","stop@example.com","Uma",""` + "\r\n" +
				`"5","invalid: the email is empty","","No name",""` + "\r\n" +
				`"6","opted out: Unsubscribed is set","out@example.com","Otto","yes"` + "\r\n"
			if diff := cmp.Diff(want, string(listed)); diff != "" {
				t.Error(diff)
			}

			again := command(t, "sequences execute --yes --include-opted-out", args...).want(t, exitPartly)
			if diff := cmp.Diff(map[string]float64{"send": 1, "alreadySent": 2, "skipped": 1, "requests": 1},
				numbers(again.linesOf(t, "plan"), "send", "alreadySent", "skipped", "requests")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]float64{"sent": 1, "alreadySent": 2, "skipped": 1, "optedOut": 0, "requests": 1},
				numbers(again.linesOf(t, "report"), "sent", "alreadySent", "skipped", "optedOut", "requests")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"a@example.com", "b@example.com", "out@example.com"}, sentTo(srv)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheRowThatCountsIsListed(t *testing.T) {
	_, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\nstop@example.com\njane@example.com\nSTOP@example.com\n")
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitPartly)
	if listed, _ := os.ReadFile("errors.csv"); !strings.Contains(string(listed), `"2","skipped`) {
		t.Errorf("%s", listed)
	}
}

func TestASequenceIsCheckedBeforeTheFileIsRead(t *testing.T) {
	srv, sequence := newSurvey(t)
	srv.AddSequence(demeterrr.Sequence{Name: "Twice"})
	srv.AddSequence(demeterrr.Sequence{Name: "twice", Status: "draft"})
	paused := srv.AddSequence(demeterrr.Sequence{Name: "Paused", Status: "paused"})
	for name, says := range map[string]string{
		"Other": `sequence "Other" does not exist; use one of "My Survey"`, "TWICE": "2 sequences have the name", "paused": "activate it in the dashboard",
		paused.ID: "activate it in the dashboard", nobody: "sequence " + nobody + " does not exist",
	} {
		for _, mode := range []string{"--yes", "--dry-run"} {
			command(t, "sequences execute "+mode, name, "none.csv").want(t, exitUsage, says)
		}
	}
	t.Setenv("DEMETERRR_API_KEY", srv.AddKey("sequences:execute"))
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	command(t, "sequences execute --yes "+strings.ToUpper(sequence.ID)+" "+file).want(t, exitDone, "lacks the scope sequences:read", `"sent":1`)
	command(t, "sequences execute --yes", "My Survey", file).want(t, exitStopped, "sequences:read")
}

func TestOutputsAreNeverTheSameFile(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	writeText(t, "notes", "mine\n")
	if err := os.Link(file, "hard.csv"); err != nil {
		t.Fatal(err)
	}
	for flags, says := range map[string]string{
		"--errors ./j --journal j":                      "same file as j",
		"--errors ./c.csv":                              "customer file itself",
		"--errors hard.csv":                             "customer file itself",
		"--errors a.db-wal --database sqlite:a.db":      "same file as a.db-wal",
		"--errors ./a.db --database sqlite:a.db":        "same file as a.db",
		"--errors " + os.DevNull:                        "choose another errors file",
		"--journal notes":                               "notes",
		"--journal c.csv":                               "c.csv",
		"--journal j --campaign x":                      "conflicts with --campaign",
		"--database mongo://x":                          "use postgres://",
		"--database postgres://u:secret@127.0.0.1:1/x%": "--database",
	} {
		r := command(t, "sequences execute --yes "+flags+" "+sequence.ID+" "+file).want(t, exitUsage, says)
		if strings.Contains(r.errs, "secret") {
			t.Errorf("the password is shown: %s", r.errs)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != "Email\njane@example.com\n" || len(srv.Sendings()) > 0 {
		t.Errorf("%d sendings, %q", len(srv.Sendings()), text)
	}
}

func TestAJournalIsForOneAccount(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitDone, `"sent":1`)
	journals, _ := filepath.Glob("state/demeterrr/*/" + sequence.ID + "/default.journal")
	if len(journals) != 1 || !strings.HasPrefix(filepath.ToSlash(journals[0]), "state/demeterrr/127.0.0.1_") {
		t.Fatalf("%q", journals)
	}
	if info, err := os.Stat(filepath.Dir(journals[0])); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	other := demeterrrtest.NewServer()
	defer other.Close()
	other.AddSequence(demeterrr.Sequence{ID: sequence.ID, Name: "Same id"})
	t.Setenv("DEMETERRR_BASE_URL", other.URL())
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitDone, `"sent":1`)
	t.Setenv("DEMETERRR_BASE_URL", srv.URL()+"/") // another spelling
	t.Setenv("DEMETERRR_API_KEY", srv.AddKey("sequences:*"))
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitDone, `"alreadySent":1`)
}

func TestAnAddressHasOneName(t *testing.T) {
	for address, want := range map[string]string{
		"": "app.demeterrr.com", "https://APP.demeterrr.com:443/api/v1/": "app.demeterrr.com", "http://127.0.0.1:8080/api/v1": "127.0.0.1_8080_api_v1-" + hash("127.0.0.1:8080/api/v1"),
		"https://app.demeterrr.com/api/v2": "app.demeterrr.com_api_v2-" + hash("app.demeterrr.com/api/v2"),
	} {
		t.Setenv("DEMETERRR_BASE_URL", address)
		if got := account(); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestAStoppedRunSaysHowToGoOn(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Status: 401})
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitStopped, "INVALID_API_KEY", `"notTried":0`)
	ctx, cancel := context.WithCancel(t.Context())
	srv2 := demeterrrtest.NewServer(demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) {
		if r.Method == "POST" {
			cancel() // a signal while the batch is in flight
		}
	}))
	defer srv2.Close()
	srv2.AddSequence(demeterrr.Sequence{ID: sequence.ID, Name: "S"})
	t.Setenv("DEMETERRR_BASE_URL", srv2.URL())
	var many strings.Builder
	many.WriteString("Email\n")
	for i := range 300 {
		many.WriteString("p" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + "@example.com\n")
	}
	writeText(t, file, many.String())
	var out, errs bytes.Buffer
	code := run(ctx, []string{"sequences", "execute", "--yes", sequence.ID, file}, stdio{nil, &out, &errs})
	result{code, out.String(), errs.String()}.want(t, exitInterrupted, "the batch in flight is allowed to finish", "run the same command again", `"sent":100`)
}

func TestRowsAreListedWhileABatchEnds(t *testing.T) {
	srv, sequence := newSurvey(t)
	var text strings.Builder
	text.WriteString("Email\n")
	for i := range 3000 {
		email := "p" + strconv.Itoa(i) + "@example.com"
		srv.AddContact(demeterrr.Contact{Email: email, FirstName: "P", Unsubscribed: true})
		text.WriteString(email + "\nnobody" + strconv.Itoa(i) + "\n")
	}
	file := writeText(t, "c.csv", text.String())
	command(t, "sequences execute --yes --per-hour 5000 --per-minute 5000 "+sequence.ID+" "+file).want(t, exitPartly, `"skipped":3000`, "6,000 rows listed")
}

func TestAfterTheFirstRequestTheExitCodeSaysStopped(t *testing.T) {
	srv, sequence := newSurvey(t)
	var text strings.Builder
	text.WriteString("Email\n")
	for i := range 150 {
		text.WriteString("p" + strconv.Itoa(i) + "@example.com\n")
	}
	file := writeText(t, "c.csv", text.String())
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Skip: 1, Status: 404})
	command(t, "sequences execute --yes "+sequence.ID+" "+file).want(t, exitStopped, `"sent":100`, "NOT_FOUND")
}

func TestACampaignHasOneSpelling(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	execute := func(flags ...string) result {
		return command(t, "sequences execute --yes "+sequence.ID+" "+file, flags...)
	}
	execute("--campaign", "Nov \u00e9").want(t, exitDone, `"sent":1`)
	execute("--campaign", "Nov \u00e9").want(t, exitDone, `"alreadySent":1`)
	for campaign, says := range map[string]string{
		"nov \u00e9": "spelled Nov \u00e9", "NOV  \u00c9": "spelled Nov", "Nov e\u0301": "spelled Nov", "Nov\u00a0\u00e9": "spelled Nov",
		"Nov \u00e9 ": "ends with a space", "": "--campaign is empty", " ": "--campaign is empty",
	} {
		execute("--campaign", campaign).want(t, exitUsage, says)
		execute("--campaign", campaign, "--dry-run").want(t, exitUsage, says)
	}
	for _, flag := range []string{"--journal=", "--database="} {
		execute(flag).want(t, exitUsage, "is empty")
	}
	if len(srv.Sendings()) != 1 {
		t.Errorf("%d sendings", len(srv.Sendings()))
	}
	execute("--campaign", "Dec").want(t, exitDone, `"sent":1`)
}

func TestACampaignDoesNotBeginAnewInADatabase(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	execute := "sequences execute --yes " + sequence.ID + " " + file
	command(t, execute).want(t, exitDone, `"sent":1`)
	command(t, execute+" --database sqlite:a.db").want(t, exitUsage, "has its journal in the file", "default.journal")
	command(t, execute+" --database sqlite:a.db --campaign Default").want(t, exitUsage, "has its journal in the file", "default.journal")
	command(t, execute+" --database sqlite:a.db --campaign other").want(t, exitDone, `"sent":1`)
	command(t, execute+" --database sqlite:a.db", "--campaign", "OTHER").want(t, exitDone, `"alreadySent":1`) // any spelling
	if len(srv.Sendings()) != 2 {
		t.Errorf("%d sendings", len(srv.Sendings()))
	}
}

func TestBothFormsOfALetterAreOnePerson(t *testing.T) {
	srv, sequence := newSurvey(t)
	const composed, decomposed = "jos\u00e9@example.com", "jose\u0301@example.com"
	execute := "sequences execute --yes " + sequence.ID + " "
	command(t, execute+writeText(t, "c.csv", "Email\n"+decomposed+"\n"+composed+"\n")).want(t, exitDone, `"sent":1`, `"duplicateRows":1`)
	command(t, execute+writeText(t, "d.csv", "Email\n"+decomposed+"\n")).want(t, exitDone, `"alreadySent":1`)
	if diff := cmp.Diff([]string{composed}, sentTo(srv)); diff != "" {
		t.Error(diff)
	}
}
