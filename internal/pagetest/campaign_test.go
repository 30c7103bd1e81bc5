package pagetest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// moved sums up the layout shifts of a page, from before its first script.
const moved = `(() => {
	window.moved = 0;
	new PerformanceObserver(list => list.getEntries().forEach(entry => { window.moved += entry.value; })).observe({type: "layout-shift", buffered: true});
	return PerformanceObserver.supportedEntryTypes.includes("layout-shift");
})()`

// standsStill fails if anything on the page has moved since it was opened.
func (p *tab) standsStill(t *testing.T) {
	t.Helper()
	shift, err := strconv.ParseFloat(p.js(t, "window.moved"), 64)
	if err != nil || shift > 0.001 {
		t.Errorf("the layout has shifted by %v (%v)", shift, err)
	}
}

func TestACampaignShowsItsSendings(t *testing.T) {
	t.Parallel()
	f := start(t, "--rate-limits", "10000/24h", "--seed", write(t, "seed.json", seed))
	b := browser(t)
	page := b.open(t, f.page)
	if page.js(t, moved) != "true" {
		t.Fatal("this browser knows no layout shifts")
	}
	page.shows(t, "#status", "live")
	page.shows(t, "#requests", "no request yet")
	page.shows(t, "#sendings", "no sending yet")
	page.shows(t, "#connect", "export DEMETERRR_BASE_URL=http://"+f.address+"/api/v1\nexport DEMETERRR_API_KEY="+f.key)

	done := make(chan int)
	file := f.file(t, "c.csv", people(0, 4000))
	go func() {
		code, output := f.run(t, "--per-minute", "10000", "--per-hour", "10000", "sequences", "execute", "--yes", survey, file)
		if code != 0 {
			t.Error(output)
		}
		done <- code
	}()
	steps := map[string]bool{}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			steps[page.text(t, "#count-sendings")] = true
		}
	}
	page.wait(t, `document.querySelector("#count-sendings").innerText === "4,000"`)
	page.wait(t, `document.querySelector("#count-requests").innerText === "41"`)
	if len(steps) < 3 {
		t.Errorf("the sendings came all at once: %v", steps)
	}
	page.shows(t, "#sendings tbody tr", "3999@example.com")
	page.shows(t, "#sendings tbody tr", "Post-Purchase Satisfaction Survey")
	page.shows(t, "#sendings nav", "1–14 of 4,000")
	page.shows(t, "#sequences", "4,000")
	page.shows(t, "#requests tbody tr", "POST /sequences/880e…/execute")
	page.shows(t, ".window-state", "41 of 10,000 used")
	page.shows(t, "#count-sentTwice", "0")
	page.standsStill(t)
}

func TestAClickLosesTheReplyAndTheProgramReportsTheDoubt(t *testing.T) {
	t.Parallel()
	f := start(t, "--seed", write(t, "seed.json", seed))
	page := browser(t).open(t, f.page)
	page.js(t, moved)
	page.shows(t, "#status", "live")
	page.do(t, chromedp.SetValue(chromedp.CSS("#route"), "POST /sequences/{id}/execute"))
	page.click(t, "#lose")
	page.shows(t, "#said", "Injected: reply lost after the work, the next POST /sequences/{id}/execute.")
	page.shows(t, "#waiting", "reply lost after the work, the next POST /sequences/{id}/execute")

	code, output := f.run(t, "sequences", "execute", "-o", "table", "--yes", survey, f.file(t, "c.csv", people(0, 3)))
	if code != 3 || !strings.Contains(output, "3 in doubt") || !strings.Contains(output, "look under Sendings in the dashboard") {
		t.Errorf("exit code %d, want 3 and a word about the doubt:\n%s", code, output)
	}
	page.shows(t, "#requests tbody tr", "lost")
	page.shows(t, "#requests tbody tr", "injected: reply lost after the work")
	page.shows(t, "#count-sendings", "3")
	page.shows(t, "#waiting", "No fault waits.")

	// The reply was lost, and the request is here whole.
	page.click(t, "#requests tbody tr button")
	page.shows(t, "#details", "lost POST /sequences/"+survey+"/execute")
	page.shows(t, "#details-body", `"email": "ann.abel0@example.com"`)
	page.shows(t, "#details-why", "demeterrr-go/")
	page.do(t, chromedp.KeyEvent(kb.Escape))
	page.wait(t, `!document.querySelector("#details").open`)
	page.standsStill(t)
}

func TestASecondSendingTurnsRed(t *testing.T) {
	t.Parallel()
	f := start(t, "--seed", write(t, "seed.json", seed))
	page := browser(t).open(t, f.page)
	page.js(t, moved)
	page.shows(t, "#status", "live")
	color := `getComputedStyle(document.querySelector("#sendings tbody td")).backgroundColor`
	file := f.file(t, "c.csv", people(0, 30))
	if code, output := f.run(t, "sequences", "execute", "--yes", survey, file); code != 0 {
		t.Fatal(output)
	}
	page.shows(t, "#count-sendings", "30")
	page.shows(t, "#sendings tbody tr", "@example.com")
	before := page.js(t, color)
	// Another campaign is another journal: these people get the survey again.
	if code, output := f.run(t, "sequences", "execute", "--yes", "--campaign", "again", survey, f.file(t, "d.csv", people(5, 7))); code != 0 {
		t.Fatal(output)
	}
	page.shows(t, "#count-sentTwice", "2")
	page.wait(t, `document.querySelectorAll("#sendings tr.twice").length === 2`)
	if after := page.js(t, color); after == before {
		t.Errorf("the row is still %s", after)
	}
	page.shows(t, "#alert", "2 contacts messaged twice")
	page.wait(t, `document.title === "(2 twice) demeterrr fake"`)
	page.wait(t, `document.querySelector("#twice").className === "twice"`)
	page.click(t, "#only-twice")
	page.shows(t, "#sendings nav", "1–4 of 4")
	page.wait(t, `document.querySelectorAll("#sendings tr.twice").length === 4`)
	page.click(t, "#only-twice")
	page.shows(t, "#sendings nav", "1–14 of 32")
	page.wait(t, `document.querySelectorAll("#contacts tr.twice").length === 1 || document.querySelector("#contacts nav").innerText.includes("32")`)
	page.standsStill(t)
}

func TestEachButtonDoesWhatItSays(t *testing.T) {
	t.Parallel()
	f := start(t, "--seed", write(t, "seed.json", seed))
	page := browser(t).open(t, f.page)
	page.js(t, moved)
	page.shows(t, "#status", "live")

	page.click(t, "#fail")
	page.shows(t, "#waiting", "500, the next request")
	if status, _ := f.call(t, "GET", "/api/v1/contacts", ""); status != 500 {
		t.Errorf("%d, want 500", status)
	}
	page.shows(t, "#waiting", "No fault waits.")
	page.shows(t, "#requests tbody tr", "injected: 500")

	page.click(t, "#throttle")
	page.shows(t, "#said", "Injected: 429, every request, for 60 s.")
	page.shows(t, "#waiting", "429, every request, for ")
	for range 2 {
		if status, reply := f.call(t, "GET", "/api/v1/contacts", ""); status != 429 || !strings.Contains(reply, `"retryAfter":`) {
			t.Errorf("%d %s, want 429", status, reply)
		}
	}
	page.click(t, "#clear")
	page.shows(t, "#waiting", "No fault waits.")
	if status, _ := f.call(t, "GET", "/api/v1/contacts", ""); status != 200 {
		t.Errorf("%d after all faults have ended", status)
	}

	page.click(t, "#key")
	page.shows(t, "#key", "Restore the key")
	code, output := f.run(t, "contacts", "list")
	if code != 1 || !strings.Contains(output, "EXPIRED_API_KEY") {
		t.Errorf("exit code %d with an expired key: %s", code, output)
	}
	page.shows(t, "#requests tbody tr", "EXPIRED_API_KEY")
	page.click(t, "#key")
	page.shows(t, "#key", "Expire the key")
	if code, output := f.run(t, "contacts", "list"); code != 0 {
		t.Errorf("exit code %d with a restored key: %s", code, output)
	}

	f.call(t, "POST", "/api/v1/contacts", `{}`)
	page.click(t, "#reset")
	page.shows(t, "#sure", "The fake forgets 2 contacts, 0 sendings and ")
	page.click(t, `#sure button[value=""]`)
	page.wait(t, `!document.querySelector("#sure").open`)
	page.shows(t, "#count-contacts", "2")
	if page.text(t, "#count-requests") == "0" {
		t.Error("it was reset without a yes")
	}
	page.click(t, "#reset")
	page.click(t, `#sure button[value="reset"]`)
	page.shows(t, "#said", "The account is as at the start.")
	page.wait(t, `document.querySelector("#count-requests").innerText === "0"`)
	page.shows(t, "#contacts", "old.friend@example.com")
	page.shows(t, "#requests", "no request yet")
	page.standsStill(t)
}

func TestThePauseHoldsTheRequests(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := browser(t).open(t, f.page)
	page.shows(t, "#status", "live")
	f.call(t, "GET", "/api/v1/contacts", "")
	page.shows(t, "#requests tbody tr", "GET /contacts")
	page.click(t, "#hold")
	f.call(t, "GET", "/api/v1/sequences", "")
	page.shows(t, "#count-requests", "2")
	page.shows(t, "#requests tbody tr", "GET /contacts")
	page.click(t, "#hold")
	page.shows(t, "#requests tbody tr", "GET /sequences")
}

func TestTheNewestThousandRequestsArePaged(t *testing.T) {
	t.Parallel()
	f := start(t)
	page := browser(t).open(t, f.page)
	page.js(t, moved)
	page.shows(t, "#status", "live")
	for i := range 1100 {
		f.call(t, "GET", fmt.Sprintf("/api/v1/contacts?page=%d", i+1), "")
	}
	page.shows(t, "#requests nav", "1–14 of 1,000 kept, 1,100 in all")
	page.click(t, "#requests nav button:last-of-type")
	page.shows(t, "#requests nav", "15–28 of 1,000")
	page.shows(t, "#requests tbody tr", "page=1086")
	page.standsStill(t)
	page.do(t, chromedp.Reload())
	page.shows(t, "#requests nav", "1–14 of 1,000 kept, 1,100 in all")
}

func TestAHundredThousandContactsArePagedAndSearched(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	many.WriteString(`{"contacts": [`)
	for i := range 100_000 {
		fmt.Fprintf(&many, `{"email": "customer%d@example.com", "firstName": "Customer", "lastName": "No. %d"},`, i, i)
	}
	f := start(t, "--seed", write(t, "many.json", strings.TrimSuffix(many.String(), ",")+`], "sequences": [{"id": "`+survey+`", "name": "Survey"}]}`))
	page := browser(t).open(t, f.page)
	page.js(t, moved)
	page.shows(t, "#contacts nav", "1–8 of 100,000")
	page.click(t, "#contacts nav button:last-of-type")
	page.shows(t, "#contacts nav", "9–16 of 100,000")
	page.shows(t, "#contacts tbody tr", "customer8@example.com")
	begun := time.Now()
	page.do(t, chromedp.SendKeys(chromedp.CSS("#contacts input"), "customer99999"))
	page.shows(t, "#contacts nav", "1–1 of 1")
	page.shows(t, "#contacts tbody tr", "customer99999@example.com")
	t.Logf("typed and found among 100,000 in %v", time.Since(begun).Round(time.Millisecond))
	page.do(t, chromedp.SendKeys(chromedp.CSS("#contacts input"), "x"))
	page.shows(t, "#contacts tbody tr", "no contact is like that")
	page.standsStill(t)
	if nodes := page.js(t, `document.querySelectorAll("*").length`); len(nodes) > 3 {
		t.Errorf("the page has %s elements", nodes)
	}
}
