package demeterrrtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// basePath is the start of every request path (contract, section 1).
const basePath = "/api/v1"

// Server is a fake demeterrr with one organization. It is safe for concurrent
// use. Make one with [NewServer]; the zero value is unusable.
type Server struct {
	partialUpdates bool
	minLatency     time.Duration
	maxLatency     time.Duration
	onRequest      func(Request)
	apiKey         string

	mu        sync.Mutex // guards the fields below; never held while time passes
	closed    bool
	keys      map[string]*key
	routes    []route
	objects   map[string]*objectStore // by path
	contacts  contactStore
	sequences sequenceStore
	sendings  []Sending
	requests  []Request
	faults    []*fault
	windows   windows
	random    *rand.Rand

	listening listener
}

// Option configures a [Server].
type Option func(*Server)

// NewServer returns a server with an empty organization and one API key with
// every scope. It has no rate limits and no latency. NewServer panics with the
// reason on invalid options.
func NewServer(opts ...Option) *Server {
	s := &Server{
		keys:      make(map[string]*key),
		routes:    slices.Clone(routes),
		objects:   make(map[string]*objectStore),
		contacts:  newContactStore(),
		sequences: newSequenceStore(),
		random:    rand.New(rand.NewPCG(1, 2)), //nolint:gosec // the same latencies in every run
	}
	for _, opt := range opts {
		if opt == nil {
			misuse("NewServer: an option is nil")
		}
		opt(s)
	}
	if w := &s.windows; w.phase != 0 && (len(w.all) == 0 || w.kind != FixedWindow) {
		misuse("NewServer: WithWindowPhase needs WithRateLimits with FixedWindow")
	}
	s.apiKey = s.AddKey("contacts:*", "sequences:*")
	return s
}

// WithPartialUpdates makes PATCH return only the members of the documented
// sample: id, email, firstName, lastName, tags and updatedAt. By default PATCH
// returns the whole contact.
func WithPartialUpdates() Option {
	return func(s *Server) { s.partialUpdates = true }
}

// WithLatency delays every exchange. The request and the reply each travel for
// between half of shortest and half of longest. The durations are spread
// evenly, and are the same in every run.
func WithLatency(shortest, longest time.Duration) Option {
	if shortest < 0 || longest < shortest {
		misuse("WithLatency: need 0 <= shortest <= longest, have %v and %v", shortest, longest)
	}
	return func(s *Server) { s.minLatency, s.maxLatency = shortest, longest }
}

// WithRequestLog passes every finished request to log instead of keeping it, so
// [Server.Requests] stays empty. It is for servers that run for long. log may
// be called concurrently.
func WithRequestLog(log func(Request)) Option {
	if log == nil {
		misuse("WithRequestLog: the function is nil")
	}
	return func(s *Server) { s.onRequest = log }
}

// APIKey returns a key with every scope of the server's endpoints, including
// those of [Server.AddObjects]. It is 47 characters long and the same in every
// run.
func (s *Server) APIKey() string { return s.apiKey }

// Close stops the server: all new connections fail, in memory and over its
// port. Its data stays readable. A second call does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listening.close()
}

// misuse panics, because a test with a wrong setup must stop.
func misuse(format string, args ...any) {
	panic("demeterrrtest: " + fmt.Sprintf(format, args...))
}
