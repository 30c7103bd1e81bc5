package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/bulkcli"
)

var kills = flag.Int("kills", 20, "how often TestAKilledRunMessagesNobodyTwiceAndLosesNobody kills the program")

// TestMain makes the test binary the program itself when it is its own child.
func TestMain(m *testing.M) {
	if os.Getenv("ENROLL_AS_PROGRAM") != "" {
		main()
	}
	flag.Parse()
	os.Exit(m.Run())
}

// trial is the fake in this process, and the program that is killed.
type trial struct {
	srv  *demeterrrtest.Server
	dir  string
	args []string
	done chan struct{} // gets one value for every request that the fake has dealt with
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
		"-sequence", sequence.ID, "-per-minute", "10000", "-per-hour", "10000",
		"-errors", filepath.Join(tr.dir, "errors.csv"), "-journal", filepath.Join(tr.dir, "journal"), input,
	}
	return tr
}

// start starts the program.
func (tr *trial) start(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], tr.args...)
	cmd.Env = append(os.Environ(), "ENROLL_AS_PROGRAM=1", "DEMETERRR_API_KEY="+tr.srv.APIKey(), "DEMETERRR_BASE_URL="+tr.srv.URL())
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &output
}

// killed lets the program run for a while and kills it: at any time after its
// start, or at any time around one of its first requests. It reports whether the
// program was still running.
func (tr *trial) killed(t *testing.T, random *rand.Rand) bool {
	t.Helper()
	for len(tr.done) > 0 {
		<-tr.done
	}
	tr.srv.ClearFaults()
	tr.srv.Inject(fault(random))
	cmd, _ := tr.start(t)
	if random.IntN(4) > 0 {
		for range 1 + random.IntN(3) {
			select {
			case <-tr.done:
			case <-time.After(time.Second): // it waits, or has nothing left to send to
			}
		}
	}
	time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
	_ = cmd.Process.Kill()
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == -1
}

// fault is what goes wrong with one of the next requests, if anything does.
func fault(random *rand.Rand) demeterrrtest.Fault {
	f := demeterrrtest.Fault{Skip: random.IntN(3)}
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
// points and runs it again, then lets it come to its end: everybody was sent to
// once, or is listed as unknown, or both.
func TestAKilledRunMessagesNobodyTwiceAndLosesNobody(t *testing.T) { //nolint:paralleltest // its times are real
	people := *kills * 250
	tr := newTrial(t, people)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	running := 0
	for range *kills {
		if tr.killed(t, random) {
			running++
		}
	}
	midway := len(tr.srv.Sendings())
	tr.srv.ClearFaults()
	cmd, output := tr.start(t)
	err := cmd.Wait()
	code := bulkcli.ExitDone
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	unknown := tr.listed(t)
	want := bulkcli.ExitDone
	if len(unknown) > 0 {
		want = bulkcli.ExitPartly
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
		people, *kills, running, midway, len(messaged), len(tr.srv.SentTwice()), lost, len(unknown), both, output)
}

// listed are the emails that the errors file has as unknown.
func (tr *trial) listed(t *testing.T) []string {
	t.Helper()
	file, err := os.Open(filepath.Join(tr.dir, "errors.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var emails []string
	for _, row := range rows[1:] {
		if row[2] != "unknown" {
			t.Errorf("%v", row)
		}
		emails = append(emails, strings.ToLower(row[1]))
	}
	return emails
}

// TestCtrlCLetsTheBatchFinish interrupts the program while a batch is on its way.
func TestCtrlCLetsTheBatchFinish(t *testing.T) { //nolint:paralleltest // its times are real
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt there")
	}
	tr := newTrial(t, 1000)
	tr.srv.Inject(demeterrrtest.Fault{Skip: 1, Delay: 300 * time.Millisecond})
	cmd, output := tr.start(t)
	<-tr.done
	<-tr.done // the second batch is done, and its reply held back
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.ExitCode() != bulkcli.ExitInterrupted {
		t.Errorf("%v\n%s", exit, output)
	}
	if !strings.Contains(output.String(), "Run the same command again") || !strings.Contains(output.String(), "200 sent") {
		t.Errorf("output:\n%s", output)
	}
	cmd, output = tr.start(t)
	if err := cmd.Wait(); err != nil || len(tr.srv.Sendings()) != 1000 || len(tr.srv.SentTwice()) > 0 || len(tr.listed(t)) > 0 {
		t.Errorf("%v, %d sendings, twice %v\n%s", err, len(tr.srv.Sendings()), tr.srv.SentTwice(), output)
	}
}
