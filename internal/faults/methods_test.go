package faults

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// method is one exported method, called as a user would. If it succeeds with a
// wrong value, its call returns an error.
type method struct {
	name string
	kind kind
	// several is set if one call takes several requests. The attempts of one
	// request are then meaningless.
	several bool
	// finishes is set if a request in flight is allowed to finish when the
	// context ends.
	finishes bool
	call     func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error
}

// errWrongValue marks a success with a wrong value.
var errWrongValue = errors.New("succeeded with a wrong value")

func right(err error, ok bool, got any) error {
	if err == nil && !ok {
		return fmt.Errorf("%w: %+v", errWrongValue, got)
	}
	return err
}

func methods() []method { return slices.Concat(readers(), writers()) }

func readers() []method {
	return []method{
		{name: "Contacts.List", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			page, err := l.client.Contacts.List(ctx, &demeterrr.ContactListParams{Email: knownEmail}, opts...)
			return right(err, err != nil || len(page.Items) == 1 && page.Items[0].ID == l.known.ID, page)
		}},
		{name: "Contacts.All", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			n := 0
			for c, err := range l.client.Contacts.All(ctx, &demeterrr.ContactListParams{Search: "canary"}, opts...) {
				if err != nil {
					return err
				}
				if c.ID == l.known.ID {
					n++
				}
			}
			return right(nil, n == 1, n)
		}},
		{name: "Contacts.Get", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			c, err := l.client.Contacts.Get(ctx, l.known.ID, opts...)
			return right(err, err != nil || c.Email == knownEmail, c)
		}},
		{name: "Contacts.FindByEmail", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			c, err := l.client.Contacts.FindByEmail(ctx, knownEmail, opts...)
			return right(err, err != nil || c.ID == l.known.ID, c)
		}},
		{name: "Sequences.List", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			page, err := l.client.Sequences.List(ctx, nil, opts...)
			return right(err, err != nil || len(page.Items) == 1 && page.Items[0].ID == l.sequence.ID, page)
		}},
		{name: "Sequences.All", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			n := 0
			for s, err := range l.client.Sequences.All(ctx, nil, opts...) {
				if err != nil {
					return err
				}
				if s.ID == l.sequence.ID {
					n++
				}
			}
			return right(nil, n == 1, n)
		}},
		{name: "Sequences.Get", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			s, err := l.client.Sequences.Get(ctx, l.sequence.ID, opts...)
			return right(err, err != nil || s.Name == "Welcome", s)
		}},
		{name: "Do GET", kind: reads, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			var out struct{ Data struct{ Email string } }
			err := l.client.Do(ctx, &demeterrr.Request{Method: http.MethodGet, Path: "/contacts/" + l.known.ID}, &out, opts...)
			return right(err, out.Data.Email == knownEmail, out)
		}},
	}
}

func writers() []method {
	return []method{
		{name: "Contacts.Update", kind: updates, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			c, err := l.client.Contacts.Update(ctx, l.known.ID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("New")}, opts...)
			return right(err, err != nil || c.LastName == "New", c)
		}},
		{name: "Do PATCH", kind: updates, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			var out struct{ Data struct{ LastName string } }
			req := &demeterrr.Request{Method: http.MethodPatch, Path: "/contacts/" + l.known.ID, Body: map[string]any{"lastName": "New"}}
			err := l.client.Do(ctx, req, &out, opts...)
			return right(err, out.Data.LastName == "New", out)
		}},
		{name: "Contacts.Delete", kind: deletes, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			return l.client.Contacts.Delete(ctx, l.known.ID, opts...)
		}},
		{name: "Contacts.Create", kind: creates, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			c, err := l.client.Contacts.Create(ctx, &demeterrr.ContactParams{Email: newEmail, FirstName: "New"}, opts...)
			return right(err, err != nil || c.Email == newEmail, c)
		}},
		{name: "Contacts.Upsert", kind: upserts, several: true, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			c, _, err := l.client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: newEmail, FirstName: "New"}, opts...)
			return right(err, err != nil || c.Email == newEmail, c)
		}},
		{name: "Sequences.Execute", kind: executes, call: execute},
		{name: "Do POST", kind: executes, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			var out struct{ Data struct{ SendingsCreated int } }
			body := map[string]any{"contacts": []any{map[string]any{"email": knownEmail}, map[string]any{"email": newEmail}}}
			req := &demeterrr.Request{Method: http.MethodPost, Path: "/sequences/" + l.sequence.ID + "/execute", Body: body}
			err := l.client.Do(ctx, req, &out, opts...)
			return right(err, out.Data.SendingsCreated == 2, out)
		}},
		{name: "Do PUT", kind: executes, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			var out struct{ Data struct{ ID string } }
			req := &demeterrr.Request{Method: http.MethodPut, Path: "/surveys/x", Body: map[string]any{"name": "canary"}}
			err := l.client.Do(ctx, req, &out, opts...)
			return right(err, out.Data.ID != "", out)
		}},
		{name: "Sequences.Execute, WithAtMostOnce", kind: sendOnce, call: func(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
			return execute(ctx, l, append(opts, demeterrr.WithAtMostOnce())...)
		}},
		{name: "bulk.Sync", kind: reads, several: true, call: syncNothing},
		{name: "bulk.Sync, State", kind: updates, several: true, finishes: true, call: syncWithState},
		{name: "bulk.Execute", kind: sendOnce, several: true, finishes: true, call: executeAll},
		{name: "bulk.Execute, Journal", kind: sendOnce, several: true, finishes: true, call: executeWithJournal},
		{name: "bulk.ExecuteOnce", kind: sendOnce, several: true, finishes: true, call: executeOnce},
	}
}

func execute(ctx context.Context, l *lab, opts ...demeterrr.CallOption) error {
	people := []demeterrr.ExecuteContact{{Email: knownEmail}, {Email: newEmail}}
	e, err := l.client.Sequences.Execute(ctx, l.sequence.ID, &demeterrr.ExecuteParams{Contacts: people}, opts...)
	return right(err, err != nil || e.SendingsCreated == 2 && len(e.Results) == 2, e)
}

// syncNothing syncs contacts that already match, so that it only reads.
func syncNothing(ctx context.Context, l *lab, _ ...demeterrr.CallOption) error {
	report, err := bulk.Sync(ctx, l.client, inputs(demeterrr.ContactParams{Email: knownEmail, FirstName: "Known"}), nil)
	adds := report.Read == 1 && report.Unchanged+len(report.Failed)+len(report.NotTried) == 1
	if adds && len(report.Failed) == 1 {
		return report.Failed[0].Err // a failed lookup is the contact's own error, and the others go on
	}
	return right(err, adds && report.Unchanged == 1, report)
}

// syncWithState syncs a contact known to the state with other content: one
// PATCH. It holds the state to the outcome: a success is clean, and everything
// else is sent again.
func syncWithState(ctx context.Context, l *lab, _ ...demeterrr.CallOption) error {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	state, err := bulk.OpenSyncState(filepath.Join(dir, "crm.state"))
	if err != nil {
		return err
	}
	defer state.Close()
	quiet := context.WithoutCancel(ctx)
	release, err := state.Acquire(quiet, l.client.BaseURL())
	if err != nil {
		return err
	}
	err = state.Save(quiet, []bulk.SyncEntry{{Email: bulk.EmailKey(knownEmail), ContactID: l.known.ID}})
	release()
	if err != nil {
		return err
	}
	report, err := bulk.Sync(ctx, l.client, inputs(demeterrr.ContactParams{Email: knownEmail, FirstName: "Known", LastName: "New"}), &bulk.SyncOptions{State: state})
	entries, broken := state.Lookup(quiet, []string{bulk.EmailKey(knownEmail)})
	switch {
	case broken != nil:
		return broken
	case len(entries) != 1 || entries[0].ContactID != l.known.ID || entries[0].Dirty != (report.Updated == 0):
		return fmt.Errorf("%w: the state has %+v after %+v", errWrongValue, entries, report)
	case report.Read == 1 && len(report.Failed) == 1:
		return report.Failed[0].Err
	}
	return right(err, report.Read == 1 && report.Updated == 1, report)
}

// executeAll returns the error of the one batch.
func executeAll(ctx context.Context, l *lab, _ ...demeterrr.CallOption) error {
	return executeBatch(ctx, l, nil)
}

// executeWithJournal holds the journal to the outcome.
func executeWithJournal(ctx context.Context, l *lab, _ ...demeterrr.CallOption) error {
	journal := demeterrrtest.NewJournal()
	err := executeBatch(ctx, l, journal)
	return recorded(journal, l, 2, err)
}

// executeOnce holds the journal to the outcome.
func executeOnce(ctx context.Context, l *lab, _ ...demeterrr.CallOption) error {
	journal := demeterrrtest.NewJournal()
	result, err := bulk.ExecuteOnce(ctx, l.client, l.sequence.ID, demeterrr.ExecuteContact{Email: newEmail}, journal, nil)
	if err == nil && (result.Status != demeterrr.ExecutionQueued || result.Earlier) {
		return right(nil, false, result)
	}
	return recorded(journal, l, 1, err)
}

// recorded is err, or what is wrong with the journal after it: a success is done,
// a doubt is unknown, and anything else is gone.
func recorded(journal *demeterrrtest.Journal, l *lab, people int, err error) error {
	want := bulk.JournalNew
	switch {
	case err == nil:
		want = bulk.JournalDone
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		want = bulk.JournalUnknown
	}
	entries := journal.Entries(l.sequence.ID)
	for _, entry := range entries {
		if entry.State != want {
			return errors.Join(fmt.Errorf("the journal has %+v", entry), err)
		}
	}
	if (len(entries) == people) != (want != bulk.JournalNew) {
		return errors.Join(fmt.Errorf("the journal has %d entries, want %d", len(entries), people), err)
	}
	return err
}

func executeBatch(ctx context.Context, l *lab, journal bulk.Journal) error {
	report, err := bulk.Execute(ctx, l.client, l.sequence.ID, inputs(
		demeterrr.ExecuteContact{Email: knownEmail}, demeterrr.ExecuteContact{Email: newEmail},
		demeterrr.ExecuteContact{Email: strings.ToUpper(newEmail)}), &bulk.ExecuteOptions{Journal: journal})
	failed, unknown := len(report.Failed), len(report.Unknown)
	if report.Duplicates != 1 || report.Read != 1+report.Sent+len(report.Skipped)+failed+unknown+len(report.NotTried) {
		return fmt.Errorf("%w: the report does not add up: %+v", errWrongValue, report)
	}
	switch {
	case failed == 2 && unknown == 0 && !errors.Is(report.Failed[0].Err, demeterrr.ErrUnknownOutcome):
		return report.Failed[0].Err
	case unknown == 2 && failed == 0 && errors.Is(report.Unknown[0].Err, demeterrr.ErrUnknownOutcome):
		return report.Unknown[0].Err
	}
	return right(err, report.Sent == 2, report)
}

// inputs is a sequence without an error.
func inputs[T any](values ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}
