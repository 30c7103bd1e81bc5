package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
)

func (a *app) contactsList() *cobra.Command {
	var params demeterrr.ContactListParams
	limit := 50
	c := &cobra.Command{
		Use:               "list",
		Short:             "List contacts",
		Example:           "  demeterrr contacts list --search doe\n  demeterrr contacts list --limit 0 -o json | jq .email",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return a.listContacts(c, params, limit) },
	}
	flags := c.Flags()
	flags.StringVar(&params.Search, "search", "", "`text` in the first name, last name or email")
	flags.StringVar(&params.Email, "email", "", "exact email `address`")
	flags.StringVar(&params.Phone, "phone", "", "exact phone `number`")
	flags.StringVar(&params.LocationID, "location", "", "`id` of a location")
	flags.IntVar(&limit, "limit", limit, "maximum number of `contacts`; 0 lists all, at one request per 100")
	return c
}

func (a *app) listContacts(c *cobra.Command, params demeterrr.ContactListParams, limit int) error {
	if limit < 0 {
		return usagef("--limit must be at least 0")
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	var contacts []*demeterrr.Contact
	if limit == 0 || limit > 100 {
		for contact, err := range client.Contacts.All(c.Context(), &params, a.tellWaits()) {
			if err != nil {
				return err
			}
			if contacts = append(contacts, contact); len(contacts) == limit {
				fmt.Fprintf(a.errs, "first %s; --limit 0 lists all\n", count(limit, "contact"))
				break
			}
		}
		return a.printContacts(contacts)
	}
	params.Limit = limit
	page, err := client.Contacts.List(c.Context(), &params, a.tellWaits())
	if err != nil {
		return err
	}
	for i := range page.Items {
		contacts = append(contacts, &page.Items[i])
	}
	if page.Total > len(contacts) {
		fmt.Fprintf(a.errs, "%d of %s; --limit 0 lists all\n", len(contacts), count(page.Total, "contact"))
	}
	return a.printContacts(contacts)
}
