package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// syncFlags are the flags of contacts sync.
type syncFlags struct {
	bulkFlags
	source, state      string
	verify, clearEmpty bool
	managedTags        []string
}

func (a *app) contactsSync() *cobra.Command {
	var f syncFlags
	c := &cobra.Command{
		Use:   "sync FILE",
		Short: "Sync the contacts of a CSV or XLSX file to the account",
		Long: "Sync the contacts of a CSV or XLSX file to the account. The file - is standard input.\n" +
			"Sync reads the account, shows a plan and asks. After a yes it writes the differences.\n" +
			"Empty cells keep the values of the account. Sync deletes no contacts. If an email appears twice, the last row wins.\n" +
			"Known headers are mapped to fields automatically. --map assigns the other columns.\n\n" + exitCodes,
		Example: "  demeterrr contacts sync --dry-run customers.csv\n" +
			"  demeterrr contacts sync --map customFields.Tier=Level --region DE customers.xlsx\n" +
			"  demeterrr contacts sync --yes --source crm customers.csv",
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error { return a.syncContacts(c.Context(), &f, args[0]) },
	}
	f.register(c)
	flags := c.Flags()
	flags.StringVar(&f.source, "source", "", "`name` of the file's origin, such as crm; later runs use the saved state and skip reading the account")
	flags.StringVar(&f.state, "state", "", "`file` of the state, instead of --source")
	flags.BoolVar(&f.verify, "verify", false, "read the account despite a saved state, and repair both")
	flags.BoolVar(&f.clearEmpty, "clear-empty", false, "clear fields that this source has set before and that are empty now")
	flags.StringArrayVar(&f.managedTags, "managed-tag", nil, "`tag` owned by this file; contacts keep their other tags; repeatable")
	return c
}

func (f *syncFlags) check() error {
	switch {
	case f.state != "" && (f.source != "" || f.database != ""):
		return usagef("--state conflicts with --source and --database; use --state alone")
	case f.source == "" && f.state == "" && (f.verify || f.clearEmpty):
		return usagef("--verify and --clear-empty need a state; add --source NAME")
	}
	return nil
}

// syncState is an open state of a source. Without a source, state is nil.
type syncState struct {
	state bulk.SyncState
	file  string
	close func()
}

func (f *syncFlags) path() (string, error) {
	if f.state != "" || f.source == "" || f.database != "" {
		return f.state, nil
	}
	folder, err := stateFolder()
	// A key belongs to one organization. A new key starts with an empty state.
	return filepath.Join(folder, "sync-"+fileName(f.source)+"-"+keyHash()+".state"), err
}

func keyHash() string { return hash(os.Getenv("DEMETERRR_API_KEY")) }

func (f *syncFlags) open(ctx context.Context, path string) (*syncState, error) {
	s := &syncState{file: path, close: func() {}}
	switch {
	case path != "":
		if _, err := os.Stat(path); err != nil && f.dryRun {
			return s, nil // a dry run creates no file
		}
		if err := makeFolder(path); err != nil {
			return nil, usage(err)
		}
		file, err := bulk.OpenSyncState(path)
		if err != nil {
			return nil, usage(err) // err names the file
		}
		s.state, s.close = file, func() { _ = file.Close() }
		if f.state != "" { // the name of a state of --source has the key already
			s.state = keyState{file}
		}
	case f.source != "":
		store, db, err := openStore(ctx, f.database, f.dryRun)
		if errors.Is(err, errNoTables) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.state, s.close = store.SyncState(storedName(f.source)+"-"+keyHash()), func() { closeDatabase(db) }
	}
	return s, nil
}

// keyState ties a state to the API key as well as the address. Two accounts can
// have the same address.
type keyState struct{ bulk.SyncState }

func (s keyState) Acquire(ctx context.Context, address string) (release func(), err error) {
	release, err = s.SyncState.Acquire(ctx, address+"#"+keyHash())
	if errors.Is(err, bulk.ErrStateMismatch) {
		err = usagef("%w: the address or the API key differs; name another file with --state, or remove this one to read the account again", bulk.ErrStateMismatch)
	}
	return release, err
}

// syncRun is one run of contacts sync.
type syncRun struct {
	*app
	*customers
	flags     *syncFlags
	client    *demeterrr.Client
	progress  *progress
	unchanged int
	planned   *bulk.SyncPlan
}

func (a *app) syncContacts(ctx context.Context, f *syncFlags, path string) error {
	if err := errors.Join(f.check(), a.checkAsk(path, &f.bulkFlags)); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	statePath, err := f.path()
	if err != nil {
		return usage(err)
	}
	f.file.LastWins = true
	file, err := a.openCustomers(path, &f.bulkFlags, statePath)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	state, err := f.open(ctx, statePath)
	if err != nil {
		return err
	}
	defer state.close()
	r := &syncRun{app: a, customers: file, flags: f, client: client, progress: newProgress(a.errs)}
	defer r.progress.close()
	stop := context.AfterFunc(ctx, func() { r.progress.say("stopping; waiting for the requests in flight") })
	defer stop()
	report, err := bulk.Sync(ctx, client, file.contacts(), &bulk.SyncOptions{
		State: state.state, Verify: f.verify && state.state != nil, ClearEmpty: f.clearEmpty && state.state != nil, ManagedTags: f.managedTags,
		DryRun: f.dryRun, OnProgress: r.onProgress, OnResult: r.onResult,
		Confirm: func(p *bulk.SyncPlan) error {
			r.progress.pause()
			r.show(p)
			return a.ask(ctx, &f.bulkFlags, fmt.Sprintf("Write %s?", count(p.Creates+p.Updates, "contact")))
		},
	})
	r.progress.close()
	return r.finish(ctx, report, err, statePath)
}

func (r *syncRun) onResult(result bulk.SyncResult) {
	if result.Err != nil {
		r.list(r.row(result.Index), "failed: "+bare(result.Err))
	} else if result.Outcome == demeterrr.UpsertUnchanged {
		r.unchanged++
	}
}

func (r *syncRun) onProgress(p bulk.SyncProgress) {
	s := step{what: "reading", done: p.Reads, total: p.ReadsTotal, reason: p.WaitingFor, until: p.WaitingUntil}
	if p.WritesTotal > 0 {
		s.what, s.done, s.total = "writing", p.Writes, p.WritesTotal
	}
	if left := s.total - s.done; left > r.perMinute {
		now := time.Now()
		s.end = now.Add(estimate(left, r.perMinute, r.perHour, r.client.RateLimit(), now))
	}
	r.progress.show(s)
}

// show shows the plan of Sync.
func (r *syncRun) show(p *bulk.SyncPlan) {
	r.planned = p
	view := &plan{what: "Contacts of " + r.client.BaseURL() + ":", requests: p.Writes}
	if m := r.Mapping(); !m.Field("firstName") {
		view.note = "No first name column. New contacts need a first name: add --map firstName=COLUMN."
	}
	for change := range p.Changes() {
		if view.first = append(view.first, changeObject(change)); len(view.first) == firstRows {
			break
		}
	}
	view.counts = append(tallies{
		{"created", "to create", p.Creates},
		{"updated", "to update", p.Updates},
		{"unchanged", "unchanged", r.unchanged},
		{"failed", "will fail", max(0, len(r.rows)-r.unchanged-p.Creates-p.Updates)},
	}, r.leftOut()...)
	now := time.Now()
	view.takes = estimate(p.Writes, r.perMinute, r.perHour, r.client.RateLimit(), now)
	r.showPlan(r.customers, view)
}

// changeObject returns a change in the form of the request body.
func changeObject(change bulk.SyncChange) any {
	if change.Create != nil {
		return map[string]any{"create": change.Create}
	}
	return map[string]any{"update": change.Email, "with": change.Update}
}

// finish reports the result of a run, and returns its error.
func (r *syncRun) finish(ctx context.Context, report *bulk.SyncReport, err error, others ...string) error {
	failed := len(report.Failed) + r.left.invalid
	if r.planned == nil && err == nil { // a dry run, or nothing to write
		p := report.Plan
		if p == nil {
			p = &bulk.SyncPlan{}
		}
		r.unchanged = report.Unchanged
		r.show(p)
	}
	for _, refusal := range []*coded{errDeclined, errAskEnded} {
		if errors.Is(err, refusal) {
			return refusal
		}
	}
	if report.Read > 0 {
		title := "Done"
		switch {
		case err != nil:
			title = "Stopped early"
		case r.flags.dryRun:
			title = "Dry run, nothing was written; predicted"
		}
		r.report(title, append(tallies{
			{"created", "created", report.Created},
			{"updated", "updated", report.Updated},
			{"unchanged", "unchanged", report.Unchanged},
			{"failed", "failed", len(report.Failed)},
			{"notTried", "not tried", len(report.NotTried)},
			{"requests", "requests", report.Requests},
		}, r.leftOut()...))
	}
	if errWrite := r.writeErrors(r.customers, &r.flags.bulkFlags, others...); errWrite != nil {
		fmt.Fprintln(r.errs, errWrite)
		failed++
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return &coded{exitInterrupted, errors.New("stopped; run the same command again to resume: finished contacts are not written again")}
	case err != nil:
		return err
	case failed > 0:
		return &coded{code: exitPartly}
	}
	return nil
}
