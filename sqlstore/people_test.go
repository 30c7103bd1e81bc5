package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

// collect returns what a sequence yields, and fails the test on an error.
func collect[T any](t testing.TB, in func(func(T, error) bool)) (all []T) {
	t.Helper()
	for item, err := range in {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, item)
	}
	return all
}

// claimMany claims emails in batches of 100.
func claimMany(t testing.TB, c *sqlstore.Campaign, n int) (emails []string) {
	t.Helper()
	for first := 0; first < n; first += 100 {
		var batch []string
		for i := first; i < min(first+100, n); i++ {
			batch = append(batch, fmt.Sprintf("customer%04d@example.com", i))
		}
		claim(t, c, "token", batch)
		emails = append(emails, batch...)
	}
	return emails
}

func TestLookupFindsPeopleInEveryCampaign(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			s := d.openStore(t, db)
			emails := claimMany(t, s.Campaign("b"), 150)
			claim(t, s.Campaign("a"), "token", []string{"customer0140@example.com"})
			finish(t, s.Campaign("a"), "token", bulk.JournalEntry{Email: "customer0140@example.com", State: bulk.JournalDone, Status: "queued", ContactID: "id"})

			got, err := s.Lookup(t.Context(), append(emails[:139:139], "Customer0140@Example.com", "nobody@example.com")...)
			if err != nil || len(got) != 141 {
				t.Fatal(len(got), err)
			}
			want := []sqlstore.Entry{
				{Campaign: "a", SequenceID: surveyID, JournalEntry: bulk.JournalEntry{Email: "customer0140@example.com", State: bulk.JournalDone, Status: "queued", ContactID: "id"}},
				{Campaign: "b", SequenceID: surveyID, JournalEntry: bulk.JournalEntry{Email: "customer0140@example.com", State: bulk.JournalBegun, Live: true}},
			}
			got = slices.DeleteFunc(got, func(e sqlstore.Entry) bool { return e.Email != "customer0140@example.com" })
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(bulk.JournalEntry{}, "Owner", "At")); diff != "" {
				t.Error(diff)
			}
			if got[0].Owner == "" || got[0].At.IsZero() {
				t.Errorf("%+v", got[0])
			}
			if got, err := d.openStore(t, db, sqlstore.WithSecret([]byte("0123456789abcdef"))).Lookup(t.Context(), emails[0]); err != nil || len(got) > 0 {
				t.Error("another secret finds", got, err)
			}
			if _, err := s.Lookup(t.Context(), emails[0], ""); !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), "email 2 of 2") {
				t.Error(err)
			}
			if _, err := (*sqlstore.Store)(nil).Lookup(t.Context(), emails[0]); err == nil {
				t.Error("a nil store finds people")
			}
		})
	}
}

func TestInDoubtListsWhatIsNeitherLiveNorDone(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			live, dead := d.openStore(t, db), d.openStore(t, db, sqlstore.WithInFlight(time.Nanosecond))
			c := live.Campaign("survey")
			claim(t, c, "token", []string{"a@example.com", "b@example.com", "c@example.com"})
			done := bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalDone, Status: "queued"}
			unknown := bulk.JournalEntry{Email: "b@example.com", State: bulk.JournalUnknown}
			finish(t, c, "token", done, unknown)
			claim(t, live.Campaign("another"), "token", []string{"d@example.com"})
			time.Sleep(2 * time.Millisecond)
			c2 := bulk.JournalEntry{Email: "c@example.com", State: bulk.JournalBegun}
			for _, tt := range []struct {
				s    *sqlstore.Store
				want []bulk.JournalEntry
			}{{live, []bulk.JournalEntry{unknown}}, {dead, []bulk.JournalEntry{unknown, c2}}} {
				if diff := cmp.Diff(tt.want, collect(t, tt.s.Campaign("survey").InDoubt(t.Context())), ignored); diff != "" {
					t.Errorf("in doubt (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff([]bulk.JournalEntry{done, unknown, begun("c@example.com")}, collect(t, c.Entries(t.Context())), ignored); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			var all []bulk.JournalEntry
			for _, e := range collect(t, dead.InDoubt(t.Context())) {
				if e.SequenceID != surveyID || (e.Campaign == "another") != (e.Email == "d@example.com") {
					t.Errorf("%+v", e)
				}
				all = append(all, e.JournalEntry)
			}
			if diff := cmp.Diff([]bulk.JournalEntry{unknown, c2, {Email: "d@example.com", State: bulk.JournalBegun}}, all, ignored); diff != "" {
				t.Errorf("in doubt in all campaigns (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForgetRefusesWhatIsNotInDoubt(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			c := d.store(t).Campaign("survey")
			claim(t, c, "token", []string{"done@example.com", "unknown@example.com", "live@example.com"})
			done := bulk.JournalEntry{Email: "done@example.com", State: bulk.JournalDone}
			unknown := bulk.JournalEntry{Email: "unknown@example.com", State: bulk.JournalUnknown}
			finish(t, c, "token", done, unknown)
			wantError(t, c.Forget(t.Context(), "unknown@example.com", "live@example.com"), "one of the emails is being sent to, so that none was forgotten")
			wantError(t, c.Forget(t.Context(), "unknown@example.com", "done@example.com"), "1 of 2 emails are not in doubt")
			wantError(t, c.Forget(t.Context(), "unknown@example.com", "nobody@example.com"), "1 of 2 emails are not in doubt")
			emails := []string{"done@example.com", "unknown@example.com", "live@example.com"}
			knows(t, c, emails, done, unknown, begun("live@example.com"))
			if err := c.Forget(t.Context(), "Unknown@example.com", "unknown@example.com"); err != nil {
				t.Error(err)
			}
			knows(t, c, emails, done, begun("live@example.com"))
			claim(t, c, "token2", emails, done, begun("live@example.com"))
		})
	}
}

// TestListsReadPagesAndHoldNoConnection uses the only connection inside the loop.
func TestListsReadPagesAndHoldNoConnection(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			db.SetMaxOpenConns(1)
			s := d.openStore(t, db, sqlstore.WithInFlight(time.Nanosecond))
			c := s.Campaign("survey")
			emails := claimMany(t, c, 2100)
			claim(t, s.Campaign("another"), "token", emails[:3])
			if n := len(collect(t, c.Entries(t.Context()))); n != len(emails) {
				t.Errorf("%d entries, want %d", n, len(emails))
			}
			if n := len(collect(t, s.InDoubt(t.Context()))); n != len(emails)+3 {
				t.Errorf("%d in doubt in all campaigns, want %d", n, len(emails)+3)
			}
			seen := map[string]bool{}
			for e, err := range c.InDoubt(t.Context()) {
				if err != nil || seen[e.Email] {
					t.Fatal(e, err)
				}
				seen[e.Email] = true
				if len(seen)%100 == 0 {
					if err := c.Forget(t.Context(), e.Email); err != nil {
						t.Fatal(err)
					}
				}
				if len(seen) == 1500 {
					break
				}
			}
			if n := len(collect(t, c.Entries(t.Context()))); n != len(emails)-15 {
				t.Errorf("%d entries, want %d", n, len(emails)-15)
			}
		})
	}
}

func TestListsYieldTheirErrorOnce(t *testing.T) {
	t.Parallel()
	s := sqliteFile(t).store(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	count := func(in func(func(bulk.JournalEntry, error) bool), want error) {
		t.Helper()
		n := 0
		for e, err := range in {
			if n++; n > 1 || err == nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%d: %v, %v", n, e, err)
			}
		}
		if n != 1 {
			t.Errorf("%d errors", n)
		}
	}
	count(s.Campaign("survey").InDoubt(canceled), context.Canceled)
	count(s.Campaign("").Entries(t.Context()), nil)
	for _, err := range new(sqlstore.Store).InDoubt(t.Context()) {
		wantError(t, err, "the store was not made by Open")
	}
	for _, err := range s.InDoubt(canceled) {
		wantError(t, err, "canceled")
	}
}

func TestPruneForgetsWhatWasDoneBefore(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			s := d.openStore(t, db)
			c := s.Campaign("survey")
			emails := claimMany(t, c, 2100)
			var entries []bulk.JournalEntry
			for _, email := range emails[:2050] {
				entries = append(entries, bulk.JournalEntry{Email: email, State: bulk.JournalDone})
			}
			for first := 0; first < len(entries); first += 410 { // several times
				finish(t, c, "token", entries[first:first+410]...)
			}
			finish(t, c, "token", bulk.JournalEntry{Email: emails[2050], State: bulk.JournalUnknown})
			claim(t, s.Campaign("empty"), "token", emails[:1])
			finish(t, s.Campaign("empty"), "token", bulk.JournalEntry{Email: emails[0], State: bulk.JournalDone})
			prune := func(before time.Time, want int64) {
				t.Helper()
				if n, err := s.Prune(t.Context(), before); n != want || err != nil {
					t.Errorf("pruned %d (%v), want %d", n, err, want)
				}
			}
			prune(time.Now().Add(-time.Hour), 0)
			prune(time.Now().Add(time.Hour), 2051)
			prune(time.Now().Add(time.Hour), 0)
			if n := len(collect(t, c.Entries(t.Context()))); n != 50 {
				t.Errorf("%d entries, want those in doubt and live: 50", n)
			}
			campaigns := 0
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM demeterrr_campaigns").Scan(&campaigns); campaigns != 1 || err != nil {
				t.Errorf("%d campaigns are left (%v), want the one with entries", campaigns, err)
			}
			claim(t, c, "token2", emails[:1]) // can be sent to again
		})
	}
}

// TestPruneMeetsClaims prunes all the time while campaigns get their first claims:
// a campaign with entries must keep its row, which ties it to its sequence.
func TestPruneMeetsClaims(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			s := d.openStore(t, db)
			ctx, cancel := context.WithCancel(t.Context())
			var pruner, group sync.WaitGroup
			pruner.Go(func() {
				for ctx.Err() == nil {
					if _, err := s.Prune(ctx, time.Now().Add(time.Hour)); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
			})
			for i := range 4 {
				group.Go(func() {
					for j := range 50 {
						c := s.Campaign(fmt.Sprintf("order-%d", j))
						if taken, err := c.Claim(t.Context(), surveyID, fmt.Sprintf("token%d", i), []string{"a@example.com"}); err != nil {
							t.Error(taken, err)
						} else if len(taken) == 0 && j%2 == 0 {
							finish(t, c, fmt.Sprintf("token%d", i), bulk.JournalEntry{Email: "a@example.com"})
						}
					}
				})
			}
			group.Wait()
			cancel()
			pruner.Wait()
			orphans := -1
			err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM demeterrr_journal j
			WHERE NOT EXISTS (SELECT 1 FROM demeterrr_campaigns c WHERE c.campaign = j.campaign)`).Scan(&orphans)
			if orphans != 0 || err != nil {
				t.Errorf("%d entries have no campaign (%v)", orphans, err)
			}
		})
	}
}

func TestRedactKeepsThePromise(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			s := d.store(t)
			one, two := s.Campaign("one"), s.Campaign("two")
			emails := []string{"jane@example.com", "john@example.com", "doubt@example.com"}
			done := func(email, id string) bulk.JournalEntry {
				return bulk.JournalEntry{Email: email, State: bulk.JournalDone, Status: "queued", ContactID: id}
			}
			doubt := bulk.JournalEntry{Email: "doubt@example.com", State: bulk.JournalUnknown}
			for _, c := range []*sqlstore.Campaign{one, two} {
				claim(t, c, "token", emails)
				finish(t, c, "token", done("jane@example.com", "id1"), done("john@example.com", "id2"), doubt)
			}
			check := func(n int64, err error, want int64) {
				t.Helper()
				if n != want || err != nil {
					t.Errorf("redacted %d (%v), want %d", n, err, want)
				}
			}
			n, err := s.Redact(t.Context(), "Jane@Example.com", "nobody@example.com")
			check(n, err, 2)
			for _, c := range []*sqlstore.Campaign{one, two} {
				want := []bulk.JournalEntry{done("", ""), done("john@example.com", "id2"), doubt}
				if diff := cmp.Diff(want, collect(t, c.Entries(t.Context())), ignored); diff != "" {
					t.Errorf("entries (-want +got):\n%s", diff)
				}
				claim(t, c, "token2", emails, done("jane@example.com", ""), done("john@example.com", "id2"), doubt)
			}
			n, err = s.RedactBefore(t.Context(), time.Now().Add(-time.Hour))
			check(n, err, 0)
			n, err = s.RedactBefore(t.Context(), time.Now().Add(time.Hour))
			check(n, err, 2)
			if diff := cmp.Diff([]bulk.JournalEntry{done("", ""), done("", ""), doubt}, collect(t, one.Entries(t.Context())), ignored); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			_, err = s.Redact(t.Context(), "jane@example.com", "")
			wantError(t, err, "email 2 of 2 is empty")
		})
	}
}
