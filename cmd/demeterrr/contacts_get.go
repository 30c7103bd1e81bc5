package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go"
)

func (a *app) contactsGet() *cobra.Command {
	return &cobra.Command{
		Use:               "get ID|EMAIL...",
		Short:             "Show contacts by ID or email",
		Example:           "  demeterrr contacts get jane.smith@example.com",
		Args:              arguments(1, 1000),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.getContacts,
	}
}

func (a *app) getContacts(c *cobra.Command, names []string) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	var contacts []*demeterrr.Contact
	for _, name := range names {
		get := client.Contacts.Get
		if strings.Contains(name, "@") {
			get = client.Contacts.FindByEmail
		}
		contact, err := get(c.Context(), name, a.tellWaits())
		if err != nil {
			return fmt.Errorf("contact %s: %w", name, err)
		}
		contacts = append(contacts, contact)
	}
	if a.output != "table" {
		return a.printContacts(contacts)
	}
	all := contactCSV(contacts)
	return all.blocks(a.out)
}
