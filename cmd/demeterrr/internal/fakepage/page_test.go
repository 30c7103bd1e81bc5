package fakepage

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/google/go-cmp/cmp"
)

func TestTheStateIsDocumentedJSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newPage(t, "", demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrrtest.Limit{Requests: 3, Window: time.Hour}))
		f.execute(t, "ann@example.com", "cy@example.com")
		f.execute(t, "ANN@example.com")
		f.server().Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: 429, RetryAfter: time.Minute, For: time.Minute})
		body(t, f.send(t, "GET", "/api/v1/contacts?search="+f.APIKey(), ""), 429)
		body(t, f.send(t, "GET", "/api/v1/sequences", ""), 429)
		f.server().Inject(demeterrrtest.Fault{Drop: demeterrrtest.DropAfter})

		window := func(used float64) map[string]any {
			return map[string]any{"requests": 3.0, "window": "1 hour", "used": used, "reset": "2000-01-01T01:00:00.000Z"}
		}
		outage := map[string]any{
			"route": "GET /contacts", "times": -1.0, "for": 60.0, "status": 429.0, "retryAfter": 60.0, "what": "429, every GET /contacts",
		}
		injected := map[string]any{"route": "GET /contacts", "for": 60.0, "status": 429.0, "retryAfter": 60.0, "what": "429, every GET /contacts"}
		request := func(number float64, method, path, query string, status float64, why string, throttled, fault any) map[string]any {
			return map[string]any{
				"number": number, "at": "2000-01-01T00:00:00.000Z", "method": method, "path": path, "query": query,
				"status": status, "why": why, "throttled": throttled, "fault": fault,
			}
		}
		execute := "/sequences/880e8400-e29b-41d4-a716-446655440000/execute"
		got := f.stateNow(t)
		revision, _ := got["revision"].(string)
		want := map[string]any{
			"time": "2000-01-01T00:00:00.000Z", "baseUrl": baseURL, "apiKey": f.APIKey(), "keyExpired": false, "revision": revision,
			"counts":  map[string]any{"contacts": 3.0, "sequences": 1.0, "sendings": 3.0, "sentTwice": 1.0, "requests": 4.0, "throttled": 2.0},
			"windows": []any{window(3)},
			"faults":  []any{outage, map[string]any{"times": 1.0, "drop": "after", "what": "reply lost after the work, the next request"}},
			"requests": []any{
				request(4, "GET", "/sequences", "", 429, "3 per hour used up, room in 60 min", window(3), nil),
				request(3, "GET", "/contacts", "search=[key]", 429, "injected: 429", nil, injected),
				request(2, "POST", execute, "", 200, "", nil, nil),
				request(1, "POST", execute, "", 200, "", nil, nil),
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestThePageIsOneReplyWithAPlaceForEachWindow(t *testing.T) {
	t.Parallel()
	limits := demeterrrtest.WithRateLimits(demeterrrtest.FixedWindow, demeterrrtest.Limit{Requests: 1200, Window: time.Minute}, demeterrrtest.Limit{Requests: 5000, Window: 12 * time.Hour})
	f := newPage(t, "", limits)
	resp := f.send(t, "GET", "/", "")
	document := body(t, resp, 200)
	for _, want := range []string{"<b>1,200 per minute</b>", "<b>5,000 per 12 hours</b>", `<td role="cell" class="email"></td>`} {
		if !strings.Contains(document, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(document, `<tr role="row" class="blank">`); n != 14+14+8+8 {
		t.Errorf("%d rows", n)
	}
	for _, outside := range []string{"src=", "@import", "http-equiv", "<!-- 14", "/* script */", "<!-- windows"} {
		if strings.Contains(document, outside) {
			t.Errorf("the page has %s", outside)
		}
	}
	script := document[strings.Index(document, `<script type="module">`)+len(`<script type="module">`) : strings.LastIndex(document, "</script>")]
	style := document[strings.Index(document, "<style>")+len("<style>") : strings.Index(document, "</style>")]
	for _, text := range []string{script, style} {
		if !strings.Contains(resp.Header().Get("Content-Security-Policy"), "'"+hash(text)+"'") {
			t.Error("the policy does not allow what the page runs")
		}
	}
	if !strings.Contains(body(t, newPage(t, "").send(t, "GET", "/", ""), 200), "No rate limits.") {
		t.Error("a fake without limits does not say so")
	}
}

// TestThePageAndTheAPIHavePathsOfTheirOwn asks the API as before.
func TestThePageAndTheAPIHavePathsOfTheirOwn(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	for path, status := range map[string]int{
		"/api/v1/contacts": 200, "/api/v1/_fake/state": 404, "/contacts": 404, "/favicon.ico": 404, "/api/v1": 404,
		"/_fake/": 404, "/_fake/nothing": 404,
	} {
		body(t, f.send(t, "GET", path, ""), status)
	}
	// The API's part is not the page's: no header of it, and it answers to other names.
	resp := f.send(t, "GET", "/api/v1/contacts", "", "Host: fake.internal", "Sec-Fetch-Site: cross-site")
	body(t, resp, 200)
	if resp.Header().Get("Content-Security-Policy") != "" {
		t.Error("the API has the page's headers")
	}
	if got := f.stateNow(t)["counts"].(map[string]any)["requests"]; got != 6.0 {
		t.Errorf("%v requests; want those to the API, and none to the page", got)
	}
}

func TestAHugeBodyIsCutOff(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the connection stays open")
		}
		if requests := f.stateNow(t)["counts"].(map[string]any)["requests"]; requests != 0.0 {
			t.Errorf("%v requests reached the account", requests)
		}
	}()
	f.send(t, "POST", "/api/v1/contacts", strings.Repeat("x", maxBody+1))
}

func TestAResetThatFailsLeavesTheAccount(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	body(t, f.send(t, "DELETE", "/api/v1/contacts/"+f.server().Contacts()[0].ID, ""), 204)
	good := f.config.NewServer
	f.config.NewServer = func(func(demeterrrtest.Request)) (*demeterrrtest.Server, error) {
		return nil, errors.New("the seed is bad")
	}
	if text := body(t, f.send(t, "POST", "/_fake/reset", ""), 500); !strings.Contains(text, "the seed is bad") {
		t.Error(text)
	}
	if n := len(f.server().Contacts()); n != 1 {
		t.Errorf("%d contacts", n)
	}
	f.config.NewServer = good
	body(t, f.send(t, "POST", "/_fake/reset", ""), 204)
	if n := len(f.server().Contacts()); n != 2 {
		t.Errorf("%d contacts after the reset", n)
	}
	if _, err := New(Config{NewServer: func(func(demeterrrtest.Request)) (*demeterrrtest.Server, error) { return nil, errors.New("no") }}); err == nil {
		t.Error("a page without an account")
	}
}
