package main

import (
	"github.com/spf13/cobra"
)

func (a *app) sequencesList() *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Short:             "List sequences and their ids",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              a.listSequences,
	}
}

func (a *app) listSequences(c *cobra.Command, _ []string) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	t := &table{headers: []string{"name", "status", "id"}, whole: []string{"id"}}
	for s, err := range client.Sequences.All(c.Context(), nil, a.tellWaits()) {
		if err != nil {
			return err
		}
		t.add(s, s.Name, string(s.Status), s.ID)
	}
	return a.print(t)
}
