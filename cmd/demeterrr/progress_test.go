package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

func TestWithoutATerminalLinesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b)
		end := time.Date(2000, 1, 1, 5, 0, 0, 0, time.Local)
		until := time.Now().Add(time.Hour)
		for i := range 30 {
			s := step{what: "sending", done: i, total: 30, end: end}
			if i >= 25 {
				s.reason, s.until = demeterrr.WaitReasonLimiter, until
			}
			p.show(s)
			time.Sleep(time.Second)
		}
		p.close()
		p.show(step{what: "late", done: 1})
		want := "sending: 10 of 30, done about 05:00\nsending: 20 of 30, done about 05:00\nwaiting for the quota until " + until.Local().Format("15:04") + "\n"
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestACounterHasNoTotal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newCounter(&b)
		for i := range 30_000 {
			p.show(step{what: "reading rows", done: i})
			time.Sleep(time.Millisecond)
		}
		p.close()
		if diff := cmp.Diff("reading rows: 10,000\nreading rows: 20,000\n", b.String()); diff != "" {
			t.Error(diff)
		}
	})
}
