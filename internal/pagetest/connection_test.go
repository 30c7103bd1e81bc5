package pagetest

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestTwoPagesShowTheSame(t *testing.T) {
	t.Parallel()
	f := start(t, "--seed", write(t, "seed.json", seed))
	b := browser(t)
	one, two := b.open(t, f.page), b.open(t, f.page)
	one.shows(t, "#status", "live")
	two.shows(t, "#status", "live")
	one.click(t, "#fail")
	two.shows(t, "#waiting", "500, the next request")
	f.run(t, "sequences", "execute", "--yes", survey, f.file(t, "c.csv", people(0, 250)))
	for _, page := range []*tab{one, two} {
		page.shows(t, "#count-sendings", "250")
		page.shows(t, "#sendings nav", "1–14 of 250")
	}
	two.click(t, "#reset")
	two.click(t, `#sure button[value="reset"]`)
	one.shows(t, "#count-sendings", "0")
	one.shows(t, "#sendings", "no sending yet")
}

// TestThePageReconnects stops the fake under an open page, and starts another one
// at the same address.
func TestThePageReconnects(t *testing.T) {
	t.Parallel()
	f := start(t, "--rate-limits", "100/1m", "--seed", write(t, "seed.json", seed))
	page := browser(t).open(t, f.page)
	page.pardon("net::ERR_")
	page.js(t, moved)
	page.shows(t, "#status", "live")
	f.call(t, "GET", "/api/v1/contacts", "")
	page.shows(t, "#count-requests", "1")
	f.stop(t)
	page.shows(t, "#status", "reconnecting")
	page.shows(t, "#trouble", "The fake has stopped; reconnecting.")
	page.click(t, "#fail")
	page.shows(t, "#said", "The fake does not answer.")
	page.standsStill(t)
	time.Sleep(3 * time.Second) // it goes on trying
	again := startAt(t, t.TempDir(), f.address, "--rate-limits", "100/1m", "--seed", write(t, "seed.json", seed))
	page.shows(t, "#status", "live")
	page.shows(t, "#count-requests", "0")
	again.call(t, "GET", "/api/v1/sequences", "")
	page.shows(t, "#requests tbody tr", "GET /sequences")
	page.standsStill(t)
}

// TestAConnectionThatBreaksLosesNoRequest cuts the connection between the page
// and a fake that goes on.
func TestAConnectionThatBreaksLosesNoRequest(t *testing.T) {
	t.Parallel()
	f := start(t)
	between := newWire(t, f.address)
	page := browser(t).open(t, "http://"+between.address+"/")
	page.pardon("net::ERR_")
	page.shows(t, "#status", "live")
	f.call(t, "GET", "/api/v1/contacts?page=1", "")
	page.shows(t, "#requests tbody tr", "page=1")
	between.cut()
	page.shows(t, "#status", "reconnecting")
	f.call(t, "GET", "/api/v1/contacts?page=2", "")
	between.mend()
	page.shows(t, "#status", "live")
	page.shows(t, "#requests nav", "1–2 of 2")
	page.shows(t, "#requests tbody tr", "page=2")
}

// TestAPageOpenedWhileTheFakeStops gets the page, and never a second reply.
func TestAPageOpenedWhileTheFakeStops(t *testing.T) {
	t.Parallel()
	f := start(t)
	between := newWire(t, f.address)
	between.once()
	page := browser(t).open(t, "http://"+between.address+"/")
	page.pardon("net::ERR_")
	page.shows(t, "#status", "reconnecting")
	page.shows(t, "#trouble", "The fake has stopped; reconnecting.")
	page.shows(t, "h1", "demeterrr fake")
	between.mend()
	page.shows(t, "#status", "live")
}

// TestTheKeyboardIsEnough opens a menu, presses buttons, searches and closes a
// dialog without a mouse. What has the focus is outlined.
func TestTheKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	f := start(t, "--seed", write(t, "seed.json", seed))
	page := browser(t).open(t, f.page)
	page.shows(t, "#status", "live")
	f.call(t, "GET", "/api/v1/contacts", "")
	page.shows(t, "#requests tbody tr", "GET /contacts")
	reach := func(what string) {
		t.Helper()
		for range 60 {
			page.do(t, chromedp.KeyEvent(kb.Tab))
			if page.js(t, `document.activeElement.matches(`+what+`)`) == "true" {
				if style := page.js(t, `getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth`); style != "solid3px" {
					t.Errorf("%s has the focus, and its outline is %s", what, style)
				}
				return
			}
		}
		t.Fatalf("%s is not reached by Tab", what)
	}
	reach(`"#route"`)
	page.do(t, chromedp.KeyEvent("n")) // new contacts
	page.wait(t, `document.querySelector("#route").value === "POST /contacts"`)
	reach(`"#fail"`)
	page.do(t, chromedp.KeyEvent(kb.Enter))
	page.shows(t, "#waiting", "500, the next POST /contacts")
	reach(`"#clear"`)
	page.do(t, chromedp.KeyEvent(" "))
	page.shows(t, "#waiting", "No fault waits.")
	reach(`"#requests td button"`)
	page.do(t, chromedp.KeyEvent(kb.Enter))
	page.shows(t, "#details", "200 GET /contacts")
	page.do(t, chromedp.KeyEvent(kb.Escape))
	page.wait(t, `!document.querySelector("#details").open && document.activeElement.matches("#requests td button")`)
	reach(`"#only-twice"`)
	page.do(t, chromedp.KeyEvent(" "))
	page.shows(t, "#sendings", "none is like that")
	reach(`"#contacts input"`)
	page.do(t, chromedp.KeyEvent("friend"))
	page.shows(t, "#contacts nav", "1–1 of 1")
	unnamed := page.js(t, `[...document.querySelectorAll("button, input, select, [tabindex]")].filter(node => !node.hidden && !node.closest("dialog") && !(node.innerText || node.ariaLabel || node.labels?.length || node.getAttribute("aria-label"))).map(node => node.outerHTML).join()`)
	if unnamed != "" {
		t.Errorf("without a name: %s", unnamed)
	}
}

// TestATokenIsAskedOfOthers opens the page of a public fake with and without it.
func TestATokenIsAskedOfOthers(t *testing.T) {
	t.Parallel()
	f := start(t, "--public")
	printed, err := url.Parse(f.page)
	if err != nil || len(printed.Query().Get("token")) < 20 {
		t.Fatalf("the fake printed the page %s", f.page)
	}
	b := browser(t)
	page := b.open(t, f.page)
	page.shows(t, "#status", "live")
	if address := page.js(t, "location.href"); address != "http://"+f.address+"/" {
		t.Errorf("the token stays in the address: %s", address)
	}
	if cookies := page.js(t, "document.cookie"); cookies != "" {
		t.Errorf("a script can read the cookie: %s", cookies)
	}
	page.click(t, "#fail")
	page.shows(t, "#waiting", "500, the next request")

	stranger := b.open(t, "http://"+f.address+"/")
	stranger.pardon("401 (Unauthorized)")
	stranger.shows(t, "main", "The page needs the token")
	stranger.do(t, chromedp.SendKeys(chromedp.CSS("input"), "guess\r"))
	stranger.shows(t, "main", "That is not the token of this fake.")
	stranger.do(t, chromedp.SendKeys(chromedp.CSS("input"), printed.Query().Get("token")+"\r"))
	stranger.shows(t, "#status", "live")
}

// TestOtherSitesCanDoNothing loads a page of another site that tries to.
func TestOtherSitesCanDoNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	other := newSite(t, `<!doctype html><title>other</title><link rel="icon" href="data:,"><form method="post" action="http://`+f.address+`/_fake/reset"></form>`)
	f.call(t, "GET", "/api/v1/contacts", "")
	page := browser(t).open(t, other)
	for _, refusal := range []string{"403 (Forbidden)", "blocked by CORS policy", "net::ERR_"} {
		page.pardon(refusal)
	}
	for _, attempt := range []string{
		`fetch("http://` + f.address + `/_fake/reset", {method: "POST", mode: "no-cors"}).then(() => "sent", () => "refused")`,
		`fetch("http://` + f.address + `/_fake/state").then(r => r.text()).catch(() => "refused")`,
		`new Promise(done => { const image = new Image(); image.onerror = () => done("refused"); image.src = "http://` + f.address + `/_fake/state"; })`,
		`document.forms[0].submit()`,
	} {
		page.js(t, attempt)
	}
	page.wait(t, `location.pathname === "/_fake/reset" || document.body.innerText.includes("another site")`)
	if _, state := f.call(t, "GET", "/_fake/state", ""); !strings.Contains(state, `"requests":1,`) {
		t.Errorf("another site has reset the account: %s", state)
	}
}

// newSite serves a document under another name of this machine.
func newSite(t *testing.T, document string) string {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(document))
	})}
	go func() { _ = server.Serve(port) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://localhost:" + strings.TrimPrefix(port.Addr().String(), "127.0.0.1:") + "/"
}
