package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

var kills = flag.Int("kills", 20, "how often TestAKilledRunMessagesNobodyTwiceAndLosesNobody kills the program")

// trial is a fake in this process and a program to kill.
type trial struct {
	srv  *demeterrrtest.Server
	dir  string
	args []string
	done chan struct{} // one value per finished request of the fake
}

func newTrial(t *testing.T, people int) *trial {
	t.Helper()
	tr := &trial{dir: t.TempDir(), done: make(chan struct{}, 10_000)}
	tr.srv = demeterrrtest.NewServer(
		demeterrrtest.WithLatency(2*time.Millisecond, 20*time.Millisecond),
		demeterrrtest.WithRequestLog(func(demeterrrtest.Request) { tr.done <- struct{}{} }))
	t.Cleanup(tr.srv.Close)
	sequence := tr.srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	var file bytes.Buffer
	file.WriteString("\ufeffE-mail;First name\r\n")
	for i := range people {
		fmt.Fprintf(&file, "Customer%d@example.com;First%d\r\n", i, i)
	}
	input := filepath.Join(tr.dir, "contacts.csv")
	if err := os.WriteFile(input, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.args = []string{
		"sequences", "execute", "--yes", "--per-minute", "10000", "--per-hour", "10000",
		"--errors", filepath.Join(tr.dir, "errors.csv"), sequence.ID, input,
	}
	return tr
}

func (tr *trial) env() []string {
	return append(os.Environ(), "DEMETERRR_AS_PROGRAM=1", "DEMETERRR_API_KEY="+tr.srv.APIKey(),
		"DEMETERRR_BASE_URL="+tr.srv.URL(), "XDG_STATE_HOME="+tr.dir)
}

// start starts the program.
func (tr *trial) start(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], tr.args...)
	cmd.Env = tr.env()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &output
}

// killed kills the program at a random time after its start or around one of
// its first requests. It reports whether the program was still running.
func (tr *trial) killed(t *testing.T, random *rand.Rand) bool {
	t.Helper()
	for len(tr.done) > 0 {
		<-tr.done
	}
	tr.srv.ClearFaults()
	tr.srv.Inject(fault(random))
	cmd, _ := tr.start(t)
	if random.IntN(4) > 0 {
		for range 2 + random.IntN(4) { // the first request looks up the sequence
			select {
			case <-tr.done:
			case <-time.After(time.Second): // it waits, or has finished
			}
		}
	}
	time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
	_ = cmd.Process.Kill()
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == -1
}

// fault returns a random fault for one of the next requests, or none.
func fault(random *rand.Rand) demeterrrtest.Fault {
	f := demeterrrtest.Fault{Route: "/sequences/{id}/execute", Skip: random.IntN(3)}
	switch random.IntN(6) {
	case 0:
		f.Delay = 50 * time.Millisecond
	case 1:
		f.Drop = demeterrrtest.DropBefore
	case 2:
		f.Drop = demeterrrtest.DropAfter
	case 3:
		f.Drop = demeterrrtest.Truncate
	case 4:
		f.Status, f.AfterWork = 500, true
	case 5:
		f.Status, f.RetryAfter = 429, time.Second
	}
	return f
}

// TestAKilledRunMessagesNobodyTwiceAndLosesNobody kills the program at random
// points and runs it again. The last run finishes. Then each contact has one
// sending, or is listed as unknown, or both.
func TestAKilledRunMessagesNobodyTwiceAndLosesNobody(t *testing.T) {
	killAndResume(t, *kills)
}

// TestAKilledRunResumesFromADatabase does the same with a database.
func TestAKilledRunResumesFromADatabase(t *testing.T) {
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) { killAndResume(t, max(4, *kills/4), database(t)) })
	}
}

func killAndResume(t *testing.T, kills int, flags ...string) {
	t.Helper()
	people := 500 + kills*250
	tr := newTrial(t, people)
	tr.args = append(tr.args, flags...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	running := 0
	for range kills {
		if tr.killed(t, random) {
			running++
		}
	}
	midway := len(tr.srv.Sendings())
	tr.srv.ClearFaults()
	cmd, output := tr.start(t)
	err := cmd.Wait()
	code := exitDone
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	unknown := tr.listed(t)
	want := exitDone
	if len(unknown) > 0 {
		want = exitPartly
	}
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	if twice := tr.srv.SentTwice(); len(twice) > 0 {
		t.Errorf("%d were messaged twice: %v", len(twice), twice)
	}
	messaged := map[string]bool{}
	for _, s := range tr.srv.Sendings() {
		messaged[strings.ToLower(s.Email)] = true
	}
	lost, both := 0, 0
	doubted := map[string]bool{}
	for _, email := range unknown {
		doubted[email] = true
	}
	for i := range people {
		email := fmt.Sprintf("customer%d@example.com", i)
		switch listed := doubted[email]; {
		case !listed && !messaged[email]:
			lost++
		case listed && messaged[email]:
			both++
		}
	}
	if lost > 0 {
		t.Errorf("%d were lost: not messaged, and not listed", lost)
	}
	if midway == 0 || midway == people {
		t.Errorf("the kills were no test: %d of %d were sent when they ended", midway, people)
	}
	t.Logf("%d people, %d kills (%d of a running program), %d sent by then; in the end %d messaged, 0 twice wanted and %d found, %d lost; %d unknown, of whom %d were messaged\n%s",
		people, kills, running, midway, len(messaged), len(tr.srv.SentTwice()), lost, len(unknown), both, output)
}

// listed returns the emails listed as unknown or in flight in the errors file.
func (tr *trial) listed(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.dir, "errors.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no run has listed anything
	}
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var emails []string
	for _, row := range rows[1:] {
		if !strings.HasPrefix(row[1], "unknown: ") && !strings.HasPrefix(row[1], "in flight: ") { // a claim in a database stays in flight for 5 minutes
			t.Errorf("%v", row)
		}
		emails = append(emails, strings.ToLower(row[2]))
	}
	return emails
}

// TestSignalsLetTheBatchFinish signals the program while a batch is in flight.
// A closing terminal sends SIGHUP, twice with some shells.
func TestSignalsLetTheBatchFinish(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent a signal there")
	}
	for name, signals := range map[string][]os.Signal{"Ctrl-C": {os.Interrupt}, "SIGTERM": {syscall.SIGTERM}, "SIGHUP": {syscall.SIGHUP, syscall.SIGHUP}} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, 1000)
			tr.srv.Inject(demeterrrtest.Fault{Skip: 2, Delay: 300 * time.Millisecond})
			cmd, output := tr.start(t)
			for range 3 { // the sequence, and two batches
				<-tr.done
			}
			for _, s := range signals { // the reply to the second batch is held back
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.ExitCode() != exitInterrupted {
				t.Errorf("%v\n%s", exit, output)
			}
			if !strings.Contains(output.String(), "run the same command again") || !strings.Contains(output.String(), `"sent":200`) {
				t.Errorf("output:\n%s", output)
			}
			cmd, output = tr.start(t)
			if err := cmd.Wait(); err != nil || len(tr.srv.Sendings()) != 1000 || len(tr.srv.SentTwice()) > 0 || len(tr.listed(t)) > 0 {
				t.Errorf("%v, %d sendings, twice %v\n%s", err, len(tr.srv.Sendings()), tr.srv.SentTwice(), output)
			}
		})
	}
}

// TestAClosedPipeStopsNoBatch closes the output pipe of the program.
func TestAClosedPipeStopsNoBatch(t *testing.T) {
	tr := newTrial(t, 300)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	closed := exec.CommandContext(t.Context(), os.Args[0], tr.args...)
	closed.Env, closed.Stdout, closed.Stderr = tr.env(), w, w
	_ = r.Close()
	if err := closed.Run(); err != nil || len(tr.srv.Sendings()) != 300 {
		t.Errorf("%v, %d sendings", err, len(tr.srv.Sendings()))
	}
	list := exec.CommandContext(t.Context(), os.Args[0], "contacts", "list")
	var errs bytes.Buffer
	list.Env, list.Stdout, list.Stderr = tr.env(), w, &errs
	_ = list.Run()
	if code := list.ProcessState.ExitCode(); code != exitStopped || strings.Contains(errs.String(), "pipe") {
		t.Errorf("exit code %d, %s", code, &errs)
	}
}
