//go:build !js

package demeterrr

import "net/http"

// refuseRedirects returns rt: a RoundTripper follows no redirect. The one of js/wasm does.
func refuseRedirects(rt http.RoundTripper) http.RoundTripper { return rt }
