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

// progress shows the progress of a command. A terminal gets a bar. Other
// outputs, such as mail from cron, get a line every 10 seconds.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil for a narrow terminal, an unknown total or another output
	width int                      // of the terminal; 0 for another output
	last  time.Time
	what  string
	waits bool
	until time.Time // end of the last reported wait
	ended bool
}

const (
	lineEvery = 10 * time.Second
	narrow    = 70 // columns needed for a bar
)

// step is the current state of a command.
type step struct {
	what        string
	done, total int // total is 0 if unknown
	end         time.Time
	reason      demeterrr.WaitReason // empty without a wait
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

// newCounter returns a progress for steps with an unknown total. It shows a
// number in place of a bar.
func newCounter(out io.Writer) *progress {
	p := newProgress(out)
	p.bar = nil
	return p
}

// show shows a step. It is safe for concurrent use.
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

// draw redraws the bar at most ten times a second. The start and the end of a
// wait are drawn at once, because the next step may be minutes away.
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
		switch {
		case s.total > 0:
			text += fmt.Sprintf(" %d%%", 100*s.done/s.total)
		case s.done > 0:
			text += " " + grouped(s.done)
		}
		text = cut(text, p.width-1)
		fmt.Fprint(p.out, "\r"+text+strings.Repeat(" ", p.width-1-uniseg.StringWidth(text)))
		return
	}
	if changed {
		p.bar.Reset() // a full bar draws nothing
	}
	if total := max(s.total, -1); total != 0 && p.bar.GetMax() != total {
		p.bar.ChangeMax(total)
	}
	_ = p.bar.Set(s.done)
	p.bar.Describe(text)
}

// clear erases the bar.
func (p *progress) clear() {
	switch {
	case p.ended || p.what == "": // nothing is drawn
	case p.bar != nil:
		_ = p.bar.Clear()
	case p.width > 0:
		fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.width-1)+"\r")
	}
}

// String returns the step as a line.
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

// say prints a line in place of the bar.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.clear()
	fmt.Fprintln(p.out, line)
}

// pause erases the bar until the next step.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// close erases the bar for good.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.ended = true
}
