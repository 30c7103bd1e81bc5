package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/servers"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// asProgram makes the test program be the worker, on the database of that URL.
const asProgram = "WORKER_TEST_DATABASE"

func TestMain(m *testing.M) {
	if url := os.Getenv(asProgram); url != "" {
		os.Args = []string{"worker", "-database", url, "-sequence", surveyID}
		main()
		return
	}
	os.Exit(m.Run())
}

const surveyID = "880e8400-e29b-41d4-a716-446655440000"

// lab is a shop: its database, its queue, and the demeterrr that it talks to.
type lab struct {
	*testing.T
	url   string
	pool  *pgxpool.Pool
	store *sqlstore.Store
	srv   *demeterrrtest.Server
	queue *river.Client[pgx.Tx]
	ended <-chan *river.Event
}

// TestWorker runs each test in a database of its own.
func TestWorker(t *testing.T) {
	t.Parallel()
	postgres := servers.Postgres(t)
	tests := map[string]func(l *lab){
		"a committed order is surveyed once, a rolled back one never": testCommitted,
		"a rate limit snoozes for its RetryAfter":                     testRateLimited,
		"a lost reply is canceled, listed and never sent again":       testLostReply,
		"a killed worker's job is rescued and not sent twice":         testKilled,
		"SIGTERM lets a request in flight finish":                     testSIGTERM,
		"the demonstration": testDemonstration,
	}
	for name := range otherFailures {
		tests[name] = testFailure(name)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newLab(t, postgres.Database(t)))
		})
	}
}

func newLab(t *testing.T, url string) *lab {
	t.Helper()
	l := &lab{T: t, url: url, srv: demeterrrtest.NewServer()}
	t.Cleanup(l.srv.Close)
	l.srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	var err error
	if l.pool, err = pgxpool.New(t.Context(), l.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.pool.Close)
	if l.store, err = migrate(t.Context(), l.pool); err != nil {
		t.Fatal(err)
	}
	l.exec(ordersTable)
	l.newQueue()
	return l
}

// newQueue makes the queue of another process, with a client of its own.
func (l *lab) newQueue() {
	l.Helper()
	client := l.srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 0}))
	queue, err := newQueue(l.pool, &surveyor{client: client, store: l.store, sequenceID: surveyID})
	if err != nil {
		l.Fatal(err)
	}
	l.queue = queue
}

// start works the jobs until the returned function is called, or the test ends.
func (l *lab) start() (stop func()) {
	l.Helper()
	events, unsubscribe := l.queue.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed, river.EventKindJobSnoozed)
	if err := l.queue.Start(context.WithoutCancel(l.Context())); err != nil {
		l.Fatal(err)
	}
	l.ended = events
	queue := l.queue
	stop = func() {
		if err := queue.Stop(context.Background()); err != nil {
			l.Error(err)
		}
		unsubscribe()
	}
	l.Cleanup(stop)
	return stop
}

// next waits for the next job that is worked, and holds it to the state.
func (l *lab) next(want rivertype.JobState) *rivertype.JobRow {
	l.Helper()
	select {
	case event := <-l.ended:
		if event == nil || event.Job.State != want {
			l.Fatalf("got the event %+v, want the state %s", event, want)
		}
		return event.Job
	case <-time.After(time.Minute):
		l.Fatal("no job was worked for a minute")
		return nil
	}
}

// place commits an order, or rolls it back.
func (l *lab) place(id, email string, fails error) {
	l.Helper()
	err := pgx.BeginFunc(l.Context(), l.pool, func(tx pgx.Tx) error {
		return errors.Join(place(l.Context(), tx, l.queue, survey{OrderID: id, Email: email, FirstName: "Alice"}), fails)
	})
	if !errors.Is(err, fails) || fails == nil && err != nil {
		l.Fatal(err)
	}
}

// again makes a job be worked at once, as a person can with River's UI.
func (l *lab) again(job *rivertype.JobRow) {
	l.Helper()
	if _, err := l.queue.JobRetry(l.Context(), job.ID); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) exec(sql string) {
	l.Helper()
	if _, err := l.pool.Exec(l.Context(), sql); err != nil {
		l.Fatal(err)
	}
}

// wantSent holds the sendings to the emails, in their order.
func (l *lab) wantSent(emails ...string) {
	l.Helper()
	sent := []string{}
	for _, s := range l.srv.Sendings() {
		sent = append(sent, s.Email)
	}
	if diff := cmp.Diff(append([]string{}, emails...), sent); diff != "" {
		l.Errorf("sent (-want +got):\n%s", diff)
	}
}

// wantInDoubt holds -in-doubt to the campaigns and emails.
func (l *lab) wantInDoubt(want ...string) {
	l.Helper()
	var out bytes.Buffer
	if err := run(l.Context(), []string{"-in-doubt", "-database", l.url}, &out); err != nil {
		l.Error(err)
	}
	listed := []string{}
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line) // in doubt: order-1 alice@example.com 2026-11-01 12:00:00
		listed = append(listed, fields[2]+" "+fields[3])
	}
	if diff := cmp.Diff(append([]string{}, want...), listed); diff != "" {
		l.Errorf("in doubt (-want +got):\n%s", diff)
	}
}

func testCommitted(l *lab) {
	l.place("1", "alice@example.com", nil)
	l.place("2", "bob@example.com", errors.New("the payment was declined"))
	var jobs, orders int
	if err := l.pool.QueryRow(l.Context(), "SELECT (SELECT count(*) FROM river_job), (SELECT count(*) FROM worker_orders)").Scan(&jobs, &orders); err != nil {
		l.Fatal(err)
	}
	if jobs != 1 || orders != 1 {
		l.Errorf("%d jobs and %d orders, want one of each", jobs, orders)
	}
	l.start()
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com")

	// The job is delivered again, and a new order of the same person gets its survey.
	if _, err := l.queue.Insert(l.Context(), survey{OrderID: "1", Email: "Alice@example.com", FirstName: "Alice"}, nil); err != nil {
		l.Fatal(err)
	}
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com")
	l.place("3", "alice@example.com", nil)
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com", "alice@example.com")
	l.wantInDoubt()
}

func testRateLimited(l *lab) {
	l.srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Hour})
	l.place("1", "alice@example.com", nil)
	stop := l.start()

	wantSnoozed := func() *rivertype.JobRow {
		l.Helper()
		job := l.next(rivertype.JobStateScheduled)
		if wait := time.Until(job.ScheduledAt); wait < 59*time.Minute || wait > time.Hour || job.Attempt != 0 {
			l.Errorf("snoozed for %v, with %d attempts used; want an hour and none", wait, job.Attempt)
		}
		return job
	}
	first := wantSnoozed()
	l.place("2", "bob@example.com", nil) // the client knows of the pause
	second := wantSnoozed()
	if n := len(l.srv.Requests()); n != 1 {
		l.Errorf("%d requests, want 1", n)
	}
	l.wantSent()
	l.wantInDoubt()
	stop()

	l.newQueue() // an hour later
	l.start()
	l.again(first)
	l.next(rivertype.JobStateCompleted)
	l.again(second)
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com", "bob@example.com")
}

func testLostReply(l *lab) {
	l.srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
	l.place("1", "alice@example.com", nil)
	l.start()
	job := l.next(rivertype.JobStateCancelled)
	l.wantSent("alice@example.com")
	l.wantInDoubt("order-1 alice@example.com")

	l.again(job)
	l.next(rivertype.JobStateCancelled)
	l.wantSent("alice@example.com")
	if n := len(l.srv.Requests()); n != 1 {
		l.Errorf("%d requests, want 1", n)
	}

	// A person has looked, and takes the risk.
	if err := l.store.Campaign("order-1").Forget(l.Context(), "alice@example.com"); err != nil {
		l.Fatal(err)
	}
	l.again(job)
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com", "alice@example.com")
	l.wantInDoubt()
}

// otherFailures are faults of the first request.
var otherFailures = map[string]struct {
	fault demeterrrtest.Fault
	want  rivertype.JobState
	sent  []string // in the end
}{
	"no connection":     {demeterrrtest.Fault{Drop: demeterrrtest.NoConnection}, rivertype.JobStateAvailable, []string{"alice@example.com"}},
	"expired key":       {demeterrrtest.Fault{Code: demeterrr.CodeExpiredAPIKey}, rivertype.JobStateAvailable, []string{"alice@example.com"}},
	"inactive sequence": {demeterrrtest.Fault{Code: demeterrr.CodeSequenceInactive, Times: demeterrrtest.Always}, rivertype.JobStateCancelled, nil},
	"refused contact":   {demeterrrtest.Fault{Code: demeterrr.CodeValidation, Times: demeterrrtest.Always}, rivertype.JobStateCancelled, nil},
}

func testFailure(name string) func(l *lab) {
	return func(l *lab) {
		tt := otherFailures[name]
		l.srv.Inject(tt.fault)
		l.place("1", "alice@example.com", nil)
		l.start()
		job := l.next(tt.want)
		if len(job.Errors) != 1 || strings.Contains(job.Errors[0].Error, "alice@example.com") {
			l.Errorf("got the errors %v, want one without the email", job.Errors)
		}
		l.wantInDoubt()
		if tt.sent != nil { // River retries after a second
			l.next(rivertype.JobStateCompleted)
		} else {
			l.again(job)
			l.next(rivertype.JobStateCancelled)
		}
		l.wantSent(tt.sent...)
	}
}

// The first worker is killed while it waits for the reply, another one before it
// has claimed anything.
func testKilled(l *lab) {
	l.srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Delay: time.Minute})
	l.place("1", "alice@example.com", nil)

	worker := l.startProgram()
	if err := worker.Process.Kill(); err != nil {
		l.Fatal(err)
	}
	_ = worker.Wait()
	l.place("2", "bob@example.com", nil)
	l.exec("UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '{killed}', attempted_at = now() WHERE args->>'orderId' = '2'")
	l.wantRunning(2)

	// An hour passes for River, which has no leader any more.
	l.exec("UPDATE river_job SET attempted_at = attempted_at - interval '1 hour'")
	l.exec("DELETE FROM river_leader")
	l.start()
	rescued := map[string]*rivertype.JobRow{}
	for range 2 {
		select {
		case event := <-l.ended:
			rescued[string(event.Job.State)] = event.Job
		case <-time.After(time.Minute):
			l.Fatal("the jobs were not rescued")
		}
	}
	inFlight := rescued["scheduled"]
	if inFlight == nil || rescued["completed"] == nil {
		l.Fatalf("rescued: %v; want one snoozed, as it may be in flight, and one completed", rescued)
	}
	l.wantSent("alice@example.com", "bob@example.com")

	// Minutes pass for the journal: nobody can still be at it.
	l.exec("UPDATE demeterrr_journal SET changed_at = changed_at - interval '10 minutes'")
	l.again(inFlight)
	l.next(rivertype.JobStateCancelled)
	l.wantSent("alice@example.com", "bob@example.com")
	l.wantInDoubt("order-1 alice@example.com")
}

// startProgram starts the worker as a program of its own, and waits until its first
// request has reached the server.
func (l *lab) startProgram() *exec.Cmd {
	l.Helper()
	worker := exec.CommandContext(l.Context(), os.Args[0])
	worker.Env = append(os.Environ(), asProgram+"="+l.url, "DEMETERRR_API_KEY="+l.srv.APIKey(), "DEMETERRR_BASE_URL="+l.srv.URL())
	var log bytes.Buffer
	worker.Stderr = &log
	if err := worker.Start(); err != nil {
		l.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(l.srv.Sendings()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = worker.Process.Kill()
			_ = worker.Wait()
			l.Fatalf("the worker did not send: %s", &log)
		}
	}
	return worker
}

func testSIGTERM(l *lab) {
	l.srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Delay: time.Second})
	l.place("1", "alice@example.com", nil)
	worker := l.startProgram()
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		l.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		l.Error(err)
	}
	var state string
	if err := l.pool.QueryRow(l.Context(), "SELECT state FROM river_job").Scan(&state); err != nil || state != "completed" {
		l.Errorf("the job is %q, %v; want completed", state, err)
	}
	l.wantInDoubt()
}

// wantRunning holds the number of jobs that River takes for running.
func (l *lab) wantRunning(want int) {
	l.Helper()
	var running int
	if err := l.pool.QueryRow(l.Context(), "SELECT count(*) FROM river_job WHERE state = 'running'").Scan(&running); err != nil {
		l.Fatal(err)
	}
	if running != want {
		l.Fatalf("%d jobs are running, want %d", running, want)
	}
}

func testDemonstration(l *lab) {
	args := []string{"-fake", "-database", l.url}
	for range 2 { // also in a database that has the tables
		var out bytes.Buffer
		if err := run(l.Context(), args, &out); err != nil {
			l.Fatal(err)
		}
		for _, want := range []string{"rolled back: the payment was declined", "cancelled", "surveys sent: 4 to 4 people", "in doubt: order-"} {
			if !strings.Contains(out.String(), want) {
				l.Errorf("no %q in:\n%s", want, &out)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-database", ""}, "-database"},
		{[]string{"-database", "postgres://"}, "-sequence"},
		{[]string{"-database", "mysql://localhost/shop", "-fake"}, "-database"},
		{[]string{"surplus"}, "surplus"},
	} {
		err := run(t.Context(), tt.args, &bytes.Buffer{})
		if err == nil || errors.Is(err, flag.ErrHelp) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want an error that names %s", tt.args, err, tt.want)
		}
	}
}
