package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/demeterrr/demeterrr-go"
)

// progress shows how far a command has come: as a bar at a terminal, and as a
// line now and then elsewhere, such as in the mail that cron sends.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil if out is no terminal
	last  time.Time
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
	options := []progressbar.Option{
		progressbar.OptionSetWriter(out),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	}
	if width(out) < narrow {
		options = append(options, progressbar.OptionSetWidth(0), progressbar.OptionSetTheme(progressbar.Theme{}))
	} else {
		options = append(options, progressbar.OptionSetWidth(20))
	}
	p.bar = progressbar.NewOptions64(1, options...)
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
	if p.bar != nil {
		text := s.what
		if waits {
			text = waiting(s.reason, s.until)
		} else if !s.end.IsZero() {
			text += " until " + s.end.Local().Format("15:04")
		}
		p.bar.Describe(text)
		if total := max(s.total, -1); total != 0 && p.bar.GetMax() != total {
			p.bar.ChangeMax(total)
		}
		_ = p.bar.Set(s.done)
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
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.out, line)
}

// pause takes the bar away until the next step.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// close takes the bar away.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil && !p.ended {
		_ = p.bar.Clear()
	}
	p.ended = true
}
