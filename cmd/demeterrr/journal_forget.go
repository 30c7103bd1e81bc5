package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go/bulk"
)

func (a *app) journalForget() *cobra.Command {
	var f journalFlags
	var yes bulkFlags
	c := &cobra.Command{
		Use:   "forget EMAIL...",
		Short: "Release contacts in doubt, so the next run sends to them",
		Long: "Release contacts in doubt. The next run sends to them.\n" +
			"First look up each contact under Sendings in the dashboard. A released contact with a sending there gets two messages.",
		Example:           "  demeterrr journal forget jane.smith@example.com",
		Args:              arguments(1, 1000),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, emails []string) error { return a.forget(c.Context(), &f, &yes, emails) },
	}
	f.register(c)
	c.Flags().BoolVarP(&yes.yes, "yes", "y", false, "proceed without asking")
	return c
}

func (a *app) forget(ctx context.Context, f *journalFlags, yes *bulkFlags, emails []string) error {
	if !yes.yes && !a.canAsk("") {
		return usagef("forget asks first, but there is no terminal; look under Sendings in the dashboard, then add --yes")
	}
	inDoubt, err := a.doubts(ctx, f, nil)
	if err != nil {
		return err
	}
	var chosen *doubt
	for _, email := range emails {
		d, err := only(inDoubt, email)
		if err != nil {
			return usage(err)
		}
		if chosen != nil && (chosen.Campaign != d.Campaign || chosen.Sequence != d.Sequence) {
			return usagef("the contacts are in doubt in several campaigns; name one with --campaign or --sequence, or forget one contact at a time")
		}
		chosen = d
	}
	question := fmt.Sprintf("Let the next run of campaign %s send to %s?", chosen.Campaign, count(len(emails), "contact"))
	if err := a.ask(ctx, yes, question); err != nil {
		return err
	}
	if err := f.forget(ctx, chosen, emails); err != nil {
		return usage(err)
	}
	fmt.Fprintf(a.errs, "the next run of campaign %s sends to %s\n", chosen.Campaign, strings.Join(emails, ", "))
	return nil
}

// only returns the entry in doubt of an email. It fails if there are several.
func only(inDoubt []doubt, email string) (*doubt, error) {
	key := bulk.EmailKey(email)
	i := slices.IndexFunc(inDoubt, func(d doubt) bool { return d.Email == key })
	if i < 0 {
		return nil, fmt.Errorf("%s is not in doubt; demeterrr journal show lists the contacts in doubt", email)
	}
	for _, d := range inDoubt[i+1:] {
		if d.Email == key {
			return nil, fmt.Errorf("%s is in doubt in several campaigns; name one with --campaign or --sequence", email)
		}
	}
	return &inDoubt[i], nil
}

func (f *journalFlags) forget(ctx context.Context, chosen *doubt, emails []string) error {
	if chosen.file != "" {
		c, err := openJournal(chosen.file, chosen.Sequence)
		if err != nil {
			return err
		}
		defer c.close()
		return c.forget(ctx, emails...)
	}
	store, db, err := openStore(ctx, f.database, true)
	if err != nil {
		return err
	}
	defer closeDatabase(db)
	return store.Campaign(storedName(chosen.Campaign)).Forget(ctx, emails...)
}
