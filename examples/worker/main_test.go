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

// asProgram makes the test program the worker, on the database of that URL.
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

// lab is a shop: its database, its queue, and its demeterrr.
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
		"a used-up Pacer snoozes":                                     testPacer,
		"a job that waits goes back when the worker stops":            testStop,
		"a lost reply is canceled, listed and never sent again":       testLostReply,
		"a killed worker's job is rescued and not sent twice":         testKilled,
		"SIGTERM lets a request in flight finish":                     testSIGTERM,
		"the demonstration":                                           testDemonstration,
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

// newQueue makes the queue of another process, with its own client.
func (l *lab) newQueue(opts ...demeterrr.Option) {
	l.Helper()
	client := l.srv.Client(append(options(), opts...)...)
	queue, err := newQueue(l.pool, &surveyor{client: client, store: l.store, sequenceID: surveyID})
	if err != nil {
		l.Fatal(err)
	}
	l.queue = queue
}

// start works the jobs until a call of stop, or until the test ends.
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

// next waits for the next worked job and checks its state.
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

// again makes the queue work a job at once, as River's UI can.
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

// wantSent compares the sendings with the emails, in order.
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

// wantInDoubt compares the output of -in-doubt with the campaigns and emails.
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
	if jobs, orders := l.count("river_job"), l.count("worker_orders"); jobs != 1 || orders != 1 {
		l.Errorf("%d jobs and %d orders, want one of each", jobs, orders)
	}
	l.start()
	l.next(rivertype.JobStateCompleted)
	l.wantSent("alice@example.com")

	// The job is delivered again, and a new order of the same person gets its
	// survey.
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
	first := l.nextSnoozed(time.Hour)
	l.place("2", "bob@example.com", nil) // the client knows of the pause
	second := l.nextSnoozed(time.Hour)
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

// nextSnoozed waits for a job that comes back after about this time.
func (l *lab) nextSnoozed(want time.Duration) *rivertype.JobRow {
	l.Helper()
	job := l.next(rivertype.JobStateScheduled)
	if wait := time.Until(job.ScheduledAt); wait < want-time.Minute || wait > want || job.Attempt != 0 {
		l.Errorf("snoozed for %v, with %d attempts used; want %v and none", wait, job.Attempt, want)
	}
	return job
}

// A turn after JobTimeout is too late: the job goes back at once.
func testPacer(l *lab) {
	l.newQueue(demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Hour})))
	l.place("1", "alice@example.com", nil)
	l.start()
	l.next(rivertype.JobStateCompleted)
	l.place("2", "bob@example.com", nil)
	l.nextSnoozed(time.Hour)
	l.wantSent("alice@example.com")
	l.wantInDoubt()
}

// A waiting job goes back at once when the worker stops.
func testStop(l *lab) {
	l.newQueue(demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: 50 * time.Second})))
	l.place("1", "alice@example.com", nil)
	stop := l.start()
	l.next(rivertype.JobStateCompleted)
	l.place("2", "bob@example.com", nil)
	for l.count("river_job WHERE state = 'running'") == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if job := l.next(rivertype.JobStateAvailable); job.Attempt != 0 || len(job.Errors) > 0 {
		l.Errorf("%d attempts used with errors %v, want none", job.Attempt, job.Errors)
	}
	l.wantSent("alice@example.com")
	l.wantInDoubt()

	l.newQueue()
	l.start()
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

	// The operator has looked, and takes the risk.
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

// The first worker is killed while it waits for the reply, another one before
// its first claim.
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
	if n := l.count("river_job WHERE state = 'running'"); n != 2 {
		l.Fatalf("%d jobs are running, want 2", n)
	}

	// An hour passes for River, which has lost its leader.
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

	// Minutes pass for the journal: the claim is over.
	l.exec("UPDATE demeterrr_journal SET changed_at = changed_at - interval '10 minutes'")
	l.again(inFlight)
	l.next(rivertype.JobStateCancelled)
	l.wantSent("alice@example.com", "bob@example.com")
	l.wantInDoubt("order-1 alice@example.com")
}

// startProgram starts the worker as its own program, and waits until its first
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
	if l.count("river_job WHERE state = 'completed'") != 1 {
		l.Error("the job is not completed")
	}
	l.wantInDoubt()
}

// count counts rows.
func (l *lab) count(rows string) (n int) {
	l.Helper()
	if err := l.pool.QueryRow(l.Context(), "SELECT count(*) FROM "+rows).Scan(&n); err != nil {
		l.Fatal(err)
	}
	return n
}

func testDemonstration(l *lab) {
	args := []string{"-fake", "-database", l.url}
	for range 2 { // also in a database with tables
		ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
		defer cancel()
		var out bytes.Buffer
		if err := run(ctx, args, &out); err != nil {
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
