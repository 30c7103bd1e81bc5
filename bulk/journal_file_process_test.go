package bulk_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

const killedChild = "DEMETERRR_TEST_KILLED_CHILD"

// killedJob is what a child works on, with a journal and a state of its own.
type killedJob struct{ BaseURL, Journal, State string }

// TestJobOfAChild runs in the child: it sends until it is killed.
func TestJobOfAChild(t *testing.T) {
	t.Parallel()
	text := os.Getenv(killedChild)
	if text == "" {
		t.Skip("runs in a process of its own")
	}
	var job killedJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	openState(t, job.State)
	journal := openJournal(t, job.Journal, "s1")
	client := must(demeterrr.New(testKey, demeterrr.WithBaseURL(job.BaseURL)))
	report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 300)), &bulk.ExecuteOptions{Journal: journal})
	t.Fatal("the job ended: ", totals(report), err)
}

// A process is killed while a batch is in flight. Its files are its own until then.
// Those of the batch are in doubt, and the next process sends to the others.
func TestAKilledProcessLeavesItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inFlight := make(chan struct{})
	var sentTo []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		params := readExecution(t, r)
		if len(sentTo) == 100 {
			close(inFlight)
			<-r.Context().Done() // the process dies
		} else {
			answer(200, queued(params))(w, r)
		}
		for _, c := range params.Contacts {
			sentTo = append(sentTo, c.Email)
		}
	}))
	t.Cleanup(srv.Close)
	job := killedJob{srv.URL, filepath.Join(dir, "journal"), filepath.Join(dir, "state")}
	ctx, kill := context.WithCancel(t.Context())
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestJobOfAChild$")
	child.Env = append(os.Environ(), killedChild+"="+string(must(json.Marshal(job))))
	var output strings.Builder
	child.Stdout, child.Stderr = &output, &output
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-inFlight:
	case err := <-ended:
		t.Fatalf("%v\n%s", err, &output)
	}
	_, errJournal := bulk.OpenJournal(job.Journal, "s1")
	_, errState := bulk.OpenSyncState(job.State)
	for _, err := range []error{errJournal, errState} {
		if err == nil || !strings.Contains(err.Error(), "it is open already, in this process or in another run") {
			t.Errorf("opened beside the child: %v", err)
		}
	}
	kill()
	if err := <-ended; err == nil {
		t.Fatal("the child ended before it was killed")
	}

	openState(t, job.State)
	journal := openJournal(t, job.Journal, "s1")
	if diff := cmp.Diff(keys(100, 200), doubted(journal)); diff != "" {
		t.Errorf("in doubt (-want +got):\n%s", diff)
	}
	client := serving(t, func(w http.ResponseWriter, r *http.Request) { answer(200, queued(readExecution(t, r)))(w, r) })
	report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 300)), &bulk.ExecuteOptions{Journal: journal})
	if err != nil || report.AlreadySent != 100 || len(report.Unknown) != 100 || report.Sent != 100 {
		t.Error(err, totals(report))
	}
}
