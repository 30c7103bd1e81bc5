package demeterrr_test

import (
	"net/http"
	"strings"
	"syscall/js"
	"testing"

	"github.com/demeterrr/demeterrr-go"
)

// withFetch replaces the platform's fetch for one test. It returns the URLs and
// redirect modes of the calls. Each call gets the reply.
func withFetch(t *testing.T, reply js.Value) *[]string {
	t.Helper()
	if strings.HasPrefix(js.Global().Get("process").Get("argv0").String(), "node") {
		t.Skip("net/http avoids Fetch under a program named node; see .ci/platforms")
	}
	var calls []string
	original := js.Global().Get("fetch")
	fake := js.FuncOf(func(_ js.Value, args []js.Value) any {
		calls = append(calls, args[0].String()+" "+args[1].Get("redirect").String())
		return js.Global().Get("Promise").Call("resolve", reply)
	})
	js.Global().Set("fetch", fake)
	t.Cleanup(func() { js.Global().Set("fetch", original); fake.Release() })
	return &calls
}

func TestOwnTransportUsesFetch(t *testing.T) {
	calls := withFetch(t, js.Global().Get("Response").New(johnBody))
	c, err := demeterrr.New(canaryKey, once)
	wantNil(t, err)
	_, err = c.Contacts.Get(t.Context(), johnID)
	wantNil(t, err)
	same(t, "calls of fetch", *calls, []string{demeterrr.DefaultBaseURL + "/contacts/" + johnID + " manual"})
}

// A browser shows an unfollowed redirect as a reply with status 0.
func TestRedirectsAreRefusedOverFetch(t *testing.T) {
	opaque := js.Global().Get("Response").Call("error")
	for name, transport := range map[string][]demeterrr.Option{
		"own":      {once},
		"standard": {once, demeterrr.WithHTTPClient(&http.Client{})},
	} {
		for _, op := range operations {
			calls := withFetch(t, opaque)
			c, err := demeterrr.New(canaryKey, transport...)
			wantNil(t, err)
			if e := wantError(t, op.call(t.Context(), c), 1); e.StatusCode != 303 || !strings.Contains(e.Error(), "redirects are refused") {
				t.Errorf("%s %s: %v", name, op.name, e)
			}
			if len(*calls) != 1 || !strings.HasSuffix((*calls)[0], " manual") {
				t.Errorf("%s %s: %v", name, op.name, *calls)
			}
		}
	}
}
