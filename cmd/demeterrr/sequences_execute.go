package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// executeFlags are the flags of sequences execute.
type executeFlags struct {
	bulkFlags
	campaignFlags
	options bulk.ExecuteOptions
}

func (a *app) sequencesExecute() *cobra.Command {
	var f executeFlags
	c := &cobra.Command{
		Use:   "execute SEQUENCE FILE",
		Short: "Send a sequence to the people of a CSV or XLSX file, each once",
		Long: "Send a sequence to the people of a CSV or XLSX file, or of standard input for -, 100 to a request.\n" +
			"The sequence is named by its name or its id. A journal remembers who was sent to: run the same command again after a\n" +
			"crash or with more rows, and it sends to the others only. For the next campaign name another --campaign.\n" +
			"People who opted out are left out and listed. If an email appears twice, the first row counts.\n" +
			"It shows what it will do, and asks.\n\n" + exitCodes,
		Example: "  demeterrr sequences execute --dry-run \"Post-Purchase Survey\" customers.csv\n" +
			"  demeterrr sequences execute --campaign 2026-11 880e8400-e29b-41d4-a716-446655440000 customers.xlsx",
		Args: arguments(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.executeSequence(c.Context(), &f, args[0], args[1])
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f.bulkFlags.register(c)
	f.campaignFlags.register(c)
	flags := c.Flags()
	flags.StringVar(&f.options.LocationID, "location", "", "the `id` of a location that applies to all")
	flags.StringVar(&f.options.EmployeeID, "employee", "", "the `id` of an employee that applies to all")
	flags.BoolVar(&f.options.SplitRefused, "split-refused", false, "halve a batch that the API refuses, until the contact at fault stands alone")
	return c
}

// executeRun is one run of sequences execute.
type executeRun struct {
	*app
	*customers
	*campaign
	flags    *executeFlags
	client   *demeterrr.Client
	sequence *demeterrr.Sequence
	progress *progress
	send     int // contacts to send to
	requests int
}

func (a *app) executeSequence(ctx context.Context, f *executeFlags, name, path string) error {
	if err := errors.Join(f.check(f.database), a.checkAsk(path, &f.bulkFlags)); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	sequence, err := a.findSequence(ctx, client, name)
	if err != nil {
		return err
	}
	journal, err := f.path(sequence.ID, f.database)
	if err != nil {
		return usage(err)
	}
	if err := f.checkAlike(sequence.ID, f.database); err != nil {
		return err
	}
	file, err := a.openCustomers(path, &f.bulkFlags, journal)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	c, err := f.open(ctx, journal, sequence.ID, f.database, f.dryRun)
	if err != nil {
		return err
	}
	defer c.close()
	r := &executeRun{app: a, customers: file, campaign: c, flags: f, client: client, sequence: sequence}
	doubts, err := r.show(ctx)
	switch {
	case err != nil:
		return err
	case f.dryRun:
		fmt.Fprintln(a.errs, "dry run: nothing was sent")
		return r.finish(doubts, journal)
	case r.send > 0:
		if err := a.ask(ctx, &f.bulkFlags, fmt.Sprintf("Send %q to %s?", sequence.Name, count(r.send, "contact"))); err != nil {
			return err
		}
	}
	return r.run(ctx, journal)
}

// executeContacts are the contacts as Execute takes them.
func (r *executeRun) executeContacts() iter.Seq2[demeterrr.ExecuteContact, error] {
	return func(yield func(demeterrr.ExecuteContact, error) bool) {
		for p, err := range r.contacts() {
			if !yield(demeterrr.ExecuteContact{Email: p.Email, FirstName: p.FirstName, LastName: p.LastName, Phone: p.Phone}, err) {
				return
			}
		}
	}
}

// run sends.
func (r *executeRun) run(ctx context.Context, journal string) error {
	r.progress = newProgress(r.errs)
	defer r.progress.close()
	stop := context.AfterFunc(ctx, func() { r.progress.say("stopping; the batch in flight is allowed to finish") })
	defer stop()
	options := r.flags.options
	options.Journal, options.OnProgress, options.OnResult = r.Journal, r.onProgress, r.onResult
	report, err := bulk.Execute(ctx, r.client, r.sequence.ID, r.executeContacts(), &options)
	r.progress.close()
	r.report("Done", append(tallies{
		{"sent", "sent", report.Sent},
		{"alreadySent", "sent before", report.AlreadySent},
		{"skipped", "skipped by the API", len(report.Skipped)},
		{"failed", "failed", len(report.Failed)},
		{"unknown", "in doubt", len(report.Unknown)},
		{"inFlight", "being sent to by another process", len(report.InFlight)},
		{"notTried", "not tried", len(report.NotTried)},
		{"requests", "", report.Requests},
	}, r.leftOut()...))
	if len(report.Unknown) > 0 {
		fmt.Fprintln(r.errs, "those in doubt may have been messaged: look under Sendings in the dashboard, then use demeterrr journal forget")
	}
	problems := len(report.Skipped) + len(report.Failed) + len(report.Unknown) + len(report.InFlight)
	finished := r.finish(problems, journal)
	switch {
	case err != nil && ctx.Err() != nil:
		return &coded{exitInterrupted, errors.New("stopped; run the same command again to go on: nobody is sent to twice")}
	case err != nil && report.Requests > 0:
		return &coded{exitStopped, err} // something may have been sent
	case err != nil:
		return err
	}
	return finished
}

// finish writes the errors file, and returns the error of a run with problems.
func (r *executeRun) finish(problems int, journal string) error {
	if err := r.writeErrors(r.customers, &r.flags.bulkFlags, journal); err != nil {
		fmt.Fprintln(r.errs, err)
		problems++
	}
	if problems+r.left.invalid > 0 {
		return &coded{code: exitPartly}
	}
	return nil
}

func (r *executeRun) onProgress(p bulk.ExecuteProgress) {
	s := step{what: "sending", done: p.Sent, total: r.send, reason: p.WaitingFor, until: p.WaitingUntil}
	if left := r.requests - p.Requests; left > r.perMinute {
		now := time.Now()
		s.end = now.Add(estimate(left, r.perMinute, r.perHour, r.client.RateLimit(), now))
	}
	r.progress.show(s)
}

// onResult lists a contact that was not sent to.
func (r *executeRun) onResult(result bulk.ExecuteResult) {
	row := r.row(result.Index)
	switch result.Outcome {
	case bulk.ExecuteSent, bulk.ExecuteAlreadySent, bulk.ExecuteDuplicate, bulk.ExecuteNotTried:
	case bulk.ExecuteSkipped:
		r.list(row, skippedReason(result.Status))
	default:
		r.list(row, string(result.Outcome)+": "+bare(result.Err))
	}
}

func skippedReason(status demeterrr.ExecutionStatus) string {
	if status == "" {
		return "skipped: the API did not say why"
	}
	return fmt.Sprintf("skipped: the API's status is %q", status)
}
