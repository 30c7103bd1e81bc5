package demeterrrtest

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"
)

// outcome is the end of an exchange: a reply, unless drop is set.
type outcome struct {
	reply     *reply
	drop      Drop
	throttled *Window // the full window behind a 429; may be nil
}

// exchange processes one request, from sending to reply. It takes the time that
// latency and faults ask for. Its error is that of the context.
func (s *Server) exchange(ctx context.Context, method string, u *url.URL, header http.Header, body []byte) (outcome, error) {
	there, back := s.latency()
	if err := sleep(ctx, there); err != nil {
		return outcome{}, err
	}
	c := &call{method: method, path: u.EscapedPath(), header: header, body: body, now: time.Now()}
	c.query, c.queryError = url.ParseQuery(u.RawQuery)
	out, delay := s.serve(c)
	return out, sleep(ctx, delay+back)
}

// serve processes a call at one instant, with the server locked.
func (s *Server) serve(c *call) (outcome, time.Duration) {
	query := c.query
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return outcome{drop: NoConnection}, 0
	}
	met := s.takeFault(c)
	f := cmp.Or(met, &fault{})
	if f.Drop == NoConnection {
		s.mu.Unlock()
		return outcome{drop: NoConnection}, f.Delay
	}
	out := s.answer(c, f)
	if out.drop == Truncate && len(out.reply.body) == 0 {
		out.drop = DropAfter
	}
	entry := logged(c, query, out)
	if met != nil {
		entry.Fault = &met.injected
	}
	if s.onRequest == nil {
		s.requests = append(s.requests, entry)
	}
	s.mu.Unlock()
	if s.onRequest != nil {
		s.onRequest(entry)
	}
	return out, f.Delay
}

// answer passes a call through the checks before the endpoints, in the
// documented order of the package.
func (s *Server) answer(c *call, f *fault) outcome {
	k, refused := s.authenticate(c.header)
	var quota http.Header
	var full *Window
	if refused == nil {
		quota, full = s.windows.admit(c.now)
	}
	if full != nil {
		refused = rateLimited(http.StatusTooManyRequests, full.Limit, full.Reset.Sub(c.now))
	}
	due := refused
	switch {
	case f.beforeWork():
		due, full = &reply{status: http.StatusOK, header: http.Header{}}, nil
	case refused == nil:
		c.query = f.overlook(c.query)
		due = s.dispatch(c, k)
	}
	out := outcome{reply: f.apply(s, due, c, quota), drop: f.Drop}
	if out.drop != DropAfter && !f.answers() {
		out.throttled = full
	}
	return out
}

// latency draws the travel times of a request and its reply.
func (s *Server) latency() (there, back time.Duration) {
	if s.maxLatency == 0 {
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	draw := func() time.Duration {
		return (s.minLatency + time.Duration(s.random.Int64N(int64(s.maxLatency-s.minLatency)+1))) / 2
	}
	return draw(), draw()
}

// sleep waits, or returns the context's error if the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
