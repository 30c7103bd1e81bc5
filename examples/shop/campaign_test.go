package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/servers"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// asSender makes the test binary a process of a campaign. Its value is a
// sending.
const asSender = "SHOP_AS_SENDER"

const (
	senders       = 3
	campaign      = "survey-2026-11"
	senderTimeout = 2 * time.Second // for one request
	batch         = 100
)

// sending is the task of a process: it sends to all customers. Each process has
// its own location, so that the test can tell their sendings apart.
type sending struct {
	Database, SequenceID, LocationID string
	Customers                        int
	InFlight                         time.Duration
}

// sendingReport is the output of such a process.
type sendingReport struct {
	Sent, AlreadySent, InFlight, Unknown, Failed, NotTried int
	Err                                                    string
}

// runSender is the main function of such a process.
func runSender(text string) {
	report, err := send(text)
	if err != nil {
		report.Err = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(report)
}

func send(text string) (report sendingReport, err error) {
	var s sending
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return report, err
	}
	inFlight = s.InFlight
	ctx := context.Background()
	db, store, err := openStore(ctx, s.Database)
	if err != nil {
		return report, err
	}
	defer db.Close()
	client, err := demeterrr.NewFromEnv(demeterrr.WithTimeout(senderTimeout))
	if err != nil {
		return report, err
	}
	people := make([]demeterrr.ExecuteContact, s.Customers)
	for i := range people {
		people[i].Email = customer(i)
	}
	r, err := bulk.Execute(ctx, client, s.SequenceID, bulk.Slice(people), &bulk.ExecuteOptions{
		Journal: store.Campaign(campaign), LocationID: s.LocationID,
	})
	return sendingReport{
		Sent: r.Sent, AlreadySent: r.AlreadySent, InFlight: len(r.InFlight),
		Unknown: len(r.Unknown), Failed: len(r.Failed), NotTried: len(r.NotTried),
	}, err
}

// senderProcess is a process of a campaign. The test starts it again when it
// ends.
type senderProcess struct {
	sending
	env []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	killed map[string]bool // process ids
}

// run runs the process once.
func (p *senderProcess) run(t *testing.T) (report sendingReport, finished bool) {
	t.Helper()
	text, err := json.Marshal(p.sending)
	if err != nil {
		t.Error(err)
		return report, false
	}
	var stdout, stderr lockedBuffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), asSender+"="+string(text)), p.env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p.mu.Lock()
	p.cmd = cmd
	err = startChild(cmd)
	p.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.killed[strconv.Itoa(cmd.Process.Pid)]:
		return report, false
	case err == nil:
		err = json.Unmarshal([]byte(stdout.String()), &report)
	}
	if err != nil || report.Err != "" {
		t.Errorf("a process ended with %v: %s\n%s", err, report.Err, &stderr)
	}
	return report, err == nil
}

// kill kills the process if it still runs.
func (p *senderProcess) kill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.ProcessState != nil || p.cmd.Process.Kill() != nil {
		return false
	}
	p.killed[strconv.Itoa(p.cmd.Process.Pid)] = true
	return true
}

// campaignSize is the size of TestCampaign.
type campaignSize struct{ customers, kills int }

// TestCampaign kills the processes of a campaign, one after the other, and then
// lets them finish.
func TestCampaign(t *testing.T) { //nolint:paralleltest // its times are real
	size := campaignSize{customers: 3000, kills: 6}
	if *full {
		size = campaignSize{customers: 20_000, kills: 50}
	}
	start := time.Now()
	srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(200*time.Millisecond, 200*time.Millisecond))
	t.Cleanup(srv.Close)
	all := newSenders(t, srv, size)
	killSenders(t, srv, all, size)

	// Claims of killed processes stay live until their requests must be over.
	time.Sleep(all[0].InFlight)
	last, _ := all[0].run(t)
	inDoubt := doubtful(t, all)
	sent, twice, lost := map[string]int{}, len(srv.SentTwice()), 0
	reached := map[string]bool{}
	for _, s := range srv.Sendings() {
		sent[s.LocationID]++
		reached[s.Email] = true
	}
	doubtfulAndSent := 0
	for i := range size.customers {
		switch email := customer(i); {
		case !reached[email] && !inDoubt[email]:
			lost++
		case reached[email] && inDoubt[email]:
			doubtfulAndSent++
		}
	}
	if twice > 0 || lost > 0 {
		t.Errorf("%d customers were sent to twice, %d are lost", twice, lost)
	}
	if last.AlreadySent+last.Unknown != size.customers || last.Unknown != len(inDoubt) {
		t.Errorf("the last process found %+v; InDoubt lists %d", last, len(inDoubt))
	}
	least := 1 // a short campaign can be over before a killed process is back
	if *full {
		least = size.customers / 5
	}
	var shares []string
	for i := range all {
		n := sent[all[i].LocationID]
		shares = append(shares, strconv.Itoa(n))
		if n < least {
			t.Errorf("process %d sent to %d of %d", i, n, size.customers)
		}
	}
	text := fmt.Sprintf("%d customers, %d processes, a latency of 200 ms, %d kills with SIGKILL. **Sent twice: %d. Lost: %d.** "+
		"In doubt and listed by `InDoubt`: %d, and %d of them have the survey. Each killed process left at most one batch of %d. The processes sent to %s. It took %v.\n",
		size.customers, senders, size.kills, twice, lost, len(inDoubt), doubtfulAndSent, batch, strings.Join(shares, ", "), time.Since(start).Round(time.Second))
	t.Log(text)
	writeSection(t, "campaign", "TestCampaign", text)
}

func newSenders(t *testing.T, srv *demeterrrtest.Server, size campaignSize) []*senderProcess {
	t.Helper()
	db := servers.Postgres(t)
	sequenceID := srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
	var all []*senderProcess
	for i := range senders {
		all = append(all, &senderProcess{
			sending: sending{
				Database: db.URL, SequenceID: sequenceID, LocationID: fmt.Sprintf("660e8400-e29b-41d4-a716-44665544000%d", i),
				Customers: size.customers, InFlight: senderTimeout + 3*time.Second,
			},
			env:    []string{"DEMETERRR_API_KEY=" + srv.APIKey(), "DEMETERRR_BASE_URL=" + srv.URL()},
			killed: map[string]bool{},
		})
	}
	return all
}

// killSenders runs the processes until each finishes after the last kill. The
// kills come at even progress, so each of them interrupts work.
func killSenders(t *testing.T, srv *demeterrrtest.Server, all []*senderProcess, size campaignSize) {
	t.Helper()
	var group sync.WaitGroup
	var kills atomic.Int64
	for _, p := range all {
		group.Go(func() {
			for ended := false; !ended && !t.Failed(); {
				_, finished := p.run(t)
				ended = finished && kills.Load() == int64(size.kills)
			}
		})
	}
	for i := 0; i < size.kills && !t.Failed(); {
		if len(srv.Sendings()) < size.customers*3/4*i/size.kills {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		time.Sleep(rand.N(200 * time.Millisecond))
		if all[i%senders].kill() {
			i++
			kills.Add(1)
		}
	}
	group.Wait()
}

// doubtful returns the emails in doubt. Each belongs to a killed process, and a
// process has at most a batch of them.
func doubtful(t *testing.T, all []*senderProcess) map[string]bool {
	t.Helper()
	db, err := sql.Open("pgx", all[0].Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.Open(t.Context(), db, sqlstore.PostgreSQL, sqlstore.WithInFlight(all[0].InFlight))
	if err != nil {
		t.Fatal(err)
	}
	emails, owners := map[string]bool{}, map[string]int{}
	for entry, err := range store.Campaign(campaign).InDoubt(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		emails[entry.Email] = true
		owners[entry.Owner]++
	}
	for owner, n := range owners {
		killed := false
		for _, p := range all {
			killed = killed || p.killed[owner[strings.LastIndex(owner, ":")+1:]]
		}
		if !killed || n > batch {
			t.Errorf("%s, killed: %t, left %d in doubt", owner, killed, n)
		}
	}
	return emails
}
