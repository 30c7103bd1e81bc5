package demeterrr_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/demeterrr/demeterrr-go"
)

func TestHeadersThatEchoTheKeyAreCleaned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		echo := gateway.with("X-Request-Id", testKey, "X-Echo", "X-Api-Key: "+testKey)
		c, _ := play(t, []step{echo, echo})
		var resp demeterrr.Response
		err := execute(t.Context(), c, demeterrr.WithResponse(&resp))
		if shown := fmt.Sprintf("%v %#v %#v", err, err, resp); strings.Contains(shown, testKey) {
			t.Errorf("the key is in %s", shown)
		}
		same(t, "X-Echo", resp.Header.Get("X-Echo"), "X-Api-Key: [removed]")
	})
}

// net/http quotes text it cannot parse, and an echoing server sends the request
// itself.
func TestWhatNetHTTPQuotesIsCleaned(t *testing.T) {
	t.Parallel()
	line := "GET /api/v1/contacts?email=john.doe%40example.com HTTP/1.1"
	for name, cause := range map[string]error{
		"an echo":      fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", fmt.Errorf("malformed HTTP response %q", line)),
		"a header":     textproto.ProtocolError("malformed MIME header line: " + line),
		"the key":      fmt.Errorf("malformed HTTP status code %q", testKey),
		"no quotation": errors.New("a transport with a leaking error: " + testKey),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				c, _ := logTo(t, &out, slog.LevelDebug, repeat(step{err: cause}, 4))
				_, err := c.Contacts.FindByEmail(t.Context(), email)
				e := wantError(t, err, 4)
				for _, shown := range []string{err.Error(), fmt.Sprintf("%#v", e), e.Unwrap().Error(), fmt.Sprint(e.LogValue()), out.String()} {
					if strings.Contains(shown, testKey) || strings.Contains(shown, "john.doe") {
						t.Errorf("shown: %s", shown)
					}
				}
				if errors.Is(err, cause) {
					t.Error("Unwrap still reaches the server's text")
				}
			})
		})
	}
}

// Printing a client in use must not race with its transport. Run with -race.
func TestAClientIsPrintedByItsAddress(t *testing.T) {
	t.Parallel()
	proxy := http.Header{"Proxy-Authorization": {"Basic c2VjcmV0"}}
	c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: &http.Transport{ProxyConnectHeader: proxy}}))
	wantNil(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		same(t, verb, fmt.Sprintf(verb, c), "demeterrr.Client(https://app.demeterrr.com/api/v1)")
	}
	same(t, "a client not made by New", fmt.Sprint(new(demeterrr.Client), (*demeterrr.Client)(nil)),
		"demeterrr.Client(not made by New) demeterrr.Client(not made by New)")
}
