package bulk

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// askFor is the time limit for retries after a connection error, and for
// recording an outcome.
const askFor = 30 * time.Second

// lookup returns the journal's entries for the emails.
func (s *sender) lookup(ctx context.Context, emails []string) (entries []JournalEntry, err error) {
	err = ask(ctx, func() (err error) {
		entries, err = s.journal.Lookup(ctx, s.sequenceID, emails)
		return err
	})
	if err == nil {
		err = checkEntries(entries, emails)
	}
	if err != nil {
		return nil, journalFailed("could not look up a batch", err)
	}
	return entries, nil
}

// claim claims emails and returns the entries of the taken ones.
func (s *sender) claim(ctx context.Context, token string, emails []string) (taken []JournalEntry, err error) {
	err = ask(ctx, func() (err error) {
		taken, err = s.journal.Claim(ctx, s.sequenceID, token, emails)
		return err
	})
	if err == nil {
		err = checkEntries(taken, emails)
	}
	if err != nil {
		return nil, journalFailed("could not claim a batch", err)
	}
	return taken, nil
}

// record records the outcome of a claim, even after ctx has ended.
func (s *sender) record(ctx context.Context, token string, entries []JournalEntry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	err := ask(ctx, func() error { return s.journal.Finish(ctx, s.sequenceID, token, entries) })
	if err != nil {
		const message = "could not record the outcome of a batch; this report is correct, but the next run will treat the batch as unknown"
		return journalFailed(message, err)
	}
	return nil
}

// checkEntries refuses invalid entries. If they were ignored, the contacts that
// they mean would be sent to.
func checkEntries(entries []JournalEntry, emails []string) error {
	for _, entry := range entries {
		switch {
		case entry.State == JournalNew:
			return errors.New("it returned an entry with the state JournalNew; it must leave out unknown emails")
		case !slices.Contains(emails, mailbox.Key(entry.Email)):
			return errors.New("it returned an entry for another email; it must return only the emails asked for")
		}
	}
	return nil
}

// ask calls a method of a journal, and retries it after a connection error.
func ask(ctx context.Context, method func() error) error {
	const firstWait, longestWait = 100 * time.Millisecond, 5 * time.Second
	until := time.Now().Add(askFor)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := recovered(method)
		switch {
		case err == nil:
			return nil
		case ended(ctx):
			return withContextError(ctx, err)
		case !connectionFailed(err) || time.Until(until) <= wait:
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return withContextError(ctx, err)
		}
	}
}

// recovered calls a method of a journal. It turns a panic into an error and
// makes every error readable.
func recovered(method func() error) (err error) {
	defer scrub.Panic(&err)
	if err := method(); err != nil {
		return scrub.Readable(err)
	}
	return nil
}

// withContextError returns err wrapped with the error of the ended context.
func withContextError(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", contextError(ctx), err)
}

// connectionFailed reports whether err is a connection error. An error of a
// file is none, although the system error in it implements net.Error.
func connectionFailed(err error) bool {
	if _, file := errors.AsType[*fs.PathError](err); file {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
