package bulkcli

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestALongWaitForTheQuotaIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		p := &tellingPacer{Pacer: demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: 5 * time.Minute}), errs: &told}
		for i, lines := range []int{0, 0, 1, 1} {
			release, err := p.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release(demeterrr.LimitOutcome{Sent: true, StatusCode: 200})
			synctest.Wait() // for what is being told
			if got := bytes.Count(told.Bytes(), []byte("waiting for the quota")); got != lines {
				t.Errorf("after %d waits: told %d times, want %d", i+1, got, lines)
			}
		}
	})
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 rows", 1: "1 row", 2: "2 rows"} {
		if got := Count(n, "row"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
