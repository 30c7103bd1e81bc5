package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"github.com/xuri/excelize/v2"
	"golang.org/x/sys/unix"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// terminal is a pseudo-terminal and its captured output.
type terminal struct {
	master, slave *os.File
	mu            sync.Mutex
	text          bytes.Buffer
}

func newTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	tty := &terminal{master: master, slave: slave}
	go func() { _, _ = io.Copy(tty, master) }()
	return tty
}

func (tty *terminal) Write(p []byte) (int, error) {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return tty.text.Write(p)
}

func (tty *terminal) String() string {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return tty.text.String()
}

// wait waits until the program has written the text.
func (tty *terminal) wait(t *testing.T, text string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(tty.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %q:\n%q", text, tty)
}

// start starts the program at the terminal.
func (tty *terminal) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DEMETERRR_AS_PROGRAM=1", "NO_COLOR=1", "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty.slave, tty.slave, tty.slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

var color = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestAtATerminalThePlanIsConfirmedAndProgressIsShown(t *testing.T) {
	for _, columns := range []uint16{40, 100} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			srv, sequence := newSurvey(t)
			var text strings.Builder
			text.WriteString("Email\n")
			for i := range 250 {
				fmt.Fprintf(&text, "p%d@example.com\n", i)
			}
			file := writeText(t, "c.csv", text.String())
			srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Skip: 1, Status: 429, RetryAfter: 4 * time.Second})
			tty := newTerminal(t, columns)

			cmd := tty.start(t, "sequences", "execute", "--errors", "e.csv", sequence.ID, file)
			tty.wait(t, `Send "My Survey" to 250 contacts? [y/N] `)
			if len(srv.Sendings()) > 0 {
				t.Fatal("something was sent before the answer")
			}
			before := len(tty.String())
			fmt.Fprintln(tty.master, "y")
			tty.wait(t, "waiting for the quota until ")
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%q", err, tty)
			}
			tty.wait(t, "Done: 250 sent, 4 requests")
			shown := tty.String()
			if color.MatchString(shown) {
				t.Errorf("colors:\n%q", shown)
			}
			if columns == 100 && !strings.Contains(shown, "██") {
				t.Errorf("no bar:\n%q", shown)
			}
			for line := range strings.FieldsFuncSeq(strings.ReplaceAll(shown[before:], "\x1b[2K", ""), func(r rune) bool { return r == '\r' || r == '\n' }) {
				if w := uniseg.StringWidth(line); w > int(columns) {
					t.Errorf("%d columns: %q", w, line)
				}
			}
			if last := shown[strings.LastIndex(shown, "Done: "):]; strings.Contains(last, "sending") {
				t.Errorf("the bar garbles the result: %q", last)
			}
		})
	}
}

func TestCountsAreBrokenToFitTheTerminal(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email,Newsletter\na@example.com,yes\nA@example.com,yes\nb@example.com,unsubscribed\nnone,yes\n")
	tty := newTerminal(t, 40)
	cmd := tty.start(t, "sequences", "execute", sequence.ID, file)
	tty.wait(t, "[y/N] ")
	fmt.Fprintln(tty.master, "y")
	_ = cmd.Wait()
	tty.wait(t, "3 rows listed")
	for _, want := range []string{
		"Sequence \"My Survey\" (" + sequence.ID + ")\r\n  of " + srv.URL() + "\r\n  journal ",
		"  1 to send, 1 opted out (left out),\r\n    1 duplicate, 1 invalid\r\n  1 more request, done in under a minute\r\n",
		"Done: 1 sent, 1 request,\r\n    1 opted out (left out), 1 duplicate,\r\n    1 invalid\r\n",
	} {
		if !strings.Contains(tty.String(), want) {
			t.Errorf("no %q:\n%q", want, tty)
		}
	}
}

// TestTheBarStandsBeforeTheFirstReply also interrupts the run. Its report does
// not say "Done".
func TestTheBarStandsBeforeTheFirstReply(t *testing.T) {
	srv, sequence := newSurvey(t)
	var text strings.Builder
	text.WriteString("Email\n")
	for i := range 250 {
		fmt.Fprintf(&text, "p%d@example.com\n", i)
	}
	file := writeText(t, "c.csv", text.String())
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Delay: time.Second})
	tty := newTerminal(t, 80)
	cmd := tty.start(t, "sequences", "execute", "--yes", sequence.ID, file)
	tty.wait(t, "(0/250)")
	for len(srv.Sendings()) == 0 { // the reply is held back
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	tty.wait(t, "Stopped early: 100 sent, ")
	if strings.Contains(tty.String(), "Done") {
		t.Errorf("%q", tty)
	}
}

func TestNoMeansThatNothingIsSent(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email,First name\na@example.com,Ann\n")
	for question, args := range map[string][]string{"Send ": {"sequences", "execute", sequence.ID, file}, "Write ": {"contacts", "sync", file}} {
		for _, answer := range []string{"n\n", "\n", "\x04"} {
			tty := newTerminal(t, 80)
			cmd := tty.start(t, args...)
			tty.wait(t, question)
			tty.wait(t, "[y/N] ")
			_, _ = io.WriteString(tty.master, answer)
			if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitStopped || len(srv.Sendings()) > 0 || len(srv.Contacts()) > 1 {
				t.Errorf("%q: exit code %d\n%s", answer, cmd.ProcessState.ExitCode(), tty)
			}
			tty.wait(t, "nothing was sent")
		}
	}
}

func TestATerminalGetsATable(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(demeterrr.Contact{Email: "bo@example.com", FirstName: "Bo"})
	tty := newTerminal(t, 150)
	if err := tty.start(t, "contacts", "list").Wait(); err != nil {
		t.Fatal(err)
	}
	tty.wait(t, "bo@example.com  Bo ")
}

func TestOutputThatIsLostIsAnError(t *testing.T) {
	srv := newFake(t)
	srv.AddContact(jane)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close() //nolint:errcheck // nothing can be written to it
	writeText(t, "c.csv", "Email,First name\njane@example.com,Jane\n")
	for _, line := range []string{
		"contacts list", "contacts list -o csv", "contacts list -o table", "contacts export -", "contacts sync --dry-run c.csv", "contacts sync --yes -o csv c.csv",
		"contacts sync --yes -o table c.csv",
	} {
		var errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(line), stdio{nil, full, &errs}); code != exitStopped || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, %s", line, code, &errs)
		}
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("there is a file -")
	}
}

// many are the lines of 350 emails, more than three batches.
func many(name string) string {
	var text strings.Builder
	for i := range 350 {
		fmt.Fprintf(&text, "%s%d@example.com\n", name, i)
	}
	return text.String()
}

func TestANarrowTerminalStopsNothing(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\n"+many("p"))
	tty := newTerminal(t, 1)
	if err := tty.start(t, "sequences", "execute", "--yes", sequence.ID, file).Wait(); err != nil || len(srv.Sendings()) != 350 {
		t.Errorf("%v, %d sendings\n%s", err, len(srv.Sendings()), tty)
	}
}

func TestWhatIsSentIsWhatWasShown(t *testing.T) {
	srv, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email\n"+many("shown"))
	tty := newTerminal(t, 80)
	cmd := tty.start(t, "sequences", "execute", sequence.ID, file)
	tty.wait(t, "[y/N] ")
	writeText(t, file, "Email\n"+many("other"))
	fmt.Fprintln(tty.master, "y")
	_ = cmd.Wait()
	tty.wait(t, "the file changed while it was read")
	if code := cmd.ProcessState.ExitCode(); code != exitUsage || len(srv.Sendings()) > 0 {
		t.Errorf("exit code %d, sent to %q\n%s", code, sentTo(srv), tty)
	}
}

func TestCtrlCAtTheQuestion(t *testing.T) {
	_, sequence := newSurvey(t)
	file := writeText(t, "c.csv", "Email,First name\na@example.com,Ann\n")
	for _, args := range [][]string{{"sequences", "execute", sequence.ID, file}, {"contacts", "sync", file}} {
		tty := newTerminal(t, 80)
		cmd := tty.start(t, args...)
		tty.wait(t, "[y/N] ")
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		tty.wait(t, "demeterrr: nothing was sent")
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("exit code %d\n%s", code, tty)
		}
	}
}

func TestAWorkbookShowsItsRowsWhileItIsRead(t *testing.T) {
	newFake(t)
	book := excelize.NewFile()
	for i, email := range []string{"Email", "ann@example.com", "bo@example.com"} {
		if err := book.SetCellValue("Sheet1", fmt.Sprintf("A%d", i+1), email); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.SaveAs("c.xlsx"); err != nil {
		t.Fatal(err)
	}
	for _, columns := range []uint16{40, 100} {
		tty := newTerminal(t, columns)
		cmd := tty.start(t, "contacts", "sync", "--dry-run", "c.xlsx")
		tty.wait(t, "2 will fail") // they have no first names
		_ = cmd.Wait()
		if text := tty.String(); !strings.Contains(text, "\rreading rows 1 ") || strings.LastIndex(text, "reading rows") > strings.Index(text, "c.xlsx: 2 rows") {
			t.Errorf("%d columns: %q", columns, text)
		}
	}
	if r := command(t, "contacts sync --dry-run c.xlsx"); strings.Contains(r.out+r.errs, "reading rows") {
		t.Errorf("a short read is told in a pipe: %s", r.errs)
	}
}
