package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"

	"github.com/demeterrr/demeterrr-go"
)

// progress shows how far a command has come: as a bar at a terminal, and as a
// line now and then elsewhere, such as in the mail that cron sends.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil if out is no terminal, or a narrow one
	width int                      // of the terminal; 0 if out is none
	last  time.Time
	what  string
	waits bool
	until time.Time // of the wait that was told
	ended bool
}

const (
	lineEvery = 10 * time.Second
	narrow    = 70 // columns; with fewer, the bar has no room
)

// step is how far a command has come.
type step struct {
	what        string
	done, total int // a total below 1 is not known
	end         time.Time
	reason      demeterrr.WaitReason // empty if nothing waits
	until       time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, last: time.Now()}
	if !isTerminal(out) {
		return p
	}
	if p.width = max(2, width(out)); p.width < narrow {
		return p
	}
	p.bar = progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount())
	return p
}

// show shows a step. Some calls come from other goroutines.
func (p *progress) show(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	waits := s.reason != "" && time.Until(s.until) > 2*time.Second
	if p.width > 0 {
		p.draw(s, waits)
		return
	}
	switch {
	case waits && !s.until.Equal(p.until):
		p.until, p.last = s.until, time.Now()
		fmt.Fprintln(p.out, waiting(s.reason, s.until))
	case time.Since(p.last) >= lineEvery:
		p.last = time.Now()
		fmt.Fprintln(p.out, s)
	}
}

// draw draws the bar ten times a second, and at once when a wait begins or ends:
// the next step may come long after it.
func (p *progress) draw(s step, waits bool) {
	text := s.what
	if waits {
		text = waiting(s.reason, s.until)
	} else if !s.end.IsZero() {
		text += " until " + s.end.Local().Format("15:04")
	}
	if s.what == p.what && waits == p.waits && time.Since(p.last) < 100*time.Millisecond {
		return
	}
	changed := s.what != p.what
	p.what, p.waits, p.last = s.what, waits, time.Now()
	if p.bar == nil {
		if s.total > 0 {
			text += fmt.Sprintf(" %d%%", 100*s.done/s.total)
		}
		text = cut(text, p.width-1)
		fmt.Fprint(p.out, "\r"+text+strings.Repeat(" ", p.width-1-uniseg.StringWidth(text)))
		return
	}
	if changed {
		p.bar.Reset() // one that is full shows nothing any more
	}
	if total := max(s.total, -1); total != 0 && p.bar.GetMax() != total {
		p.bar.ChangeMax(total)
	}
	_ = p.bar.Set(s.done)
	p.bar.Describe(text)
}

// clear takes the bar away.
func (p *progress) clear() {
	switch {
	case p.ended || p.what == "": // it was never there
	case p.bar != nil:
		_ = p.bar.Clear()
	case p.width > 0:
		fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.width-1)+"\r")
	}
}

// String is the step as a line.
func (s step) String() string {
	text := s.what + ": " + grouped(s.done)
	if s.total > 0 {
		text += " of " + grouped(s.total)
	}
	if !s.end.IsZero() {
		text += ", done about " + s.end.Local().Format("15:04")
	}
	return text
}

// say prints a line above the bar.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.clear()
	fmt.Fprintln(p.out, line)
}

// pause takes the bar away until the next step.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// close takes the bar away.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.ended = true
}
