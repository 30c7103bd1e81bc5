// Enroll sends a sequence to everybody in a CSV file, 100 to a request, and to
// nobody twice: a journal beside the file remembers whom it was sent to, also if
// the program is killed or the machine goes down.
//
//	go run ./examples/enroll -fake examples/contacts.csv
//	go run ./examples/enroll -sequence 880e8400-e29b-41d4-a716-446655440000 -dry-run contacts.csv
//	go run ./examples/enroll -sequence 880e8400-e29b-41d4-a716-446655440000 contacts.csv
//
// Run the same command again to go on where it stopped, or after rows were added:
// those who are done cost nothing. Those whose request was cut off by a crash are
// "unknown" in errors.csv: they may have been messaged. Look them up in the
// dashboard; -resend sends to the ones that you name.
//
// Ctrl-C lets the batch on its way finish. It exits with 0 if everybody was sent
// to, 1 if it stopped early (run it again), 2 if the command line, the file or the
// journal cannot be used, 3 if it came to the end and errors.csv lists some that
// were not sent to, and 130 after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/examples/internal/bulkcli"
	"github.com/demeterrr/demeterrr-go/examples/internal/csvinput"
)

func main() { bulkcli.Main(run) }

// program is one run of it.
type program struct {
	bulkcli.Flags
	sequence, location, employee, journalPath, resend, input string

	reader *csvinput.Reader
	rows   map[string]int // line of an email
	out    io.Writer
	errs   io.Writer
}

func run(ctx context.Context, args []string, stdin io.Reader, out, errs io.Writer) int {
	p := &program{rows: map[string]int{}, out: out, errs: errs}
	switch err := p.parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return bulkcli.ExitDone
	case err != nil:
		return bulkcli.ExitUsage
	}
	var closer io.Closer
	var err error
	if p.reader, closer, err = p.Open(p.input, stdin); err != nil {
		fmt.Fprintln(errs, err)
		return bulkcli.ExitUsage
	}
	defer closer.Close()
	client, err := p.Client("enroll", p.sequence, errs)
	if err != nil {
		fmt.Fprintln(errs, err)
		return bulkcli.ExitUsage
	}
	if _, err := os.Stat(p.journalPath); p.DryRun && errors.Is(err, fs.ErrNotExist) {
		return p.rehearse(ctx, rehearsal{}) // a dry run makes no file
	}
	journal, err := bulk.OpenJournal(p.journalPath, p.sequence)
	if err != nil {
		fmt.Fprintln(errs, err)
		return bulkcli.ExitUsage
	}
	defer journal.Close()
	if p.resend != "" && !p.DryRun {
		if err := journal.Forget(strings.Split(p.resend, ",")...); err != nil {
			fmt.Fprintln(errs, err)
			return bulkcli.ExitUsage
		}
	}
	if p.DryRun {
		return p.rehearse(ctx, rehearsal{journal})
	}
	return p.execute(ctx, client, journal)
}

// rehearse goes the way of a real run, with a fake demeterrr and a journal that stays as it is.
func (p *program) rehearse(ctx context.Context, journal rehearsal) int {
	fmt.Fprintln(p.out, "Dry run: nothing is sent, this is what would be.")
	return p.execute(ctx, bulkcli.FakeClient(p.sequence), journal)
}

// parse reads the command line. It tells what is wrong with it.
func (p *program) parse(args []string) error {
	set := flag.NewFlagSet("enroll", flag.ContinueOnError)
	set.SetOutput(p.errs)
	p.Register(set)
	set.StringVar(&p.sequence, "sequence", "", "the `id` of the sequence")
	set.StringVar(&p.location, "location", "", "the `id` of a location that applies to all")
	set.StringVar(&p.employee, "employee", "", "the `id` of an employee that applies to all")
	set.StringVar(&p.journalPath, "journal", "", "`file` of the journal (default: the contacts' file with .journal behind it)")
	set.StringVar(&p.resend, "resend", "", "`emails`, separated by commas, that are unknown and were not messaged, as you have made sure")
	bulkcli.Usage(set, "enroll -sequence id [flags] contacts.csv   (- is standard input)")
	if err := set.Parse(args); err != nil {
		return err
	}
	if p.Fake && p.sequence == "" {
		p.sequence = "880e8400-e29b-41d4-a716-446655440000"
	}
	p.input = set.Arg(0)
	wrong := ""
	switch {
	case set.NArg() != 1:
		wrong = "name one file of contacts"
	case p.sequence == "":
		wrong = "name the sequence with -sequence"
	case p.journalPath == "" && p.input == "-":
		wrong = "with standard input, name the journal with -journal"
	case p.journalPath == "" && p.Fake:
		p.journalPath = p.input + ".fake.journal" // what a fake was sent is no reason to leave somebody out
	case p.journalPath == "":
		p.journalPath = p.input + ".journal"
	}
	if wrong != "" {
		fmt.Fprintln(p.errs, wrong)
		set.Usage()
		return errors.New(wrong)
	}
	return nil
}

// contacts are the rows of the file as Execute takes them.
func (p *program) contacts() iter.Seq2[demeterrr.ExecuteContact, error] {
	return func(yield func(demeterrr.ExecuteContact, error) bool) {
		for row, err := range p.reader.Rows() {
			p.rows[strings.ToLower(row.Email)] = row.Line
			if !yield(demeterrr.ExecuteContact{Email: row.Email, FirstName: row.FirstName, LastName: row.LastName, Phone: row.Phone}, err) {
				return
			}
		}
	}
}

func (p *program) execute(ctx context.Context, client *demeterrr.Client, journal bulk.Journal) int {
	fmt.Fprintln(p.out, "Columns:", p.reader.Columns())
	progress := bulkcli.NewProgress(p.errs)
	report, err := bulk.Execute(ctx, client, p.sequence, p.contacts(), &bulk.ExecuteOptions{
		LocationID: p.location, EmployeeID: p.employee, Journal: journal,
		OnProgress: func(e bulk.ExecuteProgress) { progress.Show("sent", e.Sent+e.AlreadySent, 0) },
	})
	progress.Close()
	fmt.Fprintf(p.out, "%s: %d sent, %d sent before, %s, %d skipped, %d failed, %d unknown, %d not tried; %s.\n",
		bulkcli.Count(report.Read, "row"), report.Sent, report.AlreadySent, bulkcli.Count(report.Duplicates, "duplicate"),
		len(report.Skipped), len(report.Failed), len(report.Unknown), len(report.NotTried), bulkcli.Count(report.Requests, "request"))
	if !p.DryRun {
		fmt.Fprintf(p.out, "%s knows who is done.\n", p.journalPath)
	}
	problems := p.problems(report)
	if errWrite := p.WriteProblems(p.out, problems); errWrite != nil {
		fmt.Fprintln(p.errs, errWrite)
	}
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(p.errs, "Stopped. Run the same command again to go on.")
		return bulkcli.ExitInterrupted
	case err != nil:
		fmt.Fprintln(p.errs, err)
		return bulkcli.ExitStopped
	case len(problems) > 0:
		return bulkcli.ExitPartly
	}
	return bulkcli.ExitDone
}

func (p *program) problems(r *bulk.ExecuteReport) []bulkcli.Problem {
	var list []bulkcli.Problem
	add := func(kind string, failures []bulk.ExecuteFailure) {
		for _, f := range failures {
			list = append(list, bulkcli.Problem{Line: p.reader.Line(f.Index), Email: f.Contact.Email, Reason: f.Err.Error(), Kind: kind})
		}
	}
	add("failed", r.Failed)
	add("unknown", r.Unknown)
	for _, s := range r.Skipped {
		reason := fmt.Sprintf("the API's status is %q", s.Status)
		if s.Status == "" {
			reason = "the API did not say what became of it"
		}
		list = append(list, bulkcli.Problem{Line: p.rows[strings.ToLower(s.Email)], Email: s.Email, Reason: reason, Kind: "skipped"})
	}
	return list
}

// rehearsal reads a journal, if there is one, and writes nothing.
type rehearsal struct{ *bulk.FileJournal }

func (r rehearsal) Lookup(ctx context.Context, sequenceID string, emails []string) ([]bulk.JournalEntry, error) {
	if r.FileJournal == nil {
		return nil, nil
	}
	return r.FileJournal.Lookup(ctx, sequenceID, emails)
}

func (r rehearsal) Claim(ctx context.Context, sequenceID, _ string, emails []string) ([]bulk.JournalEntry, error) {
	return r.Lookup(ctx, sequenceID, emails)
}

func (rehearsal) Finish(context.Context, string, string, []bulk.JournalEntry) error { return nil }
