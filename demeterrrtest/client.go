package demeterrrtest

import (
	"context"
	"net/http"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// Client returns a client of this server that uses no network, with the key of
// [Server.APIKey]. The options come after the client's own, so they may replace
// them. It panics, saying why, if demeterrr.New refuses an option.
func (s *Server) Client(opts ...demeterrr.Option) *demeterrr.Client {
	own := []demeterrr.Option{
		demeterrr.WithBaseURL("https://demeterrr.test" + basePath),
		demeterrr.WithHTTPClient(&http.Client{Transport: s.Transport()}),
		demeterrr.WithAPIKeyFunc(func(context.Context) (string, error) { return s.apiKey, nil }),
	}
	client, err := demeterrr.New("", append(own, opts...)...)
	if err != nil {
		misuse("Client: %v", err)
	}
	return client
}
