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

// campaign is the journal of one campaign.
type campaign struct {
	bulk.Journal
	name     string // for display
	sequence string
	inDoubt  func(context.Context) iter.Seq2[bulk.JournalEntry, error]
	forget   func(context.Context, ...string) error
	close    func()
}

// campaignFlags select a campaign.
type campaignFlags struct {
	campaign, journal string
}

func (f *campaignFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.campaign, "campaign", "", "`name` of the campaign; each contact gets one message per campaign (default: one campaign per sequence)")
	c.Flags().StringVar(&f.journal, "journal", "", "`file` of the journal, instead of --campaign")
}

func (f *campaignFlags) check(database string) error {
	if f.journal != "" && (f.campaign != "" || database != "") {
		return usagef("--journal conflicts with --campaign and --database; use --journal alone")
	}
	if f.campaign != strings.TrimSpace(f.campaign) {
		return usagef("--campaign %q starts or ends with a space; remove it", f.campaign)
	}
	return nil
}

// checkAlike prevents an accidental second journal: it would message contacts
// again. It fails if the sequence has a journal file with another spelling of
// the campaign. With a database, it fails if the campaign has a journal file.
// With another database or none, it fails if the campaign ran with a database.
func (f *campaignFlags) checkAlike(sequence, database string) error {
	if f.journal != "" {
		return nil
	}
	if err := f.checkMarker(sequence, database); err != nil {
		return err
	}
	file, err := f.path(sequence, "")
	if err != nil {
		return nil //nolint:nilerr // no folder of journals
	}
	name := namedBy(filepath.Base(file))
	files, _ := os.ReadDir(filepath.Dir(file))
	// Windows and macOS open a file by another case of its name.
	exists := func(other fs.DirEntry) bool { return other.Name() == filepath.Base(file) }
	if database == "" && slices.ContainsFunc(files, exists) {
		return nil
	}
	for _, other := range files {
		before := namedBy(other.Name())
		switch {
		case filepath.Ext(other.Name()) != journalEnd || plainName(before) != plainName(name):
		case database != "":
			file := filepath.Join(filepath.Dir(file), other.Name())
			return usagef("the campaign has its journal in the file %s; run without the database to use it, or move the file away to start over", file)
		default:
			return usagef("--campaign %s: another campaign is spelled %s; use that name, or a name that differs in more than case and spaces", name, before)
		}
	}
	return nil
}

// namedBy returns the campaign of a journal file.
func namedBy(file string) string {
	file = strings.TrimSuffix(file, journalEnd)
	name, err := url.QueryUnescape(file)
	if err != nil {
		return file
	}
	return name
}

// plainName normalizes the name of a campaign: case, spaces and composed
// letters.
func plainName(name string) string {
	return strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(name))), " ")
}

const (
	journalEnd      = ".journal"
	defaultCampaign = "default"
)

// path returns the file of the journal. It is empty for a database.
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
// run creates nothing.
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
	name := plainName(f.campaign) // one campaign in the database, however it is spelled
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

// openJournal opens a journal file.
func openJournal(path, sequence string) (*campaign, error) {
	j, err := bulk.OpenJournal(path, sequence)
	if err != nil {
		return nil, usage(err) // err names the file
	}
	return &campaign{
		Journal: j, name: path, sequence: sequence, close: func() { _ = j.Close() },
		inDoubt: func(context.Context) iter.Seq2[bulk.JournalEntry, error] { return bulk.Slice(j.InDoubt()) },
		forget:  func(_ context.Context, emails ...string) error { return j.Forget(emails...) },
	}, nil
}

// noJournal is the empty journal of a dry run before the first real run.
type noJournal struct{ bulk.Journal }

func (noJournal) Lookup(context.Context, string, []string) ([]bulk.JournalEntry, error) {
	return nil, nil
}

// lookup returns the entries of the emails, in batches of 100.
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
