package sqlstore_test

import (
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

const surveyID = "880e8400-e29b-41d4-a716-446655440000"

// ignored are the fields of an entry that differ from run to run, and from
// place to place.
var ignored = cmp.Options{
	cmpopts.IgnoreFields(bulk.JournalEntry{}, "Owner", "At"),
	cmpopts.SortSlices(func(a, b bulk.JournalEntry) bool { return a.Email < b.Email }),
	cmpopts.EquateEmpty(),
}

func begun(email string) bulk.JournalEntry {
	return bulk.JournalEntry{Email: email, State: bulk.JournalBegun, Live: true}
}

// claim claims emails and fails the test if others than those wanted are taken.
func claim(t testing.TB, c *sqlstore.Campaign, token string, emails []string, want ...bulk.JournalEntry) {
	t.Helper()
	taken, err := c.Claim(t.Context(), surveyID, token, emails)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, taken, ignored); diff != "" {
		t.Fatalf("taken (-want +got):\n%s", diff)
	}
}

func finish(t testing.TB, c *sqlstore.Campaign, token string, entries ...bulk.JournalEntry) {
	t.Helper()
	if err := c.Finish(t.Context(), surveyID, token, entries); err != nil {
		t.Fatal(err)
	}
}

// knows fails the test if the campaign has other entries for the emails.
func knows(t testing.TB, c *sqlstore.Campaign, emails []string, want ...bulk.JournalEntry) {
	t.Helper()
	entries, err := c.Lookup(t.Context(), surveyID, emails)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, entries, ignored); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
}

func TestAClaimGetsWhatNobodyHas(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			c := d.store(t).Campaign("survey-2026-11")
			abc := []string{"a@example.com", "b@example.com", "c@example.com"}
			knows(t, c, abc)
			claim(t, c, "token1", abc[:2])
			claim(t, c, "token1", abc[:2]) // a repeat changes nothing
			claim(t, c, "token2", abc, begun("a@example.com"), begun("b@example.com"))
			claim(t, c, "TOKEN2", abc, begun("a@example.com"), begun("b@example.com"), begun("c@example.com")) // another token
			done := bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: "550e8400-e29b-41d4-a716-446655440000"}
			unknown := bulk.JournalEntry{Email: "c@example.com", State: bulk.JournalUnknown}
			finish(t, c, "token2", bulk.JournalEntry{Email: "a@example.com"}, unknown) // a belongs to another token
			finish(t, c, "token1", done, bulk.JournalEntry{Email: "b@example.com"})
			knows(t, c, abc, done, unknown)

			// Finished entries stay.
			finish(t, c, "token1", bulk.JournalEntry{Email: "a@example.com"}, bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalUnknown})
			finish(t, c, "token2", bulk.JournalEntry{Email: "c@example.com"})
			knows(t, c, abc, done, unknown)
			claim(t, c, "token1", abc, done, unknown) // also from its own token; b is free again
			knows(t, c, abc, done, unknown, begun("b@example.com"))
		})
	}
}

func TestEntriesHaveOwnerAndTimeOfTheDatabase(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			c := d.store(t).Campaign("survey")
			before := time.Now().Add(-2 * time.Millisecond)
			claim(t, c, "token", []string{"a@example.com"})
			entries, err := c.Lookup(t.Context(), surveyID, []string{"a@example.com"})
			if err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
			if e := entries[0]; e.At.Before(before) || e.At.After(time.Now().Add(2*time.Millisecond)) || e.At.Location() != time.UTC {
				t.Errorf("at %v, want about %v in UTC", e.At, before)
			}
			if host, pid, found := strings.Cut(entries[0].Owner, ":"); !found || host == "" || pid == "" {
				t.Errorf("owner %q", entries[0].Owner)
			}
		})
	}
}

// TestNoCollationTakesOneForAnother uses emails, names and tokens that most
// collations call equal.
func TestNoCollationTakesOneForAnother(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			s := d.store(t)
			emails := []string{"rene@example.com", "rené@example.com", "rene\u0301@example.com", "renè@example.com", "ren\U0001d4ee@example.com", "straße@example.com", "strasse@example.com"}
			c := s.Campaign("survey")
			for i, email := range emails {
				claim(t, c, fmt.Sprintf("token%d", i), []string{email})
			}
			var want []bulk.JournalEntry
			for _, email := range emails {
				want = append(want, begun(email))
			}
			knows(t, c, emails, want...)
			claim(t, c, "token", []string{"RENÉ@example.com"}, begun("rené@example.com")) // as bulk.EmailKey says
			for _, name := range []string{"Survey", "súrvey", "survey\u0301"} {
				claim(t, s.Campaign(name), "token", emails)
			}
		})
	}
}

func TestConcurrentClaimsSplitTheEmails(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			c := d.store(t).Campaign("survey")
			var emails []string
			for i := range 300 { // three statements
				emails = append(emails, fmt.Sprintf("customer%d@example.com", i))
			}
			const claims = 8
			var group sync.WaitGroup
			var mu sync.Mutex
			got := map[string]int{}
			for i := range claims {
				group.Go(func() {
					for batch := range slices.Chunk(emails, 100) {
						some := slices.Clone(batch[i:]) // overlapping
						slices.Reverse(some)
						taken, err := c.Claim(t.Context(), surveyID, fmt.Sprintf("token%d", i), some)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						for _, email := range some {
							if !slices.ContainsFunc(taken, func(e bulk.JournalEntry) bool { return e.Email == email }) {
								got[email]++
							}
						}
						mu.Unlock()
					}
				})
			}
			group.Wait()
			want := map[string]int{}
			for _, email := range emails {
				want[email] = 1
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims of an email (-want +got):\n%s", diff)
			}
			var all []bulk.JournalEntry
			for _, email := range emails {
				all = append(all, begun(email))
			}
			knows(t, c, emails, all...)
		})
	}
}

func TestLiveEndsByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			c, short := d.openStore(t, db).Campaign("survey"), d.openStore(t, db, sqlstore.WithInFlight(time.Millisecond)).Campaign("survey")
			claim(t, c, "token", []string{"a@example.com"})
			time.Sleep(5 * time.Millisecond)
			dead := begun("a@example.com")
			dead.Live = false
			knows(t, c, []string{"a@example.com"}, begun("a@example.com"))
			knows(t, short, []string{"a@example.com"}, dead)
			claim(t, short, "token2", []string{"a@example.com"}, dead) // never taken over
		})
	}
}

func TestBadInputOfACampaign(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			s := d.store(t)
			c := s.Campaign("survey")
			claim(t, c, "token", []string{"a@example.com"})
			claim(t, s.Campaign(strings.Repeat("n", 200)), strings.Repeat("t", 64), []string{"a@example.com"})
			if known, err := c.Lookup(t.Context(), strings.Repeat("s", 255), nil); err != nil || len(known) > 0 {
				t.Errorf("the longest id of a sequence: %v, %v", known, err)
			}
			claimError := func(c *sqlstore.Campaign, sequenceID, token string, emails ...string) error {
				_, err := c.Claim(t.Context(), sequenceID, token, emails)
				return err
			}
			lookupError := func(c *sqlstore.Campaign, sequenceID string, emails ...string) error {
				_, err := c.Lookup(t.Context(), sequenceID, emails)
				return err
			}
			for want, err := range map[string]error{
				"belongs to sequence " + surveyID + ", not to other": joined(t, claimError(c, "other", "t", "b@example.com"), lookupError(c, "other", "b@example.com"),
					c.Finish(t.Context(), "other", "token", []bulk.JournalEntry{{Email: "a@example.com"}})),
				"the sequence's id has 0 bytes":                       lookupError(c, "", "a@example.com"),
				"the sequence's id has 256 bytes":                     lookupError(c, strings.Repeat("s", 256), "a@example.com"),
				"the sequence's id has 3 bytes":                       joined(t, lookupError(c, "s\x7fs", "a@example.com"), lookupError(c, "s\xffs", "a@example.com"), lookupError(c, "s\ns", "a@example.com")),
				`campaign "": a name has 1 to 200 bytes`:              joined(t, lookupError(s.Campaign(""), surveyID), s.Campaign("").Finish(t.Context(), surveyID, "token", nil)),
				"no white space at its ends":                          claimError(s.Campaign("survey "), surveyID, "t", "b@example.com"),
				"a name has 1 to 200 bytes of UTF-8":                  claimError(s.Campaign(strings.Repeat("a", 201)), surveyID, "t", "b@example.com"),
				"no control characters":                               claimError(s.Campaign("a\x00b"), surveyID, "t", "b@example.com"),
				"the token of a claim has 1 to 64 letters and digits": joined(t, claimError(c, surveyID, "", "b@example.com"), claimError(c, surveyID, strings.Repeat("t", 65), "b@example.com"), claimError(c, surveyID, "t\n", "b@example.com"), c.Finish(t.Context(), surveyID, "", nil)),
				"email 2 of 2 is empty":                               joined(t, claimError(c, surveyID, "t", "b@example.com", ""), c.Finish(t.Context(), surveyID, "token", []bulk.JournalEntry{{Email: "b@example.com"}, {}})),
				"email 1 of 1 is not valid text":                      claimError(c, surveyID, "t", "b\xff@example.com"),
				"email 1 of 1 is longer than 320 bytes":               lookupError(c, surveyID, strings.Repeat("b", 320)+"@example.com"),
				"two emails of a claim are equal; pass each once":     claimError(c, surveyID, "t", "b@example.com", "c@example.com", "B@example.com"),
				`an entry cannot be finished as "begun"`:              c.Finish(t.Context(), surveyID, "token", []bulk.JournalEntry{{Email: "a@example.com"}, {Email: "a@example.com", State: bulk.JournalBegun}}),
				"the store was not made by Open":                      lookupError(new(sqlstore.Store).Campaign("survey"), surveyID),
				"the campaign is nil; use Store.Campaign":             lookupError(nil, surveyID),
				"1 of 2 emails are not in doubt, so none was forgotten": func() error {
					finish(t, c, "token", bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalUnknown})
					return c.Forget(t.Context(), "a@example.com", "nobody@example.com")
				}(),
			} {
				if err == nil {
					t.Errorf("no error, want %q", want)
					continue
				}
				for _, err := range unjoin(err) {
					if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "demeterrr: ") != 1 {
						t.Errorf("%v, want one demeterrr: and %q", err, want)
					}
					if strings.Contains(err.Error(), "@example.com") {
						t.Errorf("the error shows an email: %v", err)
					}
				}
			}
			knows(t, c, []string{"a@example.com", "b@example.com", "c@example.com"}, bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalUnknown})
		})
	}
}

// joined is errors.Join of calls that must all fail.
func joined(t *testing.T, errs ...error) error {
	t.Helper()
	for i, err := range errs {
		if err == nil {
			t.Errorf("call %d of %d has no error", i+1, len(errs))
		}
	}
	return errors.Join(errs...)
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// A token is random, and a campaign relies on its own rows all the same.
func TestFinishTouchesItsCampaignOnly(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := database(t).store(t)
			emails := []string{"a@example.com", "b@example.com", "c@example.com"}
			begun := []bulk.JournalEntry{}
			for _, email := range emails {
				begun = append(begun, bulk.JournalEntry{Email: email, State: bulk.JournalBegun, Live: true})
			}
			ours, theirs := s.Campaign("ours"), s.Campaign("theirs")
			claim(t, ours, "token", emails)
			claim(t, theirs, "token", emails)
			finish(t, theirs, "token", bulk.JournalEntry{Email: emails[0], State: bulk.JournalDone}, bulk.JournalEntry{Email: emails[1], State: bulk.JournalUnknown},
				bulk.JournalEntry{Email: emails[2]})
			knows(t, ours, emails, begun...)
		})
	}
}

func TestAClaimTakesAnyNumberOfEmails(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := database(t).store(t).Campaign("survey")
			emails := make([]string, 250)
			for i := range emails {
				emails[i] = fmt.Sprintf("c%03d@example.com", i)
			}
			for i, want := range []int{0, len(emails)} {
				taken, err := c.Claim(t.Context(), surveyID, fmt.Sprint("token", i), emails)
				if err != nil || len(taken) != want {
					t.Errorf("claim %d: %d are taken, want %d: %v", i+1, len(taken), want, err)
				}
			}
		})
	}
}

func TestNoEmailsAreNoRequest(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			db := d.migrated(t)
			c := d.openStore(t, db).Campaign("survey")
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			claim(t, c, "token", nil)
			knows(t, c, nil)
			finish(t, c, "token")
			if err := c.Forget(t.Context()); err != nil {
				t.Error(err)
			}
			start := time.Now()
			_, err := c.Lookup(t.Context(), surveyID, []string{"a@example.com"})
			wantError(t, err, "database is closed")
			if time.Since(start) > 5*time.Second {
				t.Errorf("after %v, want it at once", time.Since(start))
			}
		})
	}
}

// TestOddTextsOfTheAPIAreKept finishes with texts that every database would
// change or reject.
func TestOddTextsOfTheAPIAreKept(t *testing.T) {
	t.Parallel()
	for kind, database := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := database(t)
			c := d.store(t).Campaign("survey")
			emails := []string{"a@example.com", "b@example.com", "c@example.com"}
			claim(t, c, "token", emails)
			finish(t, c, "token",
				bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalDone, Status: "a\x00b\xff", ContactID: "'; DROP TABLE demeterrr_journal; --"},
				bulk.JournalEntry{Email: "b@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionStatus(strings.Repeat("é", 5000))},
				bulk.JournalEntry{Email: "c@example.com", State: bulk.JournalDone, Status: "😀"})
			knows(t, c, emails,
				bulk.JournalEntry{Email: "a@example.com", State: bulk.JournalDone, Status: "a\ufffdb\ufffd", ContactID: "'; DROP TABLE demeterrr_journal; --"},
				bulk.JournalEntry{Email: "b@example.com", State: bulk.JournalDone, Status: demeterrr.ExecutionStatus(strings.Repeat("é", 128))},
				bulk.JournalEntry{Email: "c@example.com", State: bulk.JournalDone, Status: "😀"})
		})
	}
}

// A table has no statistics before its first autovacuum. The plans are made
// while it is empty, and a connection keeps them.
func TestALookupReadsNoMoreThanItsRows(t *testing.T) {
	t.Parallel()
	const contacts = 20_000
	d := wanted(t, postgresServer).database(t)
	db := d.migrated(t)
	db.SetMaxOpenConns(1)
	c := d.openStore(t, db).Campaign("survey")
	claim(t, c, "token", []string{"first@example.com"})
	emails := make([]string, 100)
	for i := range emails {
		emails[i] = fmt.Sprintf("customer%d@example.com", i)
	}
	rowsRead := func() (n int) {
		if _, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
			t.Skip("PostgreSQL counts the rows too late: ", err) // before version 15
		}
		row := db.QueryRowContext(t.Context(), "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'demeterrr_journal'")
		if err := row.Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	lookup := func() {
		if _, err := c.Lookup(t.Context(), surveyID, emails); err != nil {
			t.Fatal(err)
		}
	}
	exec := func(query string) {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("ALTER TABLE demeterrr_journal SET (autovacuum_enabled = off)")
	for range 10 { // a connection plans anew until its sixth time
		lookup()
	}
	exec(fmt.Sprintf(`INSERT INTO demeterrr_journal (campaign, email_key, email, state, token, owner, changed_at)
		SELECT 'survey', sha256(convert_to(email, 'UTF8')), email, 'done', md5(email), 'host:1', now()
		FROM (SELECT 'customer' || n || '@example.com' AS email FROM generate_series(0, %d) n) emails`, contacts-1))
	before := rowsRead()
	lookup()
	if n := rowsRead() - before; n < len(emails) || n > 3*len(emails) {
		t.Errorf("a lookup of %d reads %d rows of %d", len(emails), n, contacts)
	}
}
