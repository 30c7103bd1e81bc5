package bulkcli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a program has come: as a bar on a terminal, and as a
// line now and then elsewhere, such as in the mail that cron sends.
type Progress struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil if out is no terminal
	last time.Time
	what string
}

const lineEvery = 10 * time.Second

// NewProgress shows the progress on out.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out, last: time.Now()}
	file, ok := out.(*os.File)
	if !ok {
		return p
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return p
	}
	p.bar = progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
	return p
}

// Show says that done of total are done; a total below 1 is not known.
func (p *Progress) Show(what string, done, total int) {
	if p.bar == nil {
		if time.Since(p.last) >= lineEvery {
			p.last = time.Now()
			fmt.Fprintln(p.out, line(what, done, total))
		}
		return
	}
	if what != p.what {
		p.what = what
		p.bar.Reset()
		p.bar.Describe(what)
	}
	if total < 1 {
		total = -1 // a spinner
	}
	if p.bar.GetMax() != total {
		p.bar.ChangeMax(total)
	}
	_ = p.bar.Set(done)
}

func line(what string, done, total int) string {
	if total < 1 {
		return fmt.Sprintf("%s: %d", what, done)
	}
	return fmt.Sprintf("%s: %d of %d", what, done, total)
}

// Close takes the bar away.
func (p *Progress) Close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
