package fakepage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often an open page hears of changes.
const (
	pause       = 150 * time.Millisecond // after each event: what comes in between is one event
	tick        = time.Second            // windows and faults change with the time
	silence     = 15 * time.Second       // after which a comment shows that the connection is alive
	maxWatchers = 100
)

// signal wakes all waiters. Changes while nobody waits count once.
type signal struct {
	mu      sync.Mutex
	waiting chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// watcher is one open page. It keeps a position in place of a queue. A slow page
// gets fewer and larger events, or a snapshot if it falls too far behind.
type watcher struct {
	page    *Page
	w       http.ResponseWriter
	account *account // whose requests it has
	seen    int      // the number of the newest of them
	told    []byte   // the state without its time, as it was last sent
}

// serveEvents sends a snapshot, then an update whenever something has changed.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	if p.watchers.Add(1) > maxWatchers {
		p.watchers.Add(-1)
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open already; close one", maxWatchers))
		return
	}
	defer p.watchers.Add(-1)
	select {
	case <-p.stopped:
		writeError(w, http.StatusServiceUnavailable, "the fake is stopping")
		return
	default:
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for proxies
	one := &watcher{page: p, w: w}
	one.resume(r.Header.Get("Last-Event-ID"))
	if err := one.write("retry: 1000\n\n"); err != nil {
		return
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	spoke := time.Now()
	for {
		changed := p.changed.wait() // before the state is read, so that no change is missed
		sent, err := one.tell()
		if !sent && err == nil && time.Since(spoke) > silence {
			sent, err = true, one.write(": still here\n\n")
		}
		if err != nil {
			return
		}
		if sent {
			spoke = time.Now()
			if one.gone(r, nil, time.After(pause)) {
				return
			}
		}
		if one.gone(r, changed, ticks.C) {
			return
		}
	}
}

// gone waits for a change or a time. It reports whether the page is gone, or the fake stops.
func (o *watcher) gone(r *http.Request, changed <-chan struct{}, over <-chan time.Time) bool {
	select {
	case <-r.Context().Done():
		return true
	case <-o.page.stopped:
		_ = o.write("event: stopped\ndata: {}\n\n")
		return true
	case <-changed:
	case <-over:
	}
	return false
}

// resume continues after the last event of a page, if this account sent it.
func (o *watcher) resume(lastEventID string) {
	a := o.page.now.Load()
	id, seen, _ := strings.Cut(lastEventID, "-")
	if n, err := strconv.Atoi(seen); err == nil && id == a.id && n >= 0 {
		o.account, o.seen = a, n
	}
}

// tell sends the changes, if there are any.
func (o *watcher) tell() (sent bool, err error) {
	a := o.page.now.Load()
	kind, after := "update", o.seen
	if o.account != a {
		kind, after = "snapshot", 0
	}
	s, whole := a.state(after)
	if !whole && kind == "update" {
		kind = "snapshot"
		s, _ = a.state(0)
	}
	s.BaseURL = o.page.baseURL
	full := s
	s.Time, s.Shown = stamp{}, nil
	plain, err := json.Marshal(s) //nolint:gosec // the page shows the key, which the program prints too
	if err != nil {
		return false, err
	}
	if kind == "update" && len(full.Shown) == 0 && bytes.Equal(plain, o.told) {
		return false, nil
	}
	data, err := json.Marshal(full) //nolint:gosec // likewise
	if err != nil {
		return false, err
	}
	o.account, o.told = a, plain
	switch {
	case len(full.Shown) > 0:
		o.seen = full.Shown[0].Number
	case kind == "snapshot":
		o.seen = 0
	}
	return true, o.write(fmt.Sprintf("event: %s\nid: %s-%d\ndata: %s\n\n", kind, a.id, o.seen, data))
}

// write sends a text. It gives up on a page that stopped reading.
func (o *watcher) write(text string) error {
	control := http.NewResponseController(o.w)
	_ = control.SetWriteDeadline(time.Now().Add(o.page.patience)) // where it is not supported there is none
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return control.Flush()
}
