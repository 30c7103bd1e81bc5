package pagetest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var (
	shots = flag.String("shots", "", "folder for the screenshots of TestThePageAtEachWidth")
	scale = flag.Float64("scale", 1, "pixels of a screenshot for one of the page")
)

// names are first and last names, for people who look like people.
var (
	firstNames = strings.Fields("Ann Ben Chloé Dana Emil Fatima George Hana Ines Jonas Karin Léo Mira Noah Olga Paul")
	lastNames  = strings.Fields("Abel Bianchi Chen Dupont Eriksen Fischer Garcia Haddad Ivanov Jensen Kim")
)

// people is a customer file, from one person to before another.
func people(from, to int) string {
	var file strings.Builder
	file.WriteString("Email,First name,Last name\n")
	for i := from; i < to; i++ {
		first, last := firstNames[i%len(firstNames)], lastNames[i%len(lastNames)]
		fmt.Fprintf(&file, "%s.%s%d@example.com,%s,%s\n", strings.ToLower(strings.ReplaceAll(first, "é", "e")), strings.ToLower(last), i, first, last)
	}
	return file.String()
}

const seed = `{"contacts": [{"email": "old.friend@example.com", "firstName": "Olga", "lastName": "Friend", "tags": ["vip"]},
	{"email": "left@example.com", "firstName": "Lea", "unsubscribed": true}],
	"sequences": [{"id": "880e8400-e29b-41d4-a716-446655440000", "name": "Post-Purchase Satisfaction Survey"},
	{"name": "Welcome"}, {"name": "Not ready yet", "status": "draft"}]}`

const survey = "880e8400-e29b-41d4-a716-446655440000"

// campaign starts a campaign of 4,000 people, which waits for the quota when it
// returns. A reply is lost, one is a 500, and four people get the survey twice.
func campaign(t *testing.T, f *fake) {
	t.Helper()
	f.call(t, "POST", "/api/v1/contacts", `{"email":"nobody","firstName":"No"}`)
	f.run(t, "sequences", "execute", "--yes", "--campaign", "before", survey, f.file(t, "before.csv", people(1992, 1996)))
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /sequences/{id}/execute","skip":12,"status":500}`)
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /sequences/{id}/execute","skip":16,"drop":"after"}`)
	cmd := f.command(t, "sequences", "execute", "--yes", survey, f.file(t, "customers.csv", people(0, 4000)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /contacts","status":500,"times":3}`)
}

// TestThePageAtEachWidth looks at nothing that a test can judge but its width: no
// text is cut off at the side. With -shots it leaves pictures for people. Those of
// the program's README are made by:
//
//	GOWORK=off go test -run TestThePageAtEachWidth/1280 -shots ../../cmd/demeterrr/docs
func TestThePageAtEachWidth(t *testing.T) {
	t.Parallel()
	f := start(t, "--rate-limits", "24/1h,1000/24h", "--window", "sliding", "--seed", write(t, "seed.json", seed))
	campaign(t, f)
	b := browser(t)
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d-%s", width, scheme), func(t *testing.T) {
				t.Parallel()
				b.look(t, f.page, width, scheme)
			})
		}
	}
}

func (c *chrome) look(t *testing.T, url string, width int64, scheme string) {
	t.Helper()
	viewport := chromedp.EmulateViewport(width, 960, chromedp.EmulateScale(*scale))
	if width < 600 {
		viewport = chromedp.EmulateViewport(width, 844, chromedp.EmulateScale(*scale), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	tab := c.open(t, "about:blank")
	tab.media(t, "prefers-color-scheme", scheme)
	tab.do(t, viewport, chromedp.Navigate(url))
	tab.shows(t, "#status", "live")
	tab.wait(t, `document.querySelectorAll("#contacts tbody tr")[7].innerText.trim() !== "" && document.querySelectorAll("#sendings tbody tr.twice").length > 3 && document.querySelector("#count-throttled").innerText !== "0"`)
	if got := tab.js(t, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); got != "0" {
		t.Errorf("the page is %s pixels too wide", got)
	}
	if *shots != "" {
		tab.shoot(t, filepath.Join(*shots, fmt.Sprintf("fake-%d-%s.png", width, scheme)))
	}
}

// shoot takes a picture of the whole page.
func (p *tab) shoot(t *testing.T, path string) {
	t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, picture, 0o644) //nolint:gosec // a picture for everybody
	}
	if err != nil {
		t.Fatal(err)
	}
}

// media sets a media feature, such as the color scheme that a person prefers.
// Nothing is animated then.
func (p *tab) media(t *testing.T, name, value string) {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: name, Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"}} // no bar on its way
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
