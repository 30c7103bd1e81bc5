package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func TestACheckHasALineForEachAnswer(t *testing.T) {
	srv := newFake(t, demeterrrtest.WithRateLimits(demeterrrtest.FixedWindow, demeterrrtest.Limit{Requests: 1000, Window: time.Hour}))
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	r := command(t, "check -o table").want(t, exitDone, "address                  ok; http://127.0.0.1:", "clock                    ok\n",
		"key                      ok\n", "scope contacts:read      ok; 0 contacts\n", "scope contacts:write     ok\n", "scope sequences:read     ok\n",
		"scope sequences:execute  ok\n", "quota                    ok; 996 of 1,000 requests left until ")
	if n := strings.Count(r.out, "\n"); n != 8 || len(srv.Requests()) != 4 {
		t.Errorf("%d lines, %d requests\n%s", n, len(srv.Requests()), r.out)
	}
	if len(srv.Contacts()) > 0 || len(srv.Sendings()) > 0 || sequence.ID == nobody {
		t.Error("the check changed something")
	}
	t.Setenv("DEMETERRR_API_KEY", srv.AddKey("contacts:read"))
	command(t, "check").want(t, exitDone, `{"check":"scope contacts:write","result":"missing","advice":"add it to the key in the dashboard if you need it"}`,
		`{"check":"scope sequences:execute","result":"missing"`, `{"check":"scope contacts:read","result":"ok"`)
	srv.DeactivateKey(srv.APIKey())
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	command(t, "check").want(t, exitPartly, `"check":"key","result":"failed"`, "make a new key in the dashboard")
	t.Setenv("DEMETERRR_API_KEY", "")
	command(t, "check").want(t, exitPartly, "set DEMETERRR_API_KEY to a key")
	t.Setenv("DEMETERRR_API_KEY", srv.APIKey())
	srv.Close()
	command(t, "check").want(t, exitPartly, `"check":"address","result":"failed"`, "check DEMETERRR_BASE_URL and the network")
}

func TestTheClockIsComparedWithTheServers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for date, want := range map[string]finding{
		"Fri, 27 Nov 2026 12:00:03 GMT": {"clock", "ok", "", ""},
		"Fri, 27 Nov 2026 11:58:00 GMT": {"clock", "failed", "this machine is 2m0s ahead", "set the clock, for example with NTP: waits for the quota depend on it"},
		"Fri, 27 Nov 2026 13:00:00 GMT": {"clock", "failed", "this machine is 1h0m0s behind", "set the clock, for example with NTP: waits for the quota depend on it"},
		"":                              {"clock", "unknown", "the reply has no Date header", ""},
	} {
		if diff := cmp.Diff(want, clockFinding(http.Header{"Date": {date}}, now)); diff != "" {
			t.Error(diff)
		}
	}
}
