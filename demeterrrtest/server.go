package demeterrrtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// basePath is what the path of every request begins with (contract, section 1).
const basePath = "/api/v1"

// Server is a fake demeterrr with one organization in it. It is safe for
// concurrent use. Make one with [NewServer]: the zero Server has no key.
type Server struct {
	partialUpdates bool
	minLatency     time.Duration
	maxLatency     time.Duration
	onRequest      func(Request)
	apiKey         string

	mu        sync.Mutex // guards what follows; never held while time passes
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

// Option sets up a [Server].
type Option func(*Server)

// NewServer returns a server with an empty organization, one API key that may
// do everything, no rate limits and no latency. It panics, saying why, on an
// option that makes no sense.
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

// WithPartialUpdates makes the server answer PATCH with the members of the
// documented sample only: id, email, firstName, lastName, tags and updatedAt.
// Without it the whole contact is sent.
func WithPartialUpdates() Option {
	return func(s *Server) { s.partialUpdates = true }
}

// WithLatency makes every exchange take time: the request is on its way for
// between half of shortest and half of longest before the server sees it, and the reply likewise.
// The durations are spread evenly, and are the same ones in every run.
func WithLatency(shortest, longest time.Duration) Option {
	if shortest < 0 || longest < shortest {
		misuse("WithLatency: need 0 <= shortest <= longest, have %v and %v", shortest, longest)
	}
	return func(s *Server) { s.minLatency, s.maxLatency = shortest, longest }
}

// WithRequestLog makes the server hand every request to log, when it has been
// processed, instead of keeping it: [Server.Requests] is then empty. It is for
// servers that run for long. Log may be called concurrently.
func WithRequestLog(log func(Request)) Option {
	if log == nil {
		misuse("WithRequestLog: the function is nil")
	}
	return func(s *Server) { s.onRequest = log }
}

// APIKey returns a key that has every scope of the server's endpoints, those of
// [Server.AddObjects] included. It is 47 characters long and the same in every run.
func (s *Server) APIKey() string { return s.apiKey }

// Close stops the server: no connection can be made to it any more, in memory
// or over its port. What it knows can still be read. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listening.close()
}

// misuse panics: a test that sets up its server wrongly must not go on.
func misuse(format string, args ...any) {
	panic("demeterrrtest: " + fmt.Sprintf(format, args...))
}
