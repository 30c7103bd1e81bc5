//go:build !js

package demeterrr

import "net/http"

// refuseRedirects returns rt, as a RoundTripper follows no redirects. js/wasm
// has its own version.
func refuseRedirects(rt http.RoundTripper) http.RoundTripper { return rt }
