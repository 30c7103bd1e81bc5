package main

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// Silences are rounded, so that two recordings of a command are the same although
// a machine is slower at times.
const (
	same   = 90 * time.Millisecond // output within it is one event
	short  = 100 * time.Millisecond
	beat   = 300 * time.Millisecond // a longer silence is a multiple of it
	early  = 30 * time.Millisecond  // a beat may be shorter by so much
	idle   = 3 * beat               // a longer silence is cut to this
	stroke = 50 * time.Millisecond  // between two keys
)

// event is output with its time in the recording.
type event struct {
	at   time.Duration
	text string
	key  string // pressed at that time, and without an echo that stays
}

// recorder keeps the output of a terminal, with the times at which it came.
type recorder struct {
	replace *strings.Replacer

	mu     sync.Mutex
	events []event
	clock  time.Duration // of the recording
	last   time.Time     // when something came last
	first  int           // event of the command that runs
}

// newRecorder makes a recorder that replaces what differs between machines.
func newRecorder(home, address string) *recorder {
	return &recorder{replace: strings.NewReplacer(home, "~", address, "127.0.0.1:8080"), last: time.Now()}
}

// Write adds output of the program.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gap := time.Since(r.last)
	r.last = time.Now()
	switch {
	case len(r.events) == r.first: // the program has started
		r.clock += beat
	case gap < same:
		r.events[len(r.events)-1].text += string(p)
		return len(p), nil
	default:
		r.clock += rounded(gap)
	}
	r.events = append(r.events, event{at: r.clock, text: string(p)})
	return len(p), nil
}

// rounded is a silence as a recording has it. The replies of the account take
// whole beats, and the machine adds to them.
func rounded(gap time.Duration) time.Duration {
	return max(short, min(gap+early, idle).Truncate(beat))
}

// add adds what the shell shows.
func (r *recorder) add(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event{at: r.clock, text: string(p)})
	r.last = time.Now()
}

// press shows the name of a key.
func (r *recorder) press(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock += rounded(time.Since(r.last))
	r.last = time.Now()
	r.events = append(r.events, event{at: r.clock, key: key})
}

// typed adds a line key by key.
func (r *recorder) typed(line string) {
	for _, key := range line {
		r.pause(stroke)
		r.add([]byte(string(key)))
	}
}

// pause lets time pass in the recording alone.
func (r *recorder) pause(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock += d
	r.last = time.Now()
}

// begin begins the output of a command.
func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = len(r.events)
}

// output is what the command has written.
func (r *recorder) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events[r.first:] {
		b.WriteString(e.text)
	}
	return b.String()
}

// A clock in the output: the fake's windows go by the time of day.
var clock = regexp.MustCompile(`\b(until|about) \d\d:\d\d\b`)

// The folder of an account, with the address and its hash.
var folder = regexp.MustCompile(`127\.0\.0\.1_\d{4}_api_v1-[0-9a-f]{12}`)

// recording returns the events with what is the same on every machine.
func (r *recorder) recording() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]event, len(r.events))
	for i, e := range r.events {
		all[i] = event{e.at, folder.ReplaceAllString(clock.ReplaceAllString(r.replace.Replace(e.text), "$1 15:00"), "127.0.0.1_8080_api_v1-4a09fc74f1fa"), e.key}
	}
	return all
}
