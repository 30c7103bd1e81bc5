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
		Short: "Send a sequence once to each contact of a CSV or XLSX file",
		Long: "Send a sequence once to each contact of a CSV or XLSX file. The file - is standard input.\n" +
			"SEQUENCE is a name or an id. The command shows a plan and asks. After a yes it sends 100 contacts per request.\n\n" +
			"A journal records every contact. After a crash, or with more rows, run the same command again:\n" +
			"it sends to the remaining contacts. For the next survey, use a new --campaign.\n" +
			"Opted-out contacts are left out and listed. If an email appears twice, the first row wins.\n\n" + exitCodes,
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
	flags.StringVar(&f.options.LocationID, "location", "", "`id` of a location for all contacts")
	flags.StringVar(&f.options.EmployeeID, "employee", "", "`id` of an employee for all contacts")
	flags.BoolVar(&f.options.SplitRefused, "split-refused", false, "halve a rejected batch until the invalid contact is alone")
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
	send     int // planned contacts
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
	if err := f.mark(sequence.ID, f.database); err != nil {
		return err
	}
	return r.run(ctx, journal)
}

// executeContacts yields the selected contacts for Execute.
func (r *executeRun) executeContacts() iter.Seq2[demeterrr.ExecuteContact, error] {
	return func(yield func(demeterrr.ExecuteContact, error) bool) {
		for p, err := range r.contacts() {
			if !yield(demeterrr.ExecuteContact{Email: p.Email, FirstName: p.FirstName, LastName: p.LastName, Phone: p.Phone}, err) {
				return
			}
		}
	}
}

// run sends the sequence and reports the result.
func (r *executeRun) run(ctx context.Context, journal string) error {
	r.progress = newProgress(r.errs)
	defer r.progress.close()
	stop := context.AfterFunc(ctx, func() { r.progress.say("stopping; the batch in flight is allowed to finish") })
	defer stop()
	r.progress.show(step{what: "sending", total: r.send})
	options := r.flags.options
	options.Journal, options.OnProgress, options.OnResult = r.Journal, r.onProgress, r.onResult
	report, err := bulk.Execute(ctx, r.client, r.sequence.ID, r.executeContacts(), &options)
	r.progress.close()
	title := "Done"
	if err != nil {
		title = "Stopped early"
	}
	r.report(title, append(tallies{
		{"sent", "sent", report.Sent},
		{"alreadySent", "sent before", report.AlreadySent},
		{"skipped", "skipped by the API", len(report.Skipped)},
		{"failed", "failed", len(report.Failed)},
		{"unknown", "in doubt", len(report.Unknown)},
		{"inFlight", "in flight in another process", len(report.InFlight)},
		{"notTried", "not tried", len(report.NotTried)},
		{"requests", "", report.Requests},
	}, r.leftOut()...))
	if len(report.Unknown) > 0 {
		fmt.Fprintln(r.errs, "contacts in doubt may have been messaged: look under Sendings in the dashboard, then run demeterrr journal forget for the others")
	}
	problems := len(report.Skipped) + len(report.Failed) + len(report.Unknown) + len(report.InFlight)
	finished := r.finish(problems, journal)
	switch {
	case err != nil && ctx.Err() != nil:
		return &coded{exitInterrupted, errors.New("stopped; run the same command again to resume: no contact is messaged twice")}
	case err != nil && report.Requests > 0:
		return &coded{exitStopped, err} // something may have been sent
	case err != nil:
		return err
	}
	return finished
}

// finish writes the errors file, and returns an error if there were problems.
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

// onResult lists a contact without a sending.
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
		return "skipped: the API gave no reason"
	}
	return fmt.Sprintf("skipped: the API's status is %q", status)
}
