package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) journalShow() *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "show [EMAIL...]",
		Short: "Show contacts in doubt, or the journal entries of given emails",
		Long: "Show the contacts in doubt in all journals of the account. A contact is in doubt after a lost reply or a killed run:\n" +
			"it may have been messaged. With emails, show the journal entries of these contacts. The command sends no requests.",
		Example:           "  demeterrr journal show\n  demeterrr journal show jane.smith@example.com",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, emails []string) error {
			all, err := a.doubts(c.Context(), &f, emails)
			if err != nil {
				return err
			}
			t := &table{headers: []string{"email", "state", "status", "at", "owner", "campaign", "sequence"}, whole: []string{"email", "state", "sequence"}}
			for _, d := range all {
				t.add(d, d.Email, d.State, d.Status, d.At, d.Owner, d.Campaign, d.Sequence)
			}
			switch {
			case len(all) > 0 || a.output != "table":
				return a.print(t)
			case len(emails) > 0:
				fmt.Fprintln(a.errs, "the journals have no entries of these emails")
			default:
				fmt.Fprintln(a.errs, "no contact is in doubt")
			}
			return nil
		},
	}
	f.register(c)
	return c
}
