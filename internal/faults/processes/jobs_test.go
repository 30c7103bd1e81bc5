package processes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// job is the input of a process: the customers From to To, without To.
type job struct {
	Journal, BaseURL, Key, SequenceID string
	From, To                          int
}

// jobReport is the output of a process.
type jobReport struct {
	Sent, AlreadySent, Failed, NotTried int
	InFlight, Unknown                   []string
	Err                                 string
}

// runJob is the main function of a child.
func runJob(text []byte) {
	report, err := execute(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		os.Exit(1)
	}
}

func execute(text []byte) (*jobReport, error) {
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, err
	}
	journal, err := dial(j.Journal)
	if err != nil {
		return nil, err
	}
	defer journal.Close() //nolint:errcheck // the process ends
	client, err := demeterrr.New(j.Key, demeterrr.WithBaseURL(j.BaseURL))
	if err != nil {
		return nil, err
	}
	people := make([]demeterrr.ExecuteContact, 0, j.To-j.From)
	for i := j.From; i < j.To; i++ {
		people = append(people, demeterrr.ExecuteContact{Email: customer(i)})
	}
	r, err := bulk.Execute(context.Background(), client, j.SequenceID, bulk.Slice(people), &bulk.ExecuteOptions{Journal: journal, Concurrency: 4})
	report := &jobReport{
		Sent: r.Sent, AlreadySent: r.AlreadySent, Failed: len(r.Failed), NotTried: len(r.NotTried),
		InFlight: emailsOf(r.InFlight), Unknown: emailsOf(r.Unknown),
	}
	if err != nil {
		report.Err = err.Error()
	}
	return report, nil
}

func customer(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

func emailsOf(failures []bulk.ExecuteFailure) (emails []string) {
	for _, f := range failures {
		emails = append(emails, f.Contact.Email)
	}
	return emails
}

// account is a fake that answers in 2 to 10 ms, with an active sequence.
func account(t *testing.T) (*demeterrrtest.Server, job) {
	t.Helper()
	srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(2*time.Millisecond, 10*time.Millisecond))
	t.Cleanup(srv.Close)
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	return srv, job{
		Journal: serve(t, demeterrrtest.NewJournal()), BaseURL: srv.URL(), Key: srv.APIKey(), SequenceID: sequence.ID,
	}
}

// Two processes with lists of 10,000. Both lists have the same 8,000.
func TestTwoProcessesSplitOverlappingLists(t *testing.T) {
	t.Parallel()
	const people = 12_000
	srv, one := account(t)
	two := one
	one.From, one.To = 0, 10_000
	two.From, two.To = 2_000, people
	first, second := startJob(t, one), startJob(t, two)
	a, b := first.report(t), second.report(t)
	for _, r := range []jobReport{a, b} {
		settled := r.Sent + r.AlreadySent + len(r.InFlight)
		if r.Err != "" || settled != 10_000 || r.Sent == 0 {
			t.Errorf("a process sent to %d of 10000, %d were sent already, %d in flight, %d unknown, %d failed, %d not tried: %s",
				r.Sent, r.AlreadySent, len(r.InFlight), len(r.Unknown), r.Failed, r.NotTried, r.Err)
		}
	}
	if sendings := len(srv.Sendings()); a.Sent+b.Sent != people || sendings != people || len(srv.SentTwice()) > 0 {
		t.Errorf("sent to %d and %d of %d people, %d sendings, %d twice", a.Sent, b.Sent, people, sendings, len(srv.SentTwice()))
	}
	t.Logf("one process sent to %d, the other to %d; in flight at the other: %d and %d", a.Sent, b.Sent, len(a.InFlight), len(b.InFlight))
}

// One of two processes is killed while it sends. The other goes on, and a third
// one finds everybody sent to, or in doubt.
func TestAKilledProcessLosesNobody(t *testing.T) {
	t.Parallel()
	const people = 5_000
	srv, one := account(t)
	one.To = people
	// From the tenth batch the API waits for the kill, so that no process ends
	// before it.
	var batches atomic.Int64
	reached, gone := make(chan struct{}), make(chan struct{})
	waiting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := batches.Add(1); {
		case n == 10:
			close(reached)
			<-gone
		case n > 10:
			<-gone
		}
		srv.Handler().ServeHTTP(w, r)
	}))
	defer waiting.Close()
	one.BaseURL = waiting.URL + "/api/v1"
	killed, other := startJob(t, one), startJob(t, one)
	select {
	case <-reached:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%d batches after 2 minutes", batches.Load())
	}
	_ = killed.Process.Kill()
	_ = killed.Wait()
	close(gone)
	if killed.ProcessState.Success() {
		t.Fatal("the process ended before it was killed")
	}
	other.report(t)
	last := startJob(t, one).report(t)
	if last.Err != "" || last.Sent+last.AlreadySent+len(last.Unknown) != people {
		t.Errorf("the third process sent to %d of %d, %d were sent already, %d in flight, %d unknown: %s", last.Sent, people, last.AlreadySent, len(last.InFlight), len(last.Unknown), last.Err)
	}
	settled := map[string]bool{}
	for _, email := range last.Unknown {
		settled[strings.ToLower(email)] = true
	}
	for _, s := range srv.Sendings() {
		settled[strings.ToLower(s.Email)] = true
	}
	if twice := srv.SentTwice(); len(settled) != people || len(twice) > 0 || len(last.Unknown) > 4*100 {
		t.Errorf("%d of %d people are sent to or in doubt, %d twice; %d unknown, want at most 400", len(settled), people, len(twice), len(last.Unknown))
	}
	t.Logf("%d unknown after the kill", len(last.Unknown))
}
