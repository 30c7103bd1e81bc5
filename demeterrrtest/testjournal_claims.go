package demeterrrtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/demeterrr/demeterrr-go/bulk"
)

// together calls f in n goroutines at once and returns their errors.
func together(n int, f func(i int) error) []error {
	var wg sync.WaitGroup
	start, errs := make(chan struct{}), make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// claimers is the number of concurrent claims.
const claimers = 16

func testClaimAtOnce(t *journalTest) { t.claimAtOnce(t.open()) }

func testProcessesClaimAtOnce(t *journalTest) {
	t.claimAtOnce(t.open(), t.open(), t.open(), t.open())
}

// claimAtOnce makes 16 goroutines claim overlapping lists. All first claim the
// same 100 emails. Then each claims all emails in four batches, starting at its
// own place and in its own direction.
func (t *journalTest) claimAtOnce(processes ...*process) {
	t.Helper()
	emails := t.emails("at-once", 400)
	book := &claimBook{tokens: map[string]string{}}
	for _, err := range together(claimers, func(i int) error {
		return book.claim(processes[i%len(processes)], emails[:100])
	}) {
		t.Fatalf("%d claims at once of the same 100 emails: %v", claimers, err)
	}
	for _, err := range together(claimers, func(i int) error {
		from := i * len(emails) / claimers
		list := slices.Concat(emails[from:], emails[:from])
		if i%2 == 1 {
			slices.Reverse(list)
		}
		for batch := range slices.Chunk(list, 100) {
			if err := book.claim(processes[i%len(processes)], batch); err != nil {
				return err
			}
		}
		return nil
	}) {
		t.Fatalf("%d goroutines that claim overlapping lists: %v", claimers, err)
	}
	if lost := len(emails) - len(book.tokens); lost > 0 {
		t.Fatalf("%d of %d emails were returned as taken to every claim, so nobody sends to them; %s", lost, len(emails), ruleOneGets)
	}
	byToken := map[string][]string{}
	for _, email := range emails {
		byToken[book.tokens[email]] = append(byToken[book.tokens[email]], email)
	}
	for token, own := range byToken {
		for batch := range slices.Chunk(own, 100) {
			processes[0].finish(token, inState(bulk.JournalDone, batch...)...)
		}
	}
	for batch := range slices.Chunk(emails, 100) {
		processes[0].lookup(batch...).want(t, "Lookup after each token has finished the emails that it got", bulk.JournalDone, "an email belongs to the token of the Claim that left it out", batch...)
	}
}

// claimBook records the holder of each email.
type claimBook struct {
	mu     sync.Mutex
	tokens map[string]string // by email
}

// claim claims a batch with a new token. It returns an error if it gets an
// email of another claim.
func (b *claimBook) claim(p *process, batch []string) error {
	token := newToken()
	taken, err := p.tryClaim(token, batch)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, email := range batch {
		if _, ok := taken[email]; ok {
			continue
		}
		if b.tokens[email] != "" {
			return fmt.Errorf("two claims got %q, so it is sent to twice; %s", email, ruleOneGets)
		}
		b.tokens[email] = token
	}
	return nil
}

func testGiveBackAtOnce(t *journalTest) { t.giveBackAtOnce(t.open()) }

func testProcessesGiveBackAtOnce(t *journalTest) {
	t.giveBackAtOnce(t.open(), t.open(), t.open(), t.open())
}

// giveBackAtOnce makes goroutines claim and give back the same emails, like
// replicas that all meet a 429. An email has at most one holder at any time. It
// stays begun until its holder gives it back.
func (t *journalTest) giveBackAtOnce(processes ...*process) {
	t.Helper()
	const goroutines, rounds = 8, 4
	emails := t.emails("back-at-once", 10)
	book := &claimBook{tokens: map[string]string{}}
	for _, err := range together(goroutines, func(i int) error {
		p, list := processes[i%len(processes)], slices.Clone(emails)
		if i%2 == 1 {
			slices.Reverse(list)
		}
		for range rounds {
			if err := book.holdAndGiveBack(p, list); err != nil {
				return err
			}
		}
		return nil
	}) {
		t.Fatalf("%d goroutines that claim the same emails and give them back: %v", goroutines, err)
	}
	processes[0].lookup(emails...).none(t, "Lookup after every claim was given back", ruleGiveBack)
}

// holdAndGiveBack claims a list, checks that the claimed emails are begun, and
// gives them back.
func (b *claimBook) holdAndGiveBack(p *process, list []string) error {
	token := newToken()
	taken, err := p.tryClaim(token, list)
	if err != nil {
		return err
	}
	got := slices.DeleteFunc(slices.Clone(list), func(email string) bool { _, ok := taken[email]; return ok })
	if len(got) == 0 {
		return nil
	}
	if err := b.hold(token, got); err != nil {
		return err
	}
	known, err := p.tryLookup(got)
	if err != nil {
		return err
	}
	if err := known.check(bulk.JournalBegun, got...); err != nil {
		return fmt.Errorf("Lookup a moment after a Claim: %w; %s, and return an email given back meanwhile as begun", err, ruleAskMinus)
	}
	b.release(token, got)
	return p.tryFinish(token, inState(bulk.JournalNew, got...))
}

func (b *claimBook) hold(token string, emails []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, email := range emails {
		if b.tokens[email] != "" {
			return fmt.Errorf("two claims have %q at the same time, so it is sent to twice; %s; %s", email, ruleOneGets, ruleAskMinus)
		}
		b.tokens[email] = token
	}
	return nil
}

func (b *claimBook) release(token string, emails []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, email := range emails {
		if b.tokens[email] == token {
			delete(b.tokens, email)
		}
	}
}

func testProcesses(t *journalTest) {
	const rule = "processes share the journal: once a call has returned, the others see its record"
	a, b, emails := t.open(), t.open(), t.emails("shared", 4)
	token, other := newToken(), newToken()
	a.claimNew(token, emails[:3]...)
	known := b.lookup(emails...)
	known.want(t, "Lookup in one process after Claim in another", bulk.JournalBegun, rule, emails[:3]...)
	taken := b.claim(other, emails...)
	taken.want(t, "Claim in one process after Claim in another", bulk.JournalBegun, rule, emails[:3]...)
	if !known[emails[0]].Live || !taken[emails[0]].Live {
		t.Errorf("an email is not Live a moment after another process began it; set Live, so that others come back later instead of asking a person")
	}
	if own := a.lookup(emails[0])[emails[0]]; own.Owner != known[emails[0]].Owner {
		t.Errorf("the Owner of an entry is %q in the process that made it, and %q in another; keep it with the entry", own.Owner, known[emails[0]].Owner)
	}
	b.finish(other, inState(bulk.JournalNew, emails[:3]...)...)
	b.finish(other, inState(bulk.JournalDone, emails[:3]...)...)
	a.lookup(emails[:3]...).want(t, "Lookup after Finish with another process's token", bulk.JournalBegun, ruleToken, emails[:3]...)

	b.claim(token, emails[:3]...).none(t, "Claim in one process with the token of another", "the token decides, not the process or the owner")
	b.finish(token, inState(bulk.JournalUnknown, emails[1])...)
	a.finish(token, slices.Concat(inState(bulk.JournalDone, emails[0]), inState(bulk.JournalNew, emails[2]))...)
	b.lookup(emails...).wantStates(t, "Lookup in one process after Finish in another", rule, slices.Concat(
		inState(bulk.JournalDone, emails[0]), inState(bulk.JournalUnknown, emails[1]), inState(bulk.JournalNew, emails[2]), inState(bulk.JournalBegun, emails[3]))...)
	b.claimNew(newToken(), emails[2])
	a.claim(newToken(), emails...).wantStates(t, "Claim in one process after Claim and Finish in another", rule, slices.Concat(
		inState(bulk.JournalDone, emails[0]), inState(bulk.JournalUnknown, emails[1]), inState(bulk.JournalBegun, emails[2:]...))...)
}
