package demeterrr

import (
	"net/http"
	"strings"
	"syscall/js"
)

// refuseRedirects keeps the Fetch API from following redirects, which would
// send the API key to another host. net/http uses Fetch if no dialer is set.
func refuseRedirects(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok || t.DialContext != nil || t.DialTLSContext != nil || t.Dial != nil || t.DialTLS != nil { //nolint:staticcheck // net/http looks at them too
		return rt
	}
	// Under Node.js, net/http avoids Fetch and would reject the header below.
	process := js.Global().Get("process")
	if process.Type() == js.TypeObject && strings.HasPrefix(process.Get("argv0").String(), "node") {
		return rt
	}
	return fetchTransport{t}
}

type fetchTransport struct{ *http.Transport }

// RoundTrip sends req with Fetch's redirect mode "manual".
func (t fetchTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("js.fetch:redirect", "manual")
	resp, err := t.Transport.RoundTrip(req)
	if err == nil && resp.StatusCode == 0 {
		// A browser hides the status of a redirect. Assume 303, the status that
		// may follow a completed write.
		resp.StatusCode = http.StatusSeeOther
	}
	return resp, err
}
