// Package retryable is net/http and encoding/json over go-retryablehttp.
package retryable

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/nethttp"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// New makes the client of package nethttp over the standard client of
// go-retryablehttp.
func New(base string, rt http.RoundTripper, _ bool) work.Peer {
	return nethttp.Over(base, HTTPClient(rt).Do)
}

// HTTPClient returns the http.Client that go-retryablehttp documents for code
// with a need for one.
func HTTPClient(rt http.RoundTripper) *http.Client {
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = work.Retries
	c.RetryWaitMin, c.RetryWaitMax = time.Nanosecond, time.Nanosecond
	if rt != nil {
		c.HTTPClient.Transport = rt
	}
	return c.StandardClient()
}
