// Package bulkcli is what the bulk programs share: their flags, the client, a
// progress bar, and the list of what went wrong.
package bulkcli

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/examples/internal/csvinput"
)

// The exit codes, for cron jobs. A wrong command line exits with 2, as package flag does.
const (
	ExitDone        = 0   // everything is as it should be
	ExitStopped     = 1   // it stopped early: run it again
	ExitUsage       = 2   // the command line or the file cannot be used: nothing was sent
	ExitPartly      = 3   // it came to the end, but not with all contacts: see the errors file
	ExitInterrupted = 130 // Ctrl-C: run it again
)

// exitCodes tells them to who asks for help.
const exitCodes = "exit codes: 0 all is done; 1 it stopped early, run it again; 2 the command line or a file cannot be used;\n" +
	"3 some contacts failed, see the errors file; 130 Ctrl-C"

// Usage makes -help tell how the program is called, its flags and its exit codes.
func Usage(set *flag.FlagSet, how string) {
	set.Usage = func() {
		fmt.Fprintln(set.Output(), "usage:", how)
		set.PrintDefaults()
		fmt.Fprintln(set.Output(), exitCodes)
	}
}

// Count is a number of things, with an s where there is not exactly one.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Main runs a program and exits with its code. A first Ctrl-C ends the context,
// for the program to stop when it can; a second one ends it at once.
func Main(run func(ctx context.Context, args []string, stdin io.Reader, out, errs io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Flags are those of both programs.
type Flags struct {
	DryRun    bool
	Fake      bool
	Errors    string
	PerMinute int
	PerHour   int
	columns   string
	custom    string
}

// Register defines the flags.
func (f *Flags) Register(set *flag.FlagSet) {
	set.BoolVar(&f.DryRun, "dry-run", false, "only tell what would be sent")
	set.BoolVar(&f.Fake, "fake", false, "try it on a fake demeterrr inside this program, with no account")
	set.StringVar(&f.Errors, "errors", "errors.csv", "`file` that is written anew with the contacts that could not be dealt with, and why")
	set.IntVar(&f.PerMinute, "per-minute", 100, "the `requests` a minute that this program may use of your plan")
	set.IntVar(&f.PerHour, "per-hour", 1000, "the `requests` an hour that this program may use of your plan")
	set.StringVar(&f.columns, "map", "", "a `list` of columns that are not guessed, such as email=Address,firstName=Given")
	set.StringVar(&f.custom, "custom", "", "`columns` that are custom fields, separated by commas")
}

// Open opens the CSV file, or standard input for "-".
func (f *Flags) Open(path string, stdin io.Reader) (*csvinput.Reader, io.Closer, error) {
	options := csvinput.Options{Columns: map[string]string{}}
	for pair := range strings.SplitSeq(f.columns, ",") {
		field, header, ok := strings.Cut(pair, "=")
		if !ok && pair != "" {
			return nil, nil, fmt.Errorf("-map %s: want field=column", pair)
		}
		if ok {
			options.Columns[field] = header
		}
	}
	if f.custom != "" {
		options.Custom = strings.Split(f.custom, ",")
	}
	in, closer := stdin, io.NopCloser(nil)
	if path != "-" {
		if filepath.Clean(path) == filepath.Clean(f.Errors) {
			return nil, nil, fmt.Errorf("-errors %s would overwrite the contacts; name another file", f.Errors)
		}
		file, err := os.Open(path) //nolint:gosec // the user names it
		if err != nil {
			return nil, nil, err
		}
		in, closer = file, file
	}
	r, err := csvinput.NewReader(in, options)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), closer.Close())
	}
	return r, closer, nil
}

// Client is a client of the account that the environment names, or of a fake. It
// keeps to the quota, and waits for up to an hour where others have used it up.
func (f *Flags) Client(name, sequenceID string, errs io.Writer) (*demeterrr.Client, error) {
	if f.PerMinute < 1 || f.PerHour < 1 {
		return nil, errors.New("-per-minute and -per-hour must be at least 1")
	}
	if f.Fake {
		return FakeClient(sequenceID), nil
	}
	return demeterrr.NewFromEnv(
		demeterrr.WithAppInfo(name, demeterrr.Version),
		demeterrr.WithLimiter(&tellingPacer{errs: errs, Pacer: demeterrr.NewPacer(
			demeterrr.Limit{Requests: f.PerMinute, Window: time.Minute},
			demeterrr.Limit{Requests: f.PerHour, Window: time.Hour})}),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 5, MaxRetryAfter: time.Hour}))
}

// tellingPacer is a Pacer that tells when it makes the program wait for long.
type tellingPacer struct {
	*demeterrr.Pacer
	errs io.Writer
	told atomic.Int64 // the minute in which it last did
}

func (p *tellingPacer) Acquire(ctx context.Context) (demeterrr.Release, error) {
	timer := time.AfterFunc(lineEvery, func() {
		if minute := time.Now().Unix() / 60; p.told.Swap(minute) != minute {
			fmt.Fprintln(p.errs, "waiting for the quota: the requests of this minute or hour are used up")
		}
	})
	defer timer.Stop()
	return p.Pacer.Acquire(ctx)
}

// FakeClient is a client of a fake inside this program, which has the sequence if it is named.
func FakeClient(sequenceID string) *demeterrr.Client {
	srv := demeterrrtest.NewServer()
	if sequenceID != "" {
		srv.AddSequence(demeterrr.Sequence{ID: sequenceID, Name: "Post-Purchase Satisfaction Survey"})
	}
	return srv.Client()
}

// Problem is a contact that was not dealt with.
type Problem struct {
	Line          int
	Email, Reason string
	Kind          string // failed, unknown or skipped
}

// WriteProblems writes the errors file, with its header only if there are no
// problems: what a run before it listed is out of date.
func (f *Flags) WriteProblems(out io.Writer, problems []Problem) error {
	file, err := os.Create(f.Errors)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	_ = w.Write([]string{"row", "email", "result", "reason"})
	for _, p := range problems {
		_ = w.Write([]string{strconv.Itoa(p.Line), p.Email, p.Kind, p.Reason})
	}
	w.Flush()
	if err := errors.Join(w.Error(), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", f.Errors, err)
	}
	if len(problems) == 0 {
		return nil
	}
	_, err = fmt.Fprintf(out, "%s listed in %s.\n", Count(len(problems), "contact"), f.Errors)
	return err
}
