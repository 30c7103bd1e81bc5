package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/demeterrr/demeterrr-go"
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// findSequence returns the active sequence with the name or the id. An id also
// works without the scope sequences:read.
func (a *app) findSequence(ctx context.Context, client *demeterrr.Client, name string) (*demeterrr.Sequence, error) {
	if !uuid.MatchString(name) {
		return a.sequenceByName(ctx, client, name)
	}
	id := strings.ToLower(name) // the journal's path contains it
	s, err := client.Sequences.Get(ctx, id, a.tellWaits())
	switch {
	case errors.Is(err, demeterrr.ErrInsufficientPermissions):
		fmt.Fprintln(a.errs, "warning: cannot check that the sequence is active: the key lacks the scope sequences:read")
		return &demeterrr.Sequence{ID: id, Name: id}, nil
	case errors.Is(err, demeterrr.ErrNotFound):
		return nil, usagef("sequence %s does not exist; demeterrr sequences list shows all sequences", id)
	case err != nil:
		return nil, err
	}
	s.ID = id
	return s, checkActive(s)
}

func (a *app) sequenceByName(ctx context.Context, client *demeterrr.Client, name string) (*demeterrr.Sequence, error) {
	var found []*demeterrr.Sequence
	var names []string
	for s, err := range client.Sequences.All(ctx, nil, a.tellWaits()) {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(strings.TrimSpace(s.Name), strings.TrimSpace(name)) {
			found = append(found, s)
		}
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	switch len(found) {
	case 0:
		const most = 10
		if len(names) > most {
			names = append(names[:most], "…")
		}
		return nil, usagef("sequence %q does not exist; use one of %s", name, strings.Join(names, ", "))
	case 1:
		found[0].ID = strings.ToLower(found[0].ID)
		return found[0], checkActive(found[0])
	}
	var all []string
	for _, s := range found {
		all = append(all, fmt.Sprintf("%s (%s)", s.ID, s.Status))
	}
	return nil, usagef("%d sequences have the name %q; use an id: %s", len(found), name, strings.Join(all, ", "))
}

// checkActive fails for a draft, paused or archived sequence.
func checkActive(s *demeterrr.Sequence) error {
	switch strings.ToLower(string(s.Status)) {
	case "draft", "paused", "archived":
		return usagef("the sequence %q is %s; activate it in the dashboard", s.Name, s.Status)
	}
	return nil
}
