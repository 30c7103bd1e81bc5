package bulk_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// misbehaving is a way for a journal to fail.
type misbehaving struct {
	fail func(ctx context.Context) error
	is   error
	says string
}

var misbehavior = map[string]misbehaving{
	"fails":  {func(context.Context) error { return errDiskFull }, errDiskFull, "disk full"},
	"panics": {func(context.Context) error { panic("a bug in a journal") }, nil, "panic: a bug in a journal"},
	"hangs": {func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, context.DeadlineExceeded, "context deadline exceeded"},
	"hangs and then says something else": {func(ctx context.Context) error {
		<-ctx.Done()
		return errDiskFull
	}, context.DeadlineExceeded, "disk full"},
	"fails with another call's error": {nil, errDiskFull, "disk full"}, // made in the test
	"quotes an email":                 {func(context.Context) error { return errors.New(`duplicate key "jane.smith@example.com"`) }, nil, `duplicate key`},
	"fails with a nil":                {func(context.Context) error { return (*hollow)(nil) }, nil, ""},
}

// failingStep is a failing step of a journal, with the expected result of the
// run.
type failingStep struct {
	name, method string
	state        bulk.JournalState // of a Finish
	token        int               // 0: any
	fault        demeterrrtest.Fault
	says         string
	sent, failed int
}

// TestAJournalThatMisbehavesStopsTheRun lets each step of a journal fail in
// each way, before and after its work.
func TestAJournalThatMisbehavesStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, f := range []failingStep{
		{name: "looking up", method: "Lookup", says: "the journal could not look up a batch"},
		{name: "claiming", method: "Claim", says: "the journal could not claim a batch"},
		{name: "claiming anew after a 429", method: "Claim", token: 2, fault: demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute}, says: "the journal could not claim a batch", failed: 100},
		{name: "recording what was sent", method: "Finish", state: bulk.JournalDone, says: "this report is correct", sent: 100},
		{name: "giving back after a 429", method: "Finish", fault: demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute}, says: "could not record", failed: 100},
		{name: "giving back what was refused", method: "Finish", fault: demeterrrtest.Fault{Status: 400}, says: "could not record", failed: 100},
		{name: "recording a lost reply", method: "Finish", state: bulk.JournalUnknown, fault: demeterrrtest.Fault{Drop: demeterrrtest.DropAfter}, says: "could not record"},
	} {
		for how, wrong := range misbehavior {
			if wrong.fail == nil {
				other := errors.Join(errDiskFull, lostElsewhere(t), demeterrr.ErrValidation, bulk.ErrInFlight)
				wrong.fail = func(context.Context) error { return other }
			}
			for _, when := range []string{"before", "after"} {
				t.Run(f.name+"/"+how+"/"+when, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { f.stopsTheRun(t, wrong, when) })
				})
			}
		}
	}
}

// stopsTheRun lets the step fail, then checks the report, the journal and the
// fake.
func (f failingStep) stopsTheRun(t *testing.T, wrong misbehaving, when string) {
	t.Helper()
	srv, id := survey(t)
	if f.fault.Status+int(f.fault.Drop) > 0 {
		srv.Inject(f.fault)
	}
	j := newScriptedJournal()
	hook := func(ctx context.Context, s step) error {
		if s.Method == f.method && s.State == f.state && (f.token == 0 || f.token == s.Token) {
			return wrong.fail(ctx)
		}
		return nil
	}
	if when == "before" {
		j.before = hook
	} else {
		j.after = hook
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	places, start := &places{}, time.Now()
	report, err := bulk.Execute(ctx, srv.Client(demeterrr.WithLimiter(places)), id, bulk.Slice(recipients(0, 1000)), &bulk.ExecuteOptions{Journal: j})
	executeAdds(t, report)
	if err == nil || !strings.Contains(err.Error(), f.says) || !strings.Contains(err.Error(), wrong.says) || strings.Contains(err.Error(), "@") {
		t.Errorf("got %v, want it to say %q and %q", err, f.says, wrong.says)
	}
	if err != nil && strings.Count(err.Error(), context.DeadlineExceeded.Error()) > 1 {
		t.Errorf("%v says the same twice", err)
	}
	if wrong.is != nil && !errors.Is(err, wrong.is) {
		t.Errorf("%v does not match %v", err, wrong.is)
	}
	if report.Sent != f.sent || len(report.Failed) != f.failed || places.taken != 0 {
		t.Error(totals(report), places.taken)
	}
	for _, failure := range report.Failed {
		wantIsNot(t, failure.Err, demeterrr.ErrUnknownOutcome, bulk.ErrInFlight, context.Canceled)
		if f.fault.Status == 429 {
			wantIsNot(t, failure.Err, demeterrr.ErrValidation)
		}
	}
	for _, email := range messaged(srv) {
		if stateOf(t, j.memoryJournal, id, email).State == bulk.JournalNew {
			t.Fatalf("%s was messaged, and the journal does not know it", email)
		}
	}
	if f.method != "Finish" && len(j.count()) > 0 {
		t.Errorf("the journal has %v, and nothing was sent", j.count())
	}
	if f.method == "Finish" && time.Since(start) > 2*time.Minute {
		t.Errorf("it took %v", time.Since(start))
	}
}

// A journal that returns the error of the canceled context says it once.
func TestACanceledJournalSaysSoOnce(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Lookup", "Claim"} {
		srv, id := survey(t)
		ctx, cancel := context.WithCancel(t.Context())
		j := newScriptedJournal()
		j.before = func(ctx context.Context, s step) error {
			if s.Method == method {
				cancel()
			}
			return ctx.Err()
		}
		_, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
		if !errors.Is(err, context.Canceled) || strings.Count(err.Error(), context.Canceled.Error()) != 1 || len(srv.Requests()) > 0 {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// A failed claim may be recorded, so it is given back by its token.
func TestAFailedClaimIsGivenBack(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newScriptedJournal()
	j.after = func(_ context.Context, s step) error {
		if s.Method == "Claim" {
			return errDiskFull
		}
		return nil
	}
	_, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	wantIs(t, err, errDiskFull)
	same(t, "steps", j.script()[1:], []step{{Method: "Claim", Token: 1, Emails: 2}, {Method: "Finish", Token: 1, Emails: 2}})
	same(t, "journal", j.count(), map[bulk.JournalState]int{})
}

func TestAJournalIsAskedAgainAfterAConnectionError(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		again bool
	}{
		"refused":          {&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, true},
		"reset, wrapped":   {fmt.Errorf("my store: %w", &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset")}), true},
		"a driver's":       {driver.ErrBadConn, true},
		"closed":           {io.EOF, true},
		"cut short":        {fmt.Errorf("my store: %w", io.ErrUnexpectedEOF), true},
		"a time limit":     {context.DeadlineExceeded, true}, // of the journal's own
		"a file":           {&fs.PathError{Op: "write", Path: "journal", Err: os.ErrDeadlineExceeded}, false},
		"any other":        {errDiskFull, false},
		"a canceled query": {context.Canceled, false},
	} {
		for _, method := range []string{"Lookup", "Claim", "Finish"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv, id := survey(t)
					j, failures := newScriptedJournal(), 0
					j.after = func(_ context.Context, s step) error {
						if s.Method == method && failures < 3 {
							failures++
							return tt.err
						}
						return nil
					}
					report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
					if tt.again != (err == nil) || tt.again && (report.Sent != 2 || failures != 3) || len(j.tokens) > 1 {
						t.Error(err, totals(report), failures, j.tokens)
					}
				})
			})
		}
	}
}

// Each step is retried for 30 seconds, or until an earlier deadline.
func TestAJournalIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Lookup", "Claim", "Finish"} {
		for _, deadline := range []time.Duration{time.Hour, 10 * time.Second} {
			want := min(deadline, 30*time.Second)
			if method == "Finish" {
				want = 30 * time.Second
			}
			t.Run(fmt.Sprint(method, deadline), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv, id := survey(t)
					j := newScriptedJournal()
					j.before = func(_ context.Context, s step) error {
						if s.Method == method {
							return io.EOF
						}
						return nil
					}
					ctx, cancel := context.WithTimeout(t.Context(), deadline)
					defer cancel()
					start := time.Now()
					_, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
					took := time.Since(start)
					if !errors.Is(err, io.EOF) || took > want || took < want-5*time.Second {
						t.Error(err, took)
					}
				})
			})
		}
	}
}

// The context of Finish ends 30 seconds after the call, independently of the
// caller's.
func TestAnOutcomeIsRecordedAfterTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, id := survey(t, demeterrrtest.WithLatency(10*time.Second, 10*time.Second))
		j := newScriptedJournal()
		j.before = func(ctx context.Context, s step) error {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); s.Method == "Finish" && (!ok || left != 30*time.Second || ctx.Err() != nil) {
				t.Error(left, ok, ctx.Err())
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		report, err := bulk.Execute(ctx, srv.Client(), id, bulk.Slice(recipients(0, 200)), &bulk.ExecuteOptions{Journal: j})
		if !errors.Is(err, context.DeadlineExceeded) || report.Sent != 100 || len(report.NotTried) == 0 {
			t.Error(err, totals(report))
		}
		same(t, "journal", j.count(), map[bulk.JournalState]int{bulk.JournalDone: 100})
	})
}

// madeUp returns an invalid entry.
type madeUp struct {
	*memoryJournal
	method string
	entry  bulk.JournalEntry
}

func (m madeUp) Lookup(ctx context.Context, id string, emails []string) ([]bulk.JournalEntry, error) {
	if m.method == "Lookup" {
		return []bulk.JournalEntry{m.entry}, nil
	}
	return m.memoryJournal.Lookup(ctx, id, emails)
}

func (m madeUp) Claim(ctx context.Context, id, token string, emails []string) ([]bulk.JournalEntry, error) {
	taken, err := m.memoryJournal.Claim(ctx, id, token, emails)
	if m.method == "Claim" {
		taken = append(taken, m.entry)
	}
	return taken, err
}

func TestAnEntryThatMakesNoSenseStopsTheRun(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]bulk.JournalEntry{
		"an email that was not asked": {Email: "stranger@example.com", State: bulk.JournalDone},
		"the state new":               {Email: keys(0, 1)[0]},
	} {
		for _, method := range []string{"Lookup", "Claim"} {
			srv, id := survey(t)
			j := madeUp{newMemoryJournal(), method, entry}
			report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
			if err == nil || !strings.Contains(err.Error(), "it returned an entry") || len(report.NotTried) != 2 || len(srv.Requests()) > 0 || len(j.count()) > 0 {
				t.Errorf("%s of %s: %v, %s", name, method, err, totals(report))
			}
		}
	}
}

// A later version may have more states.
func TestAStateThatIsNotKnownIsInDoubt(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newMemoryJournal()
	j.entries[keys(0, 1)[0]] = bulk.JournalEntry{Email: keys(0, 1)[0], State: "paused", Live: true}
	report, err := bulk.Execute(t.Context(), srv.Client(), id, bulk.Slice(recipients(0, 2)), &bulk.ExecuteOptions{Journal: j})
	if err != nil || report.Sent != 1 || len(report.Unknown) != 1 {
		t.Error(err, totals(report))
	}
}
