package main

import (
	"fmt"
	"iter"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/customerfile"
)

// bulkFlags are the flags of the commands that read a customer file.
type bulkFlags struct {
	file     customerfile.Options
	errors   string
	yes      bool
	dryRun   bool
	optedOut bool
	database string
}

func (f *bulkFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.file.Map, "map", nil, "the column of a field, as `field=column` or field=#n; repeat it for others")
	flags.StringArrayVar(&f.file.Ignore, "ignore", nil, "a `column` without a meaning; repeat it for others")
	flags.StringArrayVar(&f.file.OnlyIf, "only-if", nil, "take only rows with `column=value`; repeat it for others")
	flags.StringArrayVar(&f.file.SkipIf, "skip-if", nil, "leave out rows with `column=value`; repeat it for others")
	flags.StringVar(&f.file.Region, "region", "", "where phones without a country code are from, such as DE")
	flags.StringVar(&f.file.Separator, "separator", "", "the `character` between cells, or tab (default: found out)")
	flags.StringVar(&f.file.Quote, "quote", "", "the `character` around cells (default: found out)")
	flags.StringVar(&f.file.Encoding, "encoding", "", "the `name` of the encoding, such as windows-1252 (default: found out)")
	flags.StringVar(&f.file.Sheet, "sheet", "", "the sheet of a workbook (default: the only one)")
	flags.StringVar(&f.errors, "errors", "errors.csv", "`file` for the rows that were left out or failed, and why")
	flags.BoolVar(&f.optedOut, "include-opted-out", false, "take the people too who opted out, bounced, declined or cancelled")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only tell what would happen")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	registerDatabase(c, &f.database)
}

// customers is an open customer file, and what becomes of its rows.
type customers struct {
	*customerfile.File
	path     string
	optedOut bool // take them too

	mu     sync.Mutex     // of rows and listed: batches end while rows are drawn
	rows   []int          // of the contacts that were drawn, in their order
	listed map[int]string // why a row was left out or failed, by its number
	left   struct{ optedOut, duplicates, filtered, invalid int }
}

// openCustomers opens the file, and makes sure that the errors file is none of
// the others.
func (a *app) openCustomers(path string, flags *bulkFlags, others ...string) (*customers, error) {
	options := flags.file
	options.Stdin = a.in
	file, err := customerfile.Open(path, options)
	if err != nil {
		return nil, usage(err)
	}
	if err := file.CheckOutput(flags.errors, append(others, databaseFiles(flags.database)...)...); err != nil {
		_ = file.Close()
		return nil, usagef("--errors %w", err)
	}
	return &customers{File: file, path: path, optedOut: flags.optedOut}, nil
}

// contacts yields the contacts of the rows that count. Each time it begins anew
// to list the others.
func (c *customers) contacts() iter.Seq2[demeterrr.ContactParams, error] {
	return func(yield func(demeterrr.ContactParams, error) bool) {
		c.rows, c.listed = c.rows[:0], map[int]string{}
		c.left = struct{ optedOut, duplicates, filtered, invalid int }{}
		for row, err := range c.Rows() {
			if err != nil {
				yield(demeterrr.ContactParams{}, usage(fmt.Errorf("%s: %w", c.path, err)))
				return
			}
			if !c.counts(row) {
				continue
			}
			c.mu.Lock()
			c.rows = append(c.rows, row.Number)
			c.mu.Unlock()
			if !yield(row.Params, nil) {
				return
			}
		}
	}
}

// counts reports whether a row counts, and lists what does not.
func (c *customers) counts(row customerfile.Row) bool {
	for _, note := range row.Notes {
		c.list(row.Number, note)
	}
	switch row.Status {
	case customerfile.Ready:
		return true
	case customerfile.OptedOut:
		if c.optedOut {
			return true
		}
		c.left.optedOut++
	case customerfile.Duplicate:
		c.left.duplicates++
	case customerfile.Invalid:
		c.left.invalid++
	case customerfile.Filtered: // as the user asked
		c.left.filtered++
		return false
	}
	c.list(row.Number, row.Status.String()+": "+row.Reason)
	return false
}

// row returns the number of the row with a contact that was drawn.
func (c *customers) row(contact int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows[contact]
}

// list adds a reason to a row.
func (c *customers) list(row int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.listed[row]; before != "" {
		reason = before + "; " + reason
	}
	c.listed[row] = reason
}

// leftOut counts the rows that do not count.
func (c *customers) leftOut() tallies {
	return tallies{
		{"optedOut", "opted out (left out)", c.left.optedOut},
		{"duplicateRows", "duplicate", c.left.duplicates},
		{"notSelected", "not selected", c.left.filtered},
		{"invalid", "invalid", c.left.invalid},
	}
}

// writeErrors writes the errors file. It makes none where there is nothing to
// list.
func (a *app) writeErrors(c *customers, flags *bulkFlags, others ...string) error {
	if _, err := os.Stat(flags.errors); err != nil && len(c.listed) == 0 {
		return nil
	}
	if err := c.WriteErrors(flags.errors, c.listed, append(others, databaseFiles(flags.database)...)...); err != nil {
		return err
	}
	if len(c.listed) > 0 {
		fmt.Fprintf(a.errs, "%s listed in %s\n", count(len(c.listed), "row"), flags.errors)
	}
	return nil
}
