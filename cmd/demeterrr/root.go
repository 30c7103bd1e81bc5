package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/demeterrr/demeterrr-go"
)

// The exit codes, for cron jobs and scripts.
const (
	exitDone        = 0   // everything is as it should be
	exitStopped     = 1   // it stopped early: run it again
	exitUsage       = 2   // the command line or a file cannot be used: nothing was sent
	exitPartly      = 3   // it came to the end, and some contacts failed: see the errors file
	exitInterrupted = 130 // Ctrl-C, SIGTERM or SIGHUP: run it again
)

const exitCodes = `Exit codes:
  0    all is done
  1    it stopped early: run it again
  2    the command line, a file or a name cannot be used: nothing was sent
  3    some contacts or checks failed: see the errors file, or the output
  130  Ctrl-C, SIGTERM or SIGHUP: run it again to go on`

// stdio is where a command reads and writes.
type stdio struct {
	in        *os.File
	out, errs io.Writer
}

// app is what all commands share.
type app struct {
	stdio
	output             string // table, json or csv
	perMinute, perHour int
	lost               error // of an output that could not be written
}

// coded is an error with its exit code. A nil error has been reported.
type coded struct {
	code int
	err  error
}

func (e *coded) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *coded) Unwrap() error { return e.err }

// usage marks an error as one of the command line or of a file.
func usage(err error) error { return &coded{exitUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	a := &app{stdio: std}
	root := a.root() //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.errs)
	begun := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		begun = true
		return errors.Join(checkNames(c), a.checkFlags())
	}
	err := root.ExecuteContext(ctx)
	if a.lost != nil {
		fmt.Fprintln(std.errs, "demeterrr: the output cannot be written:", a.lost)
	}
	if err == nil {
		if a.lost != nil {
			return exitStopped
		}
		return exitDone
	}
	code := exitStopped
	var e *coded
	switch {
	case errors.As(err, &e):
		code = e.code
	case !begun: // cobra's own error
		code = exitUsage
	case ctx.Err() != nil:
		code = exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitStopped // nobody reads any more
	case errors.Is(err, demeterrr.ErrNotFound), errors.Is(err, demeterrr.ErrValidation):
		code = exitUsage
	}
	if text := bare(err); text != "" {
		fmt.Fprintln(std.errs, "demeterrr: "+text)
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "demeterrr",
		Short:         "Contacts and survey sequences of a demeterrr account",
		Long:          "Contacts and survey sequences of a demeterrr account. The key is read from DEMETERRR_API_KEY.\n\n" + exitCodes,
		Version:       demeterrr.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "", "table, json or csv (default: table at a terminal, else json)")
	flags.IntVar(&a.perMinute, "per-minute", 100, "the `requests` a minute that this program may use of your plan")
	flags.IntVar(&a.perHour, "per-hour", 1000, "the `requests` an hour that this program may use of your plan")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.checkCommand(), group("contacts", "List, export and sync contacts", a.contactsList(), a.contactsGet(), a.contactsExport(), a.contactsSync()),
		group("sequences", "List sequences, and send one to each contact once", a.sequencesList(), a.sequencesExecute()),
		group("journal", "See and resolve who is in doubt", a.journalShow(), a.journalForget()), a.fakeCommand())
	return root
}

// group is a command that has others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_ = c.Help()
		return usagef("name a command of %s", name)
	}}
	c.AddCommand(commands...)
	return c
}

// arguments makes a command take so many arguments. Its usage line names them.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%s given; want %s", count(len(args), "argument"), c.UseLine())
		}
		return nil
	}
}

func (a *app) checkFlags() error {
	if a.output == "" {
		a.output = "json"
		if isTerminal(a.out) {
			a.output = "table"
		}
	}
	switch {
	case a.output != "table" && a.output != "json" && a.output != "csv":
		return usagef("--output %s: want table, json or csv", a.output)
	case a.perMinute < 1 || a.perHour < 1:
		return usagef("--per-minute and --per-hour must be at least 1")
	}
	return nil
}

// checkNames refuses an empty name of what is remembered, as an unset variable
// of a script leaves it: another journal would send to everybody again.
func checkNames(c *cobra.Command) error {
	for _, name := range []string{"campaign", "journal", "source", "state", "database"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed && strings.TrimSpace(f.Value.String()) == "" {
			return usagef("--%s is empty; give it a value, or leave it out", name)
		}
	}
	return nil
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width is how many columns a terminal has.
func width(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}
