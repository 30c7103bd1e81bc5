package fakepage

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// event is one server-sent event.
type event struct {
	kind, id string
	state    struct {
		Counts     counts
		KeyExpired bool
		Requests   []struct{ Number int }
		Faults     []struct{ What string }
	}
}

// watch opens the events of a page over a real connection.
func watch(t *testing.T, url, lastEventID string) (next func() event, gone context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/_fake/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", lastEventID)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewReader(resp.Body)
	return func() (e event) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return event{kind: err.Error()}
			}
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch {
			case name == "event":
				e.kind = value
			case name == "id":
				e.id = value
			case name == "data":
				if err := json.Unmarshal([]byte(value), &e.state); err != nil {
					t.Fatal(err)
				}
			case name == "" && e.kind != "":
				return e
			}
		}
	}, cancel
}

func serve(t *testing.T) (*fixture, string) {
	t.Helper()
	f := newPage(t, "")
	port := httptest.NewServer(f.handler)
	t.Cleanup(func() { f.Stop(); port.Close() })
	return f, port.URL
}

func numbers(e event) string {
	var all []string
	for _, r := range e.state.Requests {
		all = append(all, fmt.Sprint(r.Number))
	}
	return strings.Join(all, " ")
}

func TestEventsAreASnapshotAndThenWhatIsNew(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	f.send(t, "GET", "/api/v1/contacts", "")
	next, gone := watch(t, url, "")
	first := next()
	if first.kind != "snapshot" || numbers(first) != "1" || first.state.Counts.Contacts != 2 {
		t.Fatalf("%+v", first)
	}
	f.execute(t, "new@example.com")
	second := next()
	if second.kind != "update" || numbers(second) != "2" || second.state.Counts.Sendings != 1 || second.state.Counts.Contacts != 3 {
		t.Fatalf("%+v", second)
	}
	body(t, f.send(t, "POST", "/_fake/faults", `{"status":500}`), 201)
	if e := next(); e.kind != "update" || numbers(e) != "" || len(e.state.Faults) != 1 || e.id != second.id {
		t.Fatalf("%+v", e)
	}
	body(t, f.send(t, "POST", "/_fake/key/expire", ""), 204)
	if e := next(); !e.state.KeyExpired {
		t.Fatalf("%+v", e)
	}
	gone()

	// It comes back, and gets what it has missed.
	f.send(t, "GET", "/api/v1/contacts", "")
	f.send(t, "GET", "/api/v1/contacts", "")
	next, _ = watch(t, url, second.id)
	if e := next(); e.kind != "update" || numbers(e) != "4 3" {
		t.Fatalf("%+v", e)
	}
	body(t, f.send(t, "POST", "/_fake/reset", ""), 204)
	if e := next(); e.kind != "snapshot" || numbers(e) != "" || e.state.Counts.Requests != 0 || e.state.KeyExpired {
		t.Fatalf("%+v", e)
	}
	// The account that it knew is gone; so is one of a fake before this one.
	for _, id := range []string{second.id, "other-3", "nonsense", "-1", f.now.Load().id + "-x", f.now.Load().id + "--5", f.now.Load().id + "-77"} {
		next, gone := watch(t, url, id)
		if e := next(); e.kind != "snapshot" {
			t.Errorf("%s: %+v", id, e)
		}
		gone()
	}
}

// TestASlowPageGetsFewerEvents lets many requests come before a page reads on.
func TestASlowPageGetsFewerEvents(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	next, _ := watch(t, url, "")
	next()
	last, events := 0, 0
	for range 3 * keptRequests {
		f.send(t, "GET", "/api/v1/contacts", "")
	}
	for last < 3*keptRequests {
		e := next()
		events++
		if n := len(e.state.Requests); n > keptRequests {
			t.Fatalf("%d requests in one event", n)
		}
		if len(e.state.Requests) > 0 {
			last = e.state.Requests[0].Number
		}
	}
	if events > 40 {
		t.Errorf("%d events", events)
	}
}

// TestRequestsInQuickSuccessionAreOneEvent sends one every five milliseconds.
func TestRequestsInQuickSuccessionAreOneEvent(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	next, _ := watch(t, url, "")
	next()
	const n = 80
	begun := time.Now()
	for range n {
		f.send(t, "GET", "/api/v1/contacts", "")
		time.Sleep(5 * time.Millisecond)
	}
	most := int(time.Since(begun)/pause) + 3
	for events := 1; ; events++ {
		if e := next(); len(e.state.Requests) > 0 && e.state.Requests[0].Number == n {
			if events > most {
				t.Errorf("%d events, want at most %d", events, most)
			}
			return
		}
	}
}

// TestAPageThatDoesNotReadIsDropped leaves the events in the sockets until they are full.
func TestAPageThatDoesNotReadIsDropped(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	f.patience = 100 * time.Millisecond
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /_fake/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	dropped := func() bool { return f.watchers.Load() == 0 }
	for dropped() {
		time.Sleep(time.Millisecond)
	}
	for begun := time.Now(); !dropped(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("it is still waited for")
		}
		for range 100 {
			f.send(t, "GET", "/api/v1/contacts?search="+strings.Repeat("x", keptText), "")
		}
	}
}

func TestAStopIsTold(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	next, _ := watch(t, url, "")
	next()
	begun := time.Now()
	f.Stop()
	if e := next(); e.kind != "stopped" {
		t.Errorf("%+v", e)
	}
	if e := next(); e.kind != io.EOF.Error() || time.Since(begun) > 2*time.Second {
		t.Errorf("%+v after %v", e, time.Since(begun))
	}
	if text := body(t, f.send(t, "GET", "/_fake/events", ""), 503); !strings.Contains(text, "is stopping") {
		t.Error(text)
	}
	body(t, f.send(t, "GET", "/_fake/state", ""), 200) // requests in flight are still answered
}

func TestNoMorePagesThanAHundred(t *testing.T) {
	t.Parallel()
	f, url := serve(t)
	for range maxWatchers {
		next, _ := watch(t, url, "")
		next()
	}
	if text := body(t, f.send(t, "GET", "/_fake/events", ""), 503); !strings.Contains(text, "100 pages are open already") {
		t.Error(text)
	}
	if n := f.watchers.Load(); n != maxWatchers {
		t.Errorf("%d watchers are counted", n)
	}
}
