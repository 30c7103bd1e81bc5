package pagetest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "folder for the screenshots of TestThePageAtEachWidth")

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

// campaign brings an account to the middle of its life: a campaign under way, its
// quota used up, a lost reply, and somebody messaged twice.
func campaign(t *testing.T, f *fake) {
	t.Helper()
	file := f.file(t, "customers.csv", people(0, 1800))
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /sequences/{id}/execute","skip":12,"status":500}`)
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /sequences/{id}/execute","skip":14,"drop":"after"}`)
	f.run(t, "sequences", "execute", "--yes", survey, file)
	f.call(t, "POST", "/api/v1/contacts", `{"email":"nobody","firstName":"No"}`)
	f.run(t, "sequences", "execute", "--yes", "--campaign", "again", survey, f.file(t, "again.csv", people(1796, 1800)))
	f.call(t, "GET", "/api/v1/contacts?search=chen&limit=1", "")
	f.call(t, "GET", "/api/v1/sequences", "")
	f.call(t, "GET", "/api/v1/sequences", "")
	f.call(t, "POST", "/_fake/faults", `{"route":"POST /sequences/{id}/execute","drop":"after"}`)
}

// TestThePageAtEachWidth looks at nothing that a test can judge but its width: no
// text is cut off at the side. With -shots it leaves pictures for people.
func TestThePageAtEachWidth(t *testing.T) {
	t.Parallel()
	f := start(t, "--rate-limits", "24/1m,1000/1h", "--window", "sliding", "--seed", write(t, "seed.json", seed))
	campaign(t, f)
	b := browser(t)
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			viewport := chromedp.EmulateViewport(width, 960, chromedp.EmulateScale(2))
			if width < 600 {
				viewport = chromedp.EmulateViewport(width, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
			}
			tab := open(t, b, "about:blank")
			tab.media(t, "prefers-color-scheme", scheme)
			tab.do(t, viewport, chromedp.Navigate(f.page))
			tab.shows(t, "#status", "live")
			tab.wait(t, `document.querySelectorAll("#contacts tbody tr")[7].innerText.trim() !== "" && document.querySelectorAll("#sendings tbody tr.twice").length > 3`)
			if got := tab.js(t, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); got != "0" {
				t.Errorf("%d pixels, %s: the page is %s pixels too wide", width, scheme, got)
			}
			if *shots != "" {
				tab.shoot(t, filepath.Join(*shots, fmt.Sprintf("fake-%d-%s.png", width, scheme)))
			}
		}
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
func (p *tab) media(t *testing.T, name, value string) {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: name, Value: value}}
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
