package sqlstore_test

import (
	"bufio"
	"context"
	crand "crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// workerEnv makes the test binary a process of a fleet instead of running its
// tests.
const workerEnv = "SQLSTORE_TEST_WORKER"

// job is the task of a process. It claims all emails until each is recorded,
// and prints its own, like a sending. Or it runs a Sync.
type job struct {
	Dialect     sqlstore.Dialect
	Driver, DSN string
	Emails      int
	Sync        *killedSync // in place of claims
}

const workerBatch = 20

func (j job) emails() []string {
	emails := make([]string, j.Emails)
	for i := range emails {
		emails[i] = fmt.Sprintf("customer%d@example.com", i)
	}
	return emails
}

// work is the main function of a process.
func work(settings string) {
	_ = mysql.SetLogger(&mysql.NopLogger{}) // it prints each cut connection
	var j job
	err := json.Unmarshal([]byte(settings), &j)
	var db *sql.DB
	if err == nil {
		db, err = sql.Open(j.Driver, j.DSN)
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	defer db.Close()
	var store *sqlstore.Store
	if j.Sync != nil {
		if store, err = sqlstore.Open(ctx, db, j.Dialect, sqlstore.WithInFlight(j.Sync.Lease)); err == nil {
			err = j.Sync.run(store)
		}
		fmt.Println("end", err)
		return
	}
	for range 100 { // a cut connection fails Open
		if store, err = sqlstore.Open(ctx, db, j.Dialect); err == nil {
			break
		}
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for more := true; more; {
				more = false
				for batch := range slices.Chunk(j.emails(), workerBatch) {
					more = sendBatch(store.Campaign("fleet"), batch) || more
				}
			}
		})
	}
	group.Wait()
	fmt.Println("end")
}

// sendBatch claims a batch and reports whether it got any of it.
func sendBatch(c *sqlstore.Campaign, batch []string) bool {
	token := crand.Text()
	entries := func(state bulk.JournalState, emails []string) (all []bulk.JournalEntry) {
		for _, email := range emails {
			all = append(all, bulk.JournalEntry{Email: email, State: state})
		}
		return all
	}
	finish := func(entries []bulk.JournalEntry) {
		if err := c.Finish(ctx, surveyID, token, entries); err != nil {
			fmt.Println("error", err)
		}
	}
	taken, err := c.Claim(ctx, surveyID, token, batch)
	if err != nil {
		fmt.Println("error", err)
		finish(entries(bulk.JournalNew, batch))
		return true
	}
	own := slices.DeleteFunc(slices.Clone(batch), func(email string) bool {
		return slices.ContainsFunc(taken, func(e bulk.JournalEntry) bool { return e.Email == email })
	})
	switch chance := rand.N(10); {
	case len(own) == 0:
		return false
	case chance < 2: // as after a 429
		finish(entries(bulk.JournalNew, own))
	default:
		fmt.Print("sent " + strings.Join(own, "\nsent ") + "\n") // one write
		finish(entries(map[bool]bulk.JournalState{true: bulk.JournalUnknown, false: bulk.JournalDone}[chance == 2], own))
	}
	return true
}

// outcome is the output of the processes of a fleet.
type outcome struct {
	mu     sync.Mutex
	sent   map[string]int
	killed int
	errors []string
}

// run runs a process until it ends, or kills it after the time in kill, unless
// that is 0.
func (o *outcome) run(t *testing.T, j job, kill time.Duration) {
	t.Helper()
	settings, err := json.Marshal(j)
	if err != nil {
		t.Error(err)
		return
	}
	limit := 2 * time.Minute
	if kill > 0 {
		limit = kill
	}
	killed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(killed, os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+string(settings))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	ended := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		o.mu.Lock()
		switch email, sent := strings.CutPrefix(lines.Text(), "sent "); {
		case sent:
			o.sent[email]++
		case lines.Text() == "end":
			ended = true
		default:
			o.errors = append(o.errors, lines.Text())
		}
		o.mu.Unlock()
	}
	err = cmd.Wait()
	if kill == 0 && (err != nil || !ended) {
		t.Errorf("a process ended with %v", err)
	}
	if !ended {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.killed++
	}
}

// TestFourProcesses kills processes of a fleet, and cuts their connections in
// the middle of claims and of a COMMIT. Each email must be sent exactly once.
func TestFourProcesses(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			store := d.store(t)
			j := job{Dialect: d.dialect, Driver: d.driver, DSN: d.dsn, Emails: 200}
			if d.server == nil {
				j.Emails = 2000 // a file is faster
				if testing.Short() {
					j.Emails = 500
				}
			}
			var cuts *proxy
			if d.server != nil {
				cuts = startProxy(t, d.server.addr)
				cuts.cutting.Store(true)
				j.DSN = d.server.dsn(cuts.addr, d.name)
			}
			o := &outcome{sent: map[string]int{}}
			var fleet sync.WaitGroup
			const processes, kills = 4, 3
			for range processes {
				fleet.Go(func() {
					for range kills {
						o.run(t, j, 100*time.Millisecond+rand.N(200*time.Millisecond))
					}
					o.run(t, j, 0)
				})
			}
			fleet.Wait()
			for _, err := range o.errors {
				t.Error(err)
			}
			if cuts != nil {
				t.Logf("cut in a statement %d, before a COMMIT %d, after it %d", cuts.inStatement.Load(), cuts.beforeCommit.Load(), cuts.afterCommit.Load())
				if cuts.inStatement.Load() == 0 || cuts.beforeCommit.Load() == 0 || cuts.afterCommit.Load() == 0 {
					t.Error("too few connections were cut")
				}
			}
			o.check(t, store.Campaign("fleet"), j.emails())
		})
	}
}

// check compares the sent emails with the journal.
func (o *outcome) check(t *testing.T, c *sqlstore.Campaign, emails []string) {
	t.Helper()
	entries := map[string]bulk.JournalEntry{}
	for _, e := range collect(t, c.Entries(t.Context())) {
		entries[e.Email] = e
	}
	doubt := 0
	for _, email := range emails {
		e, known := entries[email]
		switch {
		case o.sent[email] > 1:
			t.Errorf("%s was sent %d times", email, o.sent[email])
		case !known:
			t.Errorf("the journal has lost %s, which was sent %d times", email, o.sent[email])
		case o.sent[email] == 0 && e.State != bulk.JournalBegun:
			t.Errorf("%s was not sent, and is %s", email, e.State)
		case e.State == bulk.JournalBegun:
			doubt++
		}
	}
	t.Logf("%d emails sent, %d in doubt after %d kills", len(o.sent), doubt, o.killed)
	if o.killed == 0 {
		t.Error("no process was killed")
	}
	if limit := o.killed * 2 * workerBatch; doubt > limit {
		t.Errorf("%d emails are in doubt, want at most %d: a batch for each goroutine killed", doubt, limit)
	}
}

// TestTheServerCrashes stops PostgreSQL at once and starts it again, twice,
// while goroutines claim. All claims survive.
func TestTheServerCrashes(t *testing.T) {
	t.Parallel()
	s := wanted(t, startPostgres) // its own
	d := s.database(t)
	c := d.store(t).Campaign("crash")
	var ended atomic.Bool
	var group sync.WaitGroup
	claimed := make([][]string, 4)
	for i := range claimed {
		group.Go(func() {
			for n := 0; !ended.Load(); n++ {
				email := fmt.Sprintf("customer%d-%d@example.com", i, n)
				if taken, err := c.Claim(t.Context(), surveyID, crand.Text(), []string{email}); err != nil || len(taken) > 0 {
					t.Error(taken, err)
				}
				claimed[i] = append(claimed[i], email)
			}
		})
	}
	for range 2 {
		time.Sleep(300 * time.Millisecond)
		s.stop()
		stop, err := s.run()
		if err != nil {
			t.Fatal(err)
		}
		s.stop = stop
	}
	time.Sleep(300 * time.Millisecond)
	ended.Store(true)
	group.Wait()
	n := 0
	for _, emails := range claimed {
		for batch := range slices.Chunk(emails, 100) {
			var want []bulk.JournalEntry
			for _, email := range batch {
				want = append(want, begun(email))
			}
			knows(t, c, batch, want...)
			n += len(batch)
		}
	}
	t.Logf("%d claims around two crashes", n)
	if n < 20 {
		t.Errorf("only %d claims", n)
	}
}
