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

// bulkFlags are the flags of sync and execute.
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
	flags.StringArrayVar(&f.file.Map, "map", nil, "map a column to a field, as `field=column` or field=#n; repeatable")
	flags.StringArrayVar(&f.file.Ignore, "ignore", nil, "`column` to ignore; repeatable")
	flags.StringArrayVar(&f.file.OnlyIf, "only-if", nil, "select rows with `column=value`; repeatable")
	flags.StringArrayVar(&f.file.SkipIf, "skip-if", nil, "skip rows with `column=value`; repeatable")
	flags.StringVar(&f.file.Region, "region", "", "`country` of phone numbers without a country code, such as DE")
	flags.StringVar(&f.file.Separator, "separator", "", "`character` between cells, or tab (default: detected)")
	flags.StringVar(&f.file.Quote, "quote", "", "`character` around cells (default: detected)")
	flags.StringVar(&f.file.Encoding, "encoding", "", "`name` of the encoding, such as windows-1252 (default: detected)")
	flags.StringVar(&f.file.Sheet, "sheet", "", "`name` of the sheet in a workbook (default: the only one)")
	flags.StringVar(&f.errors, "errors", "errors.csv", "`file` for left out and failed rows, with the reasons")
	flags.BoolVar(&f.optedOut, "include-opted-out", false, "include people who opted out, bounced, declined or cancelled")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan, and send nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "proceed without asking")
	registerDatabase(c, &f.database)
}

// customers is an open customer file and the outcome of its rows.
type customers struct {
	*customerfile.File
	path     string
	optedOut bool // include opted-out people

	mu     sync.Mutex     // guards rows and listed: batches end while rows are read
	rows   []int          // row numbers of the yielded contacts, in order
	listed map[int]string // reasons by row number
	left   struct{ optedOut, duplicates, filtered, invalid int }
}

// openCustomers opens the file. It fails if the errors file is the same file as
// the customers or one of the others.
func (a *app) openCustomers(path string, flags *bulkFlags, others ...string) (*customers, error) {
	options := flags.file
	options.Stdin = a.in
	counter := newCounter(a.errs) // half a million rows of a workbook take half a minute
	defer counter.close()
	options.OnRow = func(row int) { counter.show(step{what: "reading rows", done: row}) }
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

// contacts yields the contacts of the selected rows, and lists the other rows.
// Each iteration starts the lists anew.
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

// counts reports whether to send a row. It lists the other rows.
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
	case customerfile.Filtered: // by the user: counted, not listed
		c.left.filtered++
		return false
	}
	c.list(row.Number, row.Status.String()+": "+row.Reason)
	return false
}

// row returns the row number of a yielded contact.
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

// leftOut returns the counts of the left out rows.
func (c *customers) leftOut() tallies {
	return tallies{
		{"optedOut", "opted out (left out)", c.left.optedOut},
		{"duplicateRows", "duplicate", c.left.duplicates},
		{"notSelected", "not selected", c.left.filtered},
		{"invalid", "invalid", c.left.invalid},
	}
}

// writeErrors writes the errors file. Without listed rows it only clears an
// existing file.
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
