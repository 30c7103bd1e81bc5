package main

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// campaign is a journal: who was sent to in one campaign of one account.
type campaign struct {
	bulk.Journal
	name     string // for people
	sequence string
	inDoubt  func(context.Context) iter.Seq2[bulk.JournalEntry, error]
	forget   func(context.Context, ...string) error
	close    func()
}

// campaignFlags name a campaign.
type campaignFlags struct {
	campaign, journal string
}

func (f *campaignFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.campaign, "campaign", "", "the `name` of the campaign: it sends to each contact once (default: one for each sequence)")
	c.Flags().StringVar(&f.journal, "journal", "", "`file` of the journal, in place of one by the name of the campaign")
}

func (f *campaignFlags) check(database string) error {
	if f.journal != "" && (f.campaign != "" || database != "") {
		return usagef("--journal names a file; leave out --campaign and --database")
	}
	if f.campaign != strings.TrimSpace(f.campaign) {
		return usagef("--campaign %q has a space at an end; leave that out", f.campaign)
	}
	return nil
}

// checkAlike returns an error if the sequence has a journal in a file that the
// campaign may mean: one whose name differs in spelling only, or its own where
// a database is to be used. Everybody in it would be sent to again.
func (f *campaignFlags) checkAlike(sequence, database string) error {
	if f.journal != "" {
		return nil
	}
	file, err := f.path(sequence, "")
	if err != nil {
		return nil //nolint:nilerr // there is no folder of journals
	}
	if _, err := os.Stat(file); err == nil {
		if database != "" {
			return usagef("the campaign has its journal in a file, %s; leave out the database to go on with it, or move the file away to begin anew", file)
		}
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(file), journalEnd)
	files, _ := os.ReadDir(filepath.Dir(file))
	for _, other := range files {
		if before, ok := strings.CutSuffix(other.Name(), journalEnd); ok && plainName(before) == plainName(name) {
			return usagef("--campaign %s: there is one that is spelled %s; name that, or one that differs in more than case and spaces", namedBy(name), namedBy(before))
		}
	}
	return nil
}

// namedBy is the name of a campaign with a file of that name.
func namedBy(file string) string {
	name, err := url.QueryUnescape(file)
	if err != nil {
		return file
	}
	return name
}

// plainName is the same for all spellings of a name: case, kinds of spaces and
// composed letters make no difference.
func plainName(file string) string {
	return strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(namedBy(file)))), " ")
}

const (
	journalEnd      = ".journal"
	defaultCampaign = "default"
)

// path is the file of the journal; empty if it is in a database.
func (f *campaignFlags) path(sequence, database string) (string, error) {
	if f.journal != "" || database != "" {
		return f.journal, nil
	}
	folder, err := stateFolder()
	name := f.campaign
	if name == "" {
		name = defaultCampaign
	}
	return filepath.Join(folder, fileName(sequence), fileName(name)+journalEnd), err
}

// open opens the journal of a sequence at the path, or in the database. A dry
// run makes none.
func (f *campaignFlags) open(ctx context.Context, path, sequence, database string, dryRun bool) (*campaign, error) {
	if path != "" {
		if _, err := os.Stat(path); dryRun && errors.Is(err, fs.ErrNotExist) {
			return &campaign{Journal: noJournal{}, name: path, sequence: sequence, close: func() {}}, nil
		}
		if err := makeFolder(path); err != nil {
			return nil, usage(err)
		}
		return openJournal(path, sequence)
	}
	name := f.campaign
	if name == "" {
		name = sequence
	}
	store, db, err := openStore(ctx, database, dryRun)
	if errors.Is(err, errNoTables) {
		return &campaign{Journal: noJournal{}, name: storedName(name), sequence: sequence, close: func() {}}, nil
	}
	if err != nil {
		return nil, err
	}
	c := store.Campaign(storedName(name))
	return &campaign{
		Journal: c, name: c.Name(), sequence: sequence, inDoubt: c.InDoubt, forget: c.Forget, close: func() { closeDatabase(db) },
	}, nil
}

// openJournal opens the file of a journal.
func openJournal(path, sequence string) (*campaign, error) {
	j, err := bulk.OpenJournal(path, sequence)
	if err != nil {
		return nil, usage(err) // it names the file
	}
	return &campaign{
		Journal: j, name: path, sequence: sequence, close: func() { _ = j.Close() },
		inDoubt: func(context.Context) iter.Seq2[bulk.JournalEntry, error] { return bulk.Slice(j.InDoubt()) },
		forget:  func(_ context.Context, emails ...string) error { return j.Forget(emails...) },
	}, nil
}

// noJournal is the journal of a dry run that has no file yet.
type noJournal struct{ bulk.Journal }

func (noJournal) Lookup(context.Context, string, []string) ([]bulk.JournalEntry, error) {
	return nil, nil
}

// lookup returns what the journal knows of any number of emails.
func (c *campaign) lookup(ctx context.Context, emails []string) (known []bulk.JournalEntry, err error) {
	for some := range slices.Chunk(emails, 100) {
		entries, err := c.Lookup(ctx, c.sequence, some)
		if err != nil {
			return nil, err
		}
		known = append(known, entries...)
	}
	return known, nil
}
