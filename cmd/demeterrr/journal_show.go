package main

import "github.com/spf13/cobra"

func (a *app) journalShow() *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "show [EMAIL...]",
		Short: "Show who is in doubt, or what the journals have of some people",
		Long: "Show who is in doubt in the journals of the account: a reply was lost, or a run was killed, and they may have been\n" +
			"messaged. With emails, show what the journals have of these people. It makes no request.",
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
			return a.print(t)
		},
	}
	f.register(c)
	return c
}
