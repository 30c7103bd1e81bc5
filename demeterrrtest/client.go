package demeterrrtest

import (
	"context"
	"net/http"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// Client returns a client of this server, with the key of [Server.APIKey]. It
// works in memory, without a network. The options follow the client's own and
// may replace them. Client panics with the reason if demeterrr.New refuses an
// option.
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
