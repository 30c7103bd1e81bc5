// Contactsync brings the contacts of an account to what a CSV file says, with as
// few requests as there can be: it reads first and writes only what differs.
//
//	go run ./examples/contactsync -fake examples/contacts.csv
//	go run ./examples/contactsync -dry-run contacts.csv
//	go run ./examples/contactsync -custom "Tier,Birthday" contacts.csv
//	go run ./examples/contactsync -state crm.state contacts.csv
//
// With -state, the next run reads nothing and sends what has changed in the file.
// The first line of the file names the columns: Email, E-mail, first_name and the
// like are recognized. Cells that are empty change nothing. Nothing is ever deleted.
//
// Ctrl-C stops it when the requests on their way are answered; run it again to go
// on. It exits with 0 if everything is as the file says, 1 if it stopped early (run
// it again), 2 if the command line or the file cannot be used, 3 if some contacts
// could not be written, which errors.csv lists, and 130 after Ctrl-C.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/examples/internal/bulkcli"
	"github.com/demeterrr/demeterrr-go/examples/internal/csvinput"
)

func main() { bulkcli.Main(run) }

func run(ctx context.Context, args []string, stdin io.Reader, out, errs io.Writer) int {
	var flags bulkcli.Flags
	set := flag.NewFlagSet("contactsync", flag.ContinueOnError)
	set.SetOutput(errs)
	flags.Register(set)
	path := set.String("state", "", "`file` that remembers what was sent, so that the next run sends only what has changed since")
	bulkcli.Usage(set, "contactsync [flags] contacts.csv   (- is standard input)")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return bulkcli.ExitDone
	case err != nil:
		return bulkcli.ExitUsage
	case set.NArg() != 1:
		set.Usage()
		return bulkcli.ExitUsage
	}
	reader, closer, err := flags.Open(set.Arg(0), stdin)
	if err != nil {
		fmt.Fprintln(errs, err)
		return bulkcli.ExitUsage
	}
	defer closer.Close()
	client, err := flags.Client("contactsync", "", errs)
	if err != nil {
		fmt.Fprintln(errs, err)
		return bulkcli.ExitUsage
	}
	options := &bulk.SyncOptions{DryRun: flags.DryRun}
	if *path != "" {
		state, err := bulk.OpenSyncState(*path)
		if err != nil {
			fmt.Fprintln(errs, err)
			return bulkcli.ExitUsage
		}
		defer state.Close()
		options.State = state
	}
	fmt.Fprintln(out, "Columns:", reader.Columns())
	progress := bulkcli.NewProgress(errs)
	options.OnProgress = func(p bulk.SyncProgress) {
		if p.WritesTotal > 0 {
			progress.Show("writing", p.Writes, p.WritesTotal)
		} else {
			progress.Show("reading", p.Reads, p.ReadsTotal)
		}
	}
	report, err := bulk.Sync(ctx, client, contacts(reader), options)
	progress.Close()
	tell(out, report, flags.DryRun)
	if errWrite := flags.WriteProblems(out, problems(reader, report)); errWrite != nil {
		fmt.Fprintln(errs, errWrite)
	}
	return exitCode(ctx, report, err, errs)
}

// exitCode tells why Sync stopped, if it did.
func exitCode(ctx context.Context, report *bulk.SyncReport, err error, errs io.Writer) int {
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(errs, "Stopped. Run the same command again to go on: what is done already costs no further write.")
		return bulkcli.ExitInterrupted
	case err != nil:
		fmt.Fprintln(errs, err)
		return bulkcli.ExitStopped
	case len(report.Failed) > 0:
		return bulkcli.ExitPartly
	}
	return bulkcli.ExitDone
}

// contacts are the rows of the file as Sync takes them.
func contacts(reader *csvinput.Reader) iter.Seq2[demeterrr.ContactParams, error] {
	return func(yield func(demeterrr.ContactParams, error) bool) {
		for row, err := range reader.Rows() {
			params := demeterrr.ContactParams{
				Email: row.Email, FirstName: row.FirstName, LastName: row.LastName, Phone: row.Phone, Title: row.Title,
				PreferredLanguage: demeterrr.Language(row.Language), Tags: row.Tags, CustomFields: row.Custom,
			}
			if !yield(params, err) {
				return
			}
		}
	}
}

func tell(out io.Writer, r *bulk.SyncReport, dryRun bool) {
	fmt.Fprintf(out, "%s: %d created, %d updated, %d unchanged, %s, %d failed; %s.\n",
		bulkcli.Count(r.Read, "row"), r.Created, r.Updated, r.Unchanged, bulkcli.Count(r.Duplicates, "duplicate"), len(r.Failed), bulkcli.Count(r.Requests, "request"))
	if len(r.NotTried) > 0 {
		fmt.Fprintf(out, "%s not tried.\n", bulkcli.Count(len(r.NotTried), "row"))
	}
	if !dryRun {
		return
	}
	for i, change := range r.Plan.Changes {
		if i == 20 {
			fmt.Fprintf(out, "  … and %d more\n", len(r.Plan.Changes)-i)
			break
		}
		if change.Create != nil {
			fmt.Fprintf(out, "  create %s\n", change.Email)
		} else {
			fmt.Fprintf(out, "  update %s: %s\n", change.Email, fieldsOf(change.Update))
		}
	}
	fmt.Fprintf(out, "Dry run: nothing was written. A real run would send %s more.\n", bulkcli.Count(r.Plan.Writes, "request"))
}

func problems(reader *csvinput.Reader, r *bulk.SyncReport) []bulkcli.Problem {
	list := make([]bulkcli.Problem, len(r.Failed))
	for i, f := range r.Failed {
		kind := "failed"
		if errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
			kind = "unknown"
		}
		list[i] = bulkcli.Problem{Line: reader.Line(f.Index), Email: f.Contact.Email, Reason: f.Err.Error(), Kind: kind}
	}
	return list
}

// fieldsOf names what an update changes.
func fieldsOf(u *demeterrr.ContactUpdate) string {
	encoded, err := json.Marshal(u)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}
