package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// failsToClaim is an empty journal that cannot claim.
type failsToClaim struct{ err error }

func (failsToClaim) Lookup(context.Context, string, []string) ([]bulk.JournalEntry, error) {
	return nil, nil
}

func (j failsToClaim) Claim(context.Context, string, string, []string) ([]bulk.JournalEntry, error) {
	return nil, j.err
}

func (failsToClaim) Finish(context.Context, string, string, []bulk.JournalEntry) error { return nil }

// failing returns the errors of operations in which err occurs, one for each
// place of origin.
func failing(t *testing.T, err error) map[string]error {
	t.Helper()
	client := through(t, func(*http.Request) (*http.Response, error) { return replying(404, ""), nil })
	john := customerList(0, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(err)
	_, input := bulk.Sync(t.Context(), client, thenFail(john, err), nil)
	_, executed := bulk.Execute(t.Context(), client, "s1", thenFail(recipients(0, 1), err), nil)
	_, journal := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 1)), &bulk.ExecuteOptions{Journal: failsToClaim{err}})
	_, ended := bulk.Sync(ctx, client, bulk.Slice(john), nil)
	return map[string]error{
		"the input of Sync": input, "the input of Execute": executed, "a journal": journal, "the context": ended,
	}
}

func TestATextHasOnePrefixHoweverErrorsAreNested(t *testing.T) {
	t.Parallel()
	inner := &demeterrr.Error{Code: demeterrr.CodeRateLimited, Message: "inner", RetryAfter: time.Minute}
	for name, err := range map[string]error{
		"an Error": inner, "a wrapped one": fmt.Errorf("mine: %w", inner), "two of them": errors.Join(inner, fmt.Errorf("and %w", inner)),
		"a sentinel": demeterrr.ErrTimeout, "a wrapped sentinel": fmt.Errorf("mine: %w", demeterrr.ErrRateLimited),
		"one made of a text": &demeterrr.Error{Message: inner.Error()},
	} {
		for where, failed := range failing(t, err) {
			e, ok := errors.AsType[*demeterrr.Error](failed)
			if !ok {
				t.Fatalf("%s of %s: %v has no *Error", name, where, failed)
			}
			for _, text := range []string{failed.Error(), e.Error(), "demeterrr: " + e.Message, "demeterrr: " + e.LogValue().String()} {
				if !strings.HasPrefix(text, "demeterrr: ") || strings.Count(text, "demeterrr: ") != 1 {
					t.Errorf("%s of %s: %s", name, where, text)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "journal")
	j := openJournal(t, path, "s1")
	_, ofAnother := bulk.Execute(t.Context(), serving(t, neverSent(t)), "s2", bulk.Slice(recipients(0, 1)), &bulk.ExecuteOptions{Journal: j})
	_ = j.Close()
	_, opened := bulk.OpenJournal(path, "s2")
	for _, err := range []error{ofAnother, opened} {
		if text := err.Error(); !strings.HasPrefix(text, "demeterrr: ") || strings.Count(text, "demeterrr: ") != 1 {
			t.Error(text)
		}
	}
}

// hollow is an error that panics on a nil pointer inside.
type hollow struct{ err error }

func (h *hollow) Error() string { return h.err.Error() }
func (h *hollow) Unwrap() error { return h.err }

// An error from outside may be a nil pointer, or contain one.
func TestErrorsThatCannotBeReadAreReported(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a nil url.Error":             (*url.Error)(nil),
		"an OpError without an error": &net.OpError{Op: "read", Net: "tcp"},
		"a nil error of a user's":     (*hollow)(nil),
		"an empty one":                &hollow{},
		"a joined nil":                errors.Join((*hollow)(nil), io.EOF),
		"a nil Error":                 (*demeterrr.Error)(nil),
		"a wrapped nil Error":         fmt.Errorf("mine: %w", (*demeterrr.Error)(nil)),
	} {
		for where, failed := range failing(t, err) {
			errors.Is(failed, io.ErrNoProgress) // visits every error in the chain
			errors.As(failed, new(*net.DNSError))
			if len(failed.Error()) < len("demeterrr: ")+10 {
				t.Errorf("%s of %s: the text says nothing: %v", name, where, failed)
			}
		}
	}
}

// errgroup cancels with the error of another call.
func TestTheCauseOfTheContextIsNotTakenForTheContactsOwn(t *testing.T) {
	t.Parallel()
	mine := errors.New("the shop closes")
	other := &demeterrr.Error{StatusCode: 401, Code: demeterrr.CodeInvalidAPIKey, RetryAfter: time.Hour}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.Join(mine, other))
	report, err := bulk.Execute(ctx, serving(t, neverSent(t)), "s1", bulk.Slice(recipients(0, 1)), nil)
	synced, errSync := bulk.Sync(ctx, serving(t, neverSent(t)), bulk.Slice(customerList(0, 1)), nil)
	same(t, "read", []int{report.Read, synced.Read}, []int{0, 0})
	for _, err := range []error{err, errSync} {
		wantIs(t, err, context.Canceled, mine)
		wantIsNot(t, err, demeterrr.ErrUnauthorized, demeterrr.ErrInvalidAPIKey)
	}
}

// After a 429 has stopped a run, its error has the RetryAfter of that reply.
func TestTheWaitOfARateLimitIsFoundInTheReason(t *testing.T) {
	t.Parallel()
	client := through(t, func(*http.Request) (*http.Response, error) {
		return replying(429, strings.Replace(limited60JSON, "60", "7200", 1)), nil
	})
	report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 300)), nil)
	executeAdds(t, report)
	wantIs(t, err, demeterrr.ErrRateLimited)
	e, _ := errors.AsType[*demeterrr.Error](err)
	same(t, "RetryAfter", e.RetryAfter, 2*time.Hour)
	if len(report.Failed) != 100 || len(report.NotTried) == 0 {
		t.Error(totals(report))
	}
}

// The error of an input may come from another call. Its unknown outcome says
// nothing about these contacts.
func TestAnInputsErrorIsNotTakenForTheRunsOwn(t *testing.T) {
	t.Parallel()
	lost := through(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	_, another := lost.Sequences.Execute(t.Context(), "s1", &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "a@x.com"}}})
	wantIs(t, another, demeterrr.ErrUnknownOutcome)

	report, err := bulk.Execute(t.Context(), lost, "s1", func(yield func(demeterrr.ExecuteContact, error) bool) {
		_ = yield(demeterrr.ExecuteContact{Email: "b@x.com"}, nil) && yield(demeterrr.ExecuteContact{}, another)
	}, nil)
	if len(report.Unknown) != 0 || len(report.NotTried) != 1 || report.Requests != 0 {
		t.Errorf("got %+v, want one not tried and nothing sent", report)
	}
	wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
}
