package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// journalFlags select journals of the account.
type journalFlags struct {
	campaignFlags
	sequence, database string
}

func (f *journalFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.campaign, "campaign", "", "`name` of the campaign (default: all)")
	c.Flags().StringVar(&f.journal, "journal", "", "`file` of one journal (default: all journals of the account)")
	c.Flags().StringVar(&f.sequence, "sequence", "", "`id` of the sequence (default: all)")
	registerDatabase(c, &f.database)
}

// doubt is a journal entry and its journal.
type doubt struct {
	Campaign  string `json:"campaign"`
	Sequence  string `json:"sequenceId"`
	Email     string `json:"email"`
	State     string `json:"state"`
	Status    string `json:"status,omitempty"`
	ContactID string `json:"contactId,omitempty"`
	Owner     string `json:"owner,omitempty"`
	At        string `json:"at,omitempty"`
	file      string
}

func newDoubt(campaign, sequence, file string, e bulk.JournalEntry) doubt {
	state := string(e.State)
	switch {
	case e.Live:
		state = "in flight"
	case e.State != bulk.JournalDone:
		state = "in doubt"
	}
	return doubt{campaign, sequence, e.Email, state, string(e.Status), e.ContactID, e.Owner, timeCell(e.At), file}
}

// doubts returns the entries of the emails. Without emails, it returns all
// entries in doubt.
func (a *app) doubts(ctx context.Context, f *journalFlags, emails []string) ([]doubt, error) {
	if err := f.check(f.database); err != nil {
		return nil, err
	}
	keys := make([]string, len(emails))
	for i, email := range emails {
		keys[i] = bulk.EmailKey(email)
	}
	if f.database != "" {
		return f.storedDoubts(ctx, emails)
	}
	files, err := f.files()
	if err != nil {
		return nil, usage(err)
	}
	if len(files) == 0 && (f.campaign != "" || f.sequence != "") {
		return nil, usagef("the account has no journal of that campaign or sequence; omit --campaign and --sequence to see all")
	}
	var all []doubt
	for _, file := range files {
		sequence, err := sequenceOf(file)
		if err != nil {
			return nil, usagef("the journal %s: %w", file, err)
		}
		c, err := openJournal(file, sequence)
		if err != nil {
			if f.journal != "" {
				return nil, err
			}
			fmt.Fprintln(a.errs, bare(err)) // open in another run
			continue
		}
		found, err := c.find(ctx, namedBy(strings.TrimSuffix(filepath.Base(file), journalEnd)), file, keys)
		c.close()
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// find returns the entries of the keys. Without keys, it returns all entries in
// doubt.
func (c *campaign) find(ctx context.Context, name, file string, keys []string) (all []doubt, err error) {
	if len(keys) > 0 {
		entries, err := c.lookup(ctx, keys)
		for _, e := range entries {
			all = append(all, newDoubt(name, c.sequence, file, e))
		}
		return all, err
	}
	for e, err := range c.inDoubt(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, newDoubt(name, c.sequence, file, e))
	}
	return all, nil
}

// files returns the selected journals of the account.
func (f *journalFlags) files() ([]string, error) {
	if f.journal != "" {
		return []string{f.journal}, nil
	}
	folder, err := stateFolder()
	if err != nil {
		return nil, err
	}
	sequence, name := "*", "*"
	if f.sequence != "" {
		sequence = fileName(strings.ToLower(f.sequence))
	}
	if f.campaign != "" {
		name = fileName(f.campaign)
	}
	return filepath.Glob(filepath.Join(escapeGlob(folder), sequence, name+journalEnd))
}

// escapeGlob escapes the special characters of filepath.Glob.
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path // filepath.Glob has no escapes on Windows
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// sequenceOf returns the sequence in the first line of a journal.
func sequenceOf(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	line, _ := bufio.NewReaderSize(file, 4096).ReadSlice('\n')
	var header struct {
		Journal    string `json:"journal"`
		SequenceID string `json:"sequenceId"`
	}
	if err := json.Unmarshal(line, &header); err != nil || header.Journal == "" || header.SequenceID == "" {
		return "", errors.New("not a journal; name another file with --journal")
	}
	return header.SequenceID, nil
}

// storedDoubts is doubts for a database.
func (f *journalFlags) storedDoubts(ctx context.Context, emails []string) ([]doubt, error) {
	store, db, err := openStore(ctx, f.database, true)
	if err != nil {
		return nil, err
	}
	defer closeDatabase(db)
	var entries []sqlstore.Entry
	if len(emails) > 0 {
		if entries, err = store.Lookup(ctx, emails...); err != nil {
			return nil, err
		}
	} else if entries, err = bulk.Collect(store.InDoubt(ctx)); err != nil {
		return nil, err
	}
	var all []doubt
	for _, e := range entries {
		name, ours := accountName(e.Campaign)
		if ours && (f.campaign == "" || name == f.campaign) && (f.sequence == "" || strings.EqualFold(e.SequenceID, f.sequence)) {
			all = append(all, newDoubt(name, e.SequenceID, "", e.JournalEntry))
		}
	}
	return all, nil
}
