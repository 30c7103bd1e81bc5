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

// findSequence returns the sequence with the name or the id, if it can be sent.
// With an id it does without the scope sequences:read.
func (a *app) findSequence(ctx context.Context, client *demeterrr.Client, name string) (*demeterrr.Sequence, error) {
	if !uuid.MatchString(name) {
		return a.sequenceByName(ctx, client, name)
	}
	id := strings.ToLower(name) // journals are found by it
	s, err := client.Sequences.Get(ctx, id, a.tellWaits())
	switch {
	case errors.Is(err, demeterrr.ErrInsufficientPermissions):
		fmt.Fprintln(a.errs, "the sequence is not checked: the key lacks the scope sequences:read")
		return &demeterrr.Sequence{ID: id, Name: id}, nil
	case errors.Is(err, demeterrr.ErrNotFound):
		return nil, usagef("there is no sequence %s; demeterrr sequences list has all", id)
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
		return nil, usagef("there is no sequence %q; there are %s", name, strings.Join(names, ", "))
	case 1:
		found[0].ID = strings.ToLower(found[0].ID)
		return found[0], checkActive(found[0])
	}
	var all []string
	for _, s := range found {
		all = append(all, fmt.Sprintf("%s (%s)", s.ID, s.Status))
	}
	return nil, usagef("%d sequences have the name %q; name one by its id: %s", len(found), name, strings.Join(all, ", "))
}

// checkActive refuses the states of a sequence that are known not to send.
func checkActive(s *demeterrr.Sequence) error {
	switch strings.ToLower(string(s.Status)) {
	case "draft", "paused", "archived":
		return usagef("the sequence %q is %s; activate it in the dashboard", s.Name, s.Status)
	}
	return nil
}
