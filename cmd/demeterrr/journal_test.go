package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func TestAPersonResolvesDoubt(t *testing.T) {
	for name, flags := range withDatabases(map[string]string{"file": "", "named file": " --journal j", "": " DATABASE"}) {
		t.Run(name, func(t *testing.T) {
			flags = withDatabase(t, flags)
			srv, sequence := newSurvey(t)
			file := writeText(t, "c.csv", "Email\nJane@example.com\nbo@example.com\n")
			execute := "sequences execute --yes " + sequence.ID + " " + file + flags
			srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropBefore})
			command(t, execute).want(t, exitPartly, `"unknown":2`, "look under Sendings")
			command(t, execute).want(t, exitPartly, `"unknown":2`)
			if len(srv.Sendings()) > 0 {
				t.Fatal("doubt was sent to again")
			}
			requests := len(srv.Requests())
			t.Setenv("DEMETERRR_API_KEY", "") // journal commands need no key

			r := command(t, "journal show"+flags).want(t, exitDone)
			var got []doubt
			for line := range strings.Lines(r.out) {
				var d doubt
				if err := json.Unmarshal([]byte(line), &d); err != nil {
					t.Fatal(err)
				}
				got = append(got, d)
			}
			want := []doubt{{Sequence: sequence.ID, Email: "bo@example.com", State: "in doubt"}, {Sequence: sequence.ID, Email: "jane@example.com", State: "in doubt"}}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(doubt{}), cmpopts.IgnoreFields(doubt{}, "Owner", "At", "Campaign"), cmpopts.SortSlices(func(a, b doubt) bool { return a.Email < b.Email })); diff != "" {
				t.Error(diff)
			}
			if got[0].Owner == "" || got[0].At == "" || got[0].Campaign == "" {
				t.Errorf("%+v", got[0])
			}

			command(t, "journal forget bo@example.com"+flags).want(t, exitUsage, "add --yes")
			command(t, "journal forget --yes other@example.com"+flags).want(t, exitUsage, "other@example.com is not in doubt")
			command(t, "journal forget --yes BO@example.com"+flags).want(t, exitDone, "sends to BO@example.com")
			r = command(t, "journal show -o csv"+flags).want(t, exitDone, "email,state,status,at,owner,campaign,sequence\njane@example.com,in doubt,")
			if strings.Contains(r.out, "bo@") {
				t.Error(r.out)
			}
			if len(srv.Requests()) != requests {
				t.Error("the journal made requests")
			}
			t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
			command(t, execute).want(t, exitPartly, `"sent":1`, `"unknown":1`)
			command(t, "journal forget --yes jane@example.com"+flags).want(t, exitDone)
			command(t, "journal show -o table"+flags).want(t, exitDone, "no contact is in doubt\n")
			command(t, "journal show -o table none@example.com"+flags).want(t, exitDone, "no entries of these emails\n")
			command(t, "journal show Bo@example.com"+flags).want(t, exitDone, `"state":"done","status":"queued"`)
		})
	}
}

func TestDoubtInSeveralCampaignsIsAskedFor(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\njane@example.com\n")
	for _, campaign := range []string{"a", "b/../c"} {
		srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropBefore})
		command(t, "sequences execute --yes --campaign "+campaign+" "+sequence.ID+" "+file).want(t, exitPartly, `"unknown":1`)
	}
	command(t, "journal show").want(t, exitDone, `"campaign":"a"`, `"campaign":"b/../c"`)
	command(t, "journal forget --yes jane@example.com").want(t, exitUsage, "name one with --campaign")
	command(t, "journal forget --yes --campaign b/../c jane@example.com").want(t, exitDone)
	if r := command(t, "journal show").want(t, exitDone, `"campaign":"a"`); strings.Count(r.out, "\n") != 1 {
		t.Error(r.out)
	}
	command(t, "journal show --campaign nothere").want(t, exitUsage, "no journal of that campaign")
	command(t, "journal show --journal c.csv").want(t, exitUsage, "not a journal")
	command(t, "journal show --journal none").want(t, exitUsage, "none")
}
