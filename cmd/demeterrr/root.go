package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/demeterrr/demeterrr-go"
)

// The exit codes, for cron jobs and scripts.
const (
	exitDone        = 0   // success
	exitStopped     = 1   // stopped early: run it again
	exitUsage       = 2   // invalid command line, file or name: nothing was sent
	exitPartly      = 3   // finished with failures: see the errors file
	exitInterrupted = 130 // Ctrl-C, SIGTERM or SIGHUP: run it again to resume
)

const exitCodes = `Exit codes:
  0    success
  1    stopped early: run it again
  2    invalid command line, file or name: nothing was sent
  3    some contacts or checks failed: see the errors file or the output
  130  Ctrl-C, SIGTERM or SIGHUP: run it again to resume`

const environment = `Environment:
  DEMETERRR_API_KEY   the API key, from the dashboard
  DEMETERRR_BASE_URL  another address, such as that of demeterrr fake
  DEMETERRR_DATABASE  the default of --database`

// stdio is where a command reads and writes.
type stdio struct {
	in        *os.File
	out, errs io.Writer
}

// app holds the state shared by all commands.
type app struct {
	stdio
	output             string // table, json or csv
	perMinute, perHour int
	lost               error // the first failed write to the output
}

// coded is an error with an exit code. A nil err is already reported.
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

// usage gives an error the exit code for invalid input.
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
		fmt.Fprintln(std.errs, "demeterrr: cannot write the output:", a.lost)
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
	case isClosedPipe(err):
		return exitStopped // the reader has closed the pipe
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
		Use:   "demeterrr",
		Short: "Manage contacts and send survey sequences of a demeterrr account",
		Long:  "Manage contacts and send survey sequences of a demeterrr account.\n\n" + environment + "\n\n" + exitCodes,
		Example: "  demeterrr check\n" +
			"  demeterrr contacts sync --dry-run customers.csv\n" +
			"  demeterrr sequences execute --dry-run \"Post-Purchase Survey\" customers.csv",
		Version:       demeterrr.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "", "output `format`: table, json or csv (default: table on a terminal, json otherwise)")
	flags.IntVar(&a.perMinute, "per-minute", 100, "maximum `requests` per minute")
	flags.IntVar(&a.perHour, "per-hour", 1000, "maximum `requests` per hour")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.checkCommand(), group("contacts", "List, export and sync contacts", a.contactsList(), a.contactsGet(), a.contactsExport(), a.contactsSync()),
		group("sequences", "List sequences, and send one once to each contact", a.sequencesList(), a.sequencesExecute()),
		group("journal", "Show and release contacts in doubt", a.journalShow(), a.journalForget()), a.fakeCommand())
	return root
}

// group returns a command with subcommands.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_ = c.Help()
		return usagef("%s needs a command; see demeterrr %s --help", name, name)
	}}
	c.AddCommand(commands...)
	return c
}

// arguments requires between least and most arguments. The error shows the
// usage line.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("got %s; usage: %s", count(len(args), "argument"), c.UseLine())
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
		return usagef("--output %s: use table, json or csv", a.output)
	case a.perMinute < 1 || a.perHour < 1:
		return usagef("--per-minute and --per-hour must be at least 1")
	}
	return nil
}

// checkNames rejects an empty name of a journal or a state, such as an unset
// variable in a script. The default journal could message contacts again.
func checkNames(c *cobra.Command) error {
	for _, name := range []string{"campaign", "journal", "source", "state", "database"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed && strings.TrimSpace(f.Value.String()) == "" {
			return usagef("--%s is empty; add a value, or omit the flag", name)
		}
	}
	return nil
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width returns the number of columns of a terminal, or 80.
func width(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}
