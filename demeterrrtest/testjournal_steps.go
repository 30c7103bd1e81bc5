package demeterrrtest

import (
	"context"
	"slices"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// The rules in the failures of several subtests.
const (
	ruleLeaveOut = "leave out emails that are unknown to the journal"
	ruleTaken    = "return the entry of every taken email"
	ruleRest     = "claim the free emails of a call even if others are taken"
	ruleStays    = "a done or unknown email keeps its state forever"
	ruleKeep     = "keep the Status and ContactID given to Finish"
	ruleToken    = "Finish changes only emails begun under its token"
	ruleGiveBack = "Finish with JournalNew removes the email, so that it can be claimed again"
	ruleDurable  = "Claim and Finish return only after the record is durable"
	ruleOneGets  = "exactly one claim gets an email; insert under a unique key, and let the database decide"
	ruleAskMinus = "compute taken as the emails asked for, minus the emails read back under the token"
)

func testLookup(t *journalTest) {
	p, emails := t.open(), t.emails("lookup", 5)
	p.lookup(emails...).none(t, "Lookup of emails that nobody has claimed", ruleLeaveOut)
	p.claimNew(newToken(), emails[1:3]...)
	p.lookup(emails...).want(t, "Lookup of 5 emails, 2 of them claimed", bulk.JournalBegun, ruleLeaveOut, emails[1:3]...)
	p.lookup(emails[4]).none(t, "Lookup of an email that nobody has claimed", ruleLeaveOut)
}

func testClaim(t *journalTest) {
	p, emails := t.open(), t.emails("claim", 100)
	p.lookup(emails...).none(t, "Lookup before the first claim", ruleLeaveOut)
	p.claimNew(newToken(), emails...)
	known := p.lookup(emails...)
	known.want(t, "Lookup of 100 emails after their Claim", bulk.JournalBegun, "Claim records them as begun", emails...)
	for _, email := range emails {
		if !known[email].Live {
			t.Fatalf("Lookup returned %q without Live a moment after its Claim; set Live, so that other processes come back later instead of asking a person", email)
		}
	}
}

func testClaimOfTaken(t *journalTest) {
	p, emails := t.open(), t.emails("taken", 8)
	first := newToken()
	p.claimNew(first, emails[:6]...)
	contactID := newSequenceID()
	p.finish(first, bulk.JournalEntry{Email: emails[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: contactID})
	p.finish(first, inState(bulk.JournalUnknown, emails[1])...)

	taken := p.claim(newToken(), emails[5], emails[0], emails[6], emails[1], emails[7])
	for email, state := range map[string]bulk.JournalState{emails[0]: bulk.JournalDone, emails[1]: bulk.JournalUnknown, emails[5]: bulk.JournalBegun} {
		e, ok := taken[email]
		switch {
		case !ok:
			t.Fatalf("Claim left out %q, which another claim had recorded as %s: its caller would send to it a second time; %s", email, state, ruleTaken)
		case e.State != state:
			t.Fatalf("Claim returned %q as %s, want it %s; return the entry as Lookup does", email, e.State, state)
		}
	}
	if e := taken[emails[0]]; e.Status != demeterrr.ExecutionQueued || e.ContactID != contactID {
		t.Errorf("Claim returned a done email with status %q and contact %q, want %q and %q; return the entry as Lookup does", e.Status, e.ContactID, demeterrr.ExecutionQueued, contactID)
	}
	if !taken[emails[5]].Live {
		t.Errorf("Claim returned an email without Live a moment after another claim began it; return the entry as Lookup does")
	}
	if len(taken) != 3 {
		t.Fatalf("Claim of 3 taken and 2 new emails returned %s; %s", taken, ruleRest)
	}
	p.lookup(emails[6:]...).want(t, "Lookup of the 2 new emails of a call with 3 taken ones", bulk.JournalBegun, ruleRest, emails[6:]...)
	p.lookup(emails[2:6]...).want(t, "Lookup of emails whose Claim is open", bulk.JournalBegun, "a claim stays until it is finished", emails[2:6]...)
}

func testClaimAgain(t *journalTest) {
	const rule = "Claim with the same token and emails gives the same answer again: the caller repeats a call after a lost reply"
	p, emails := t.open(), t.emails("again", 4)
	p.claimNew(newToken(), emails[:2]...)
	token := newToken()
	for range 3 {
		p.claim(token, emails...).want(t, "Claim, made three times with one token", bulk.JournalBegun, rule, emails[:2]...)
	}
	known := p.lookup(emails[2:]...)
	known.want(t, "Lookup of emails that were claimed three times with one token", bulk.JournalBegun, rule, emails[2:]...)

	errs := together(4, func(int) error {
		taken, err := p.tryClaim(token, emails)
		if err != nil {
			return err
		}
		return taken.check(bulk.JournalBegun, emails[:2]...)
	})
	for _, err := range errs {
		t.Fatalf("Claim by 4 goroutines at once with one token: %v; %s", err, rule)
	}
	again := p.lookup(emails[2:]...)
	for _, email := range emails[2:] {
		if at := again[email].At; !at.Equal(known[email].At) {
			t.Fatalf("Claim with the same token moved At from %v to %v; it must change nothing", known[email].At, at)
		}
	}
	p.finish(token, inState(bulk.JournalDone, emails[2])...)
	p.lookup(emails[2]).want(t, "Lookup after claiming again and Finish with the same token", bulk.JournalDone, rule, emails[2])
}

func testFinish(t *journalTest) {
	p, emails := t.open(), t.emails("finish", 6)
	token := newToken()
	p.claimNew(token, emails...)
	done := []bulk.JournalEntry{
		{Email: emails[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: newSequenceID()},
		{Email: emails[1], State: bulk.JournalDone, Status: "skipped", ContactID: newSequenceID()},
		{Email: emails[2], State: bulk.JournalDone, Status: "Held back: cooldown (désolé)"},
		{Email: emails[3], State: bulk.JournalDone},
	}
	p.finish(token, append(slices.Clone(done), inState(bulk.JournalUnknown, emails[4])...)...)
	known := p.lookup(emails...)
	known.wantDone(t, "Lookup after Finish", ruleKeep, done...)
	known.wantStates(t, "Lookup after Finish as unknown", "keep JournalUnknown apart from JournalBegun", inState(bulk.JournalUnknown, emails[4])...)
	known.wantStates(t, "Lookup of the sixth email after Finish of five", "Finish changes only the emails that it is given", inState(bulk.JournalBegun, emails[5])...)
}

// wantDone fails the subtest unless done emails have kept the values of Finish.
func (found entriesOf) wantDone(t testing.TB, where, rule string, done ...bulk.JournalEntry) {
	t.Helper()
	for _, want := range done {
		got := found[want.Email]
		if got.State != bulk.JournalDone || got.Status != want.Status || got.ContactID != want.ContactID {
			t.Fatalf("%s: %s is %s with status %q and contact %q, want it done with %q and %q; %s",
				where, quoted(want.Email), stateText(got.State), got.Status, got.ContactID, want.Status, want.ContactID, rule)
		}
	}
}

// wantStates fails the subtest unless the emails have these states.
func (found entriesOf) wantStates(t testing.TB, where, rule string, states ...bulk.JournalEntry) {
	t.Helper()
	for _, want := range states {
		if got := found[want.Email].State; got != want.State {
			t.Fatalf("%s: %s is %s, want it %s; %s", where, quoted(want.Email), stateText(got), stateText(want.State), rule)
		}
	}
}

// stateText names a state. The empty JournalNew becomes "new".
func stateText(state bulk.JournalState) string {
	if state == bulk.JournalNew {
		return "new"
	}
	return string(state)
}

func testFinishAgain(t *journalTest) {
	p, emails := t.open(), t.emails("stays", 2)
	token := newToken()
	p.claimNew(token, emails...)
	done := bulk.JournalEntry{Email: emails[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: newSequenceID()}
	first := append(inState(bulk.JournalUnknown, emails[1]), done)
	later := [][]bulk.JournalEntry{
		first, first, // the caller repeats a call after a lost reply
		inState(bulk.JournalNew, emails...),
		inState(bulk.JournalUnknown, emails...),
		{{Email: emails[0], State: bulk.JournalDone, Status: "skipped"}, {Email: emails[1], State: bulk.JournalDone, Status: "skipped"}},
	}
	const where = "Lookup after Finish was called again"
	for _, entries := range later {
		p.finish(token, entries...)
		known := p.lookup(emails...)
		known.wantDone(t, where, ruleStays, done)
		known.wantStates(t, where, ruleStays, inState(bulk.JournalUnknown, emails[1])...)
	}
	if taken := p.claim(newToken(), emails...); len(taken) != 2 {
		t.Fatalf("Claim of a done and an unknown email returned %s as taken; %s", taken, ruleStays)
	}
}

func testFinishOfOthers(t *journalTest) {
	p, emails := t.open(), t.emails("others", 3)
	token, other := newToken(), newToken()
	p.claimNew(token, emails[:2]...)
	p.claim(other, emails[1], emails[2]).want(t, "Claim of a taken and a new email", bulk.JournalBegun, ruleTaken, emails[1])
	for _, state := range []bulk.JournalState{bulk.JournalNew, bulk.JournalUnknown, bulk.JournalDone} {
		p.finish(other, inState(state, emails[:2]...)...)
		p.lookup(emails[:2]...).want(t, "Lookup after another token of the same process had finished them as "+stateText(state), bulk.JournalBegun, ruleToken, emails[:2]...)
		p.finish(newToken(), inState(state, t.email("nobody"))...)
		p.lookup(t.email("nobody")).none(t, "Lookup after Finish as "+stateText(state)+" of an email that nobody has claimed", ruleToken)
	}
	// Emails of the token are finished even if the call has emails of others.
	p.finish(other, inState(bulk.JournalDone, emails...)...)
	p.lookup(emails...).wantStates(t, "Lookup after Finish of one email of the token and two of another one", ruleToken,
		append(inState(bulk.JournalBegun, emails[:2]...), inState(bulk.JournalDone, emails[2])...)...)
}

func testFinishWithAnotherState(t *journalTest) {
	const rule = "any other state is an error, and then nothing of the call is recorded"
	p, emails := t.open(), t.emails("state", 2)
	token := newToken()
	p.claimNew(token, emails...)
	for _, state := range []bulk.JournalState{bulk.JournalBegun, "finished"} {
		entries := append(inState(bulk.JournalDone, emails[0]), inState(state, emails[1])...)
		if err := p.tryFinish(token, entries); err == nil {
			t.Errorf("Finish accepted an entry with the state %q; %s", state, rule)
		}
		p.lookup(emails...).want(t, "Lookup after Finish with the state "+stateText(state), bulk.JournalBegun, rule, emails...)
	}
}

func testGiveBack(t *journalTest) {
	p, emails := t.open(), t.emails("back", 3)
	first, second := newToken(), newToken()
	p.claimNew(first, emails...)
	p.finish(first, inState(bulk.JournalNew, emails[:2]...)...)
	p.lookup(emails[:2]...).none(t, "Lookup of emails that were given back", ruleGiveBack)
	p.finish(first, inState(bulk.JournalNew, emails[:2]...)...) // again, as after a lost reply

	p.claim(second, emails...).want(t, "Claim of 2 emails that were given back and 1 that was not", bulk.JournalBegun, ruleGiveBack, emails[2])
	p.lookup(emails...).want(t, "Lookup of emails that were claimed anew", bulk.JournalBegun, ruleGiveBack, emails...)
	for _, state := range []bulk.JournalState{bulk.JournalNew, bulk.JournalDone} { // a late Finish of the first claim
		p.finish(first, inState(state, emails[:2]...)...)
		p.lookup(emails[:2]...).want(t, "Lookup after a late Finish as "+stateText(state)+" by an earlier claim", bulk.JournalBegun, ruleToken, emails[:2]...)
	}
	p.finish(second, inState(bulk.JournalDone, emails[:2]...)...)
	p.lookup(emails[:2]...).want(t, "Lookup after Finish by the second claim", bulk.JournalDone, ruleGiveBack, emails[:2]...)
}

func testSequences(t *journalTest) {
	const rule = "a sequence outside the journal is an error; the sequences in it share nothing"
	p, email := t.open(), t.email("sequence")
	token := newToken()
	p.claimNew(token, email)
	own := p.sequenceID
	other := *p.journalTest
	other.sequenceID = newSequenceID()
	q := &process{journalTest: &other, journal: p.journal, closed: true}
	known, lookupErr := q.tryLookup([]string{email})
	known.none(t, "Lookup in another sequence", rule)
	taken, claimErr := q.tryClaim(newToken(), []string{email})
	if (lookupErr == nil) != (claimErr == nil) {
		t.Fatalf("for another sequence Lookup returned the error %v, and Claim the error %v; %s", lookupErr, claimErr, rule)
	}
	if claimErr == nil {
		taken.none(t, "Claim in another sequence", rule)
	}
	finishErr := q.tryFinish(token, inState(bulk.JournalNew, email))
	if (lookupErr == nil) != (finishErr == nil) {
		t.Fatalf("for another sequence Lookup returned the error %v, and Finish the error %v; %s", lookupErr, finishErr, rule)
	}
	p.lookup(email).want(t, "Lookup in sequence "+own+" after Finish with its token in another one", bulk.JournalBegun, rule, email)
}

func testEndedContext(t *journalTest) {
	p, emails := t.open(), t.emails("ended", 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	token := newToken()
	_ = t.soon("Lookup", func() error { _, err := p.journal.Lookup(ctx, p.sequenceID, emails); return err })
	_ = t.soon("Claim", func() error { _, err := p.journal.Claim(ctx, p.sequenceID, token, emails); return err })
	// The caller gives back the whole claim after an error, whatever was
	// recorded.
	p.finish(token, inState(bulk.JournalNew, emails...)...)
	p.lookup(emails...).none(t, "Lookup after a Claim with an ended context, and Finish as new with its token", ruleGiveBack)

	token = newToken()
	p.claimNew(token, emails...)
	done := inState(bulk.JournalDone, emails...)
	if err := t.soon("Finish", func() error { return p.journal.Finish(ctx, p.sequenceID, token, done) }); err != nil {
		for _, e := range p.lookup(emails...) {
			if e.State != bulk.JournalBegun && e.State != bulk.JournalDone {
				t.Errorf("after Finish as done with an ended context, %q is %s; after an error each email is as it was or finished", e.Email, stateText(e.State))
			}
		}
		p.finish(token, done...)
	}
	p.lookup(emails...).want(t, "Lookup after Finish, at first with an ended context", bulk.JournalDone, "Finish without an error has recorded all of the call", emails...)
}

// soon calls a method with an ended context. The method must return soon, with
// or without an error.
func (t *journalTest) soon(method string, call func() error) error {
	t.Helper()
	returned := make(chan error, 1)
	go func() { returned <- call() }()
	timer := time.NewTimer(contextPatience)
	defer timer.Stop()
	select {
	case err := <-returned:
		return err
	case <-timer.C:
		t.Fatalf("%s still runs %v after the end of its context; pass the context to the database", method, contextPatience)
		return nil
	}
}

func testReopen(t *journalTest) {
	p, emails := t.open(), t.emails("reopen", 4)
	token, second := newToken(), newToken()
	p.claimNew(token, emails...)
	owner := p.lookup(emails[0])[emails[0]].Owner

	p = t.reopen(p)
	known := p.lookup(emails...)
	known.want(t, "Lookup after Claim and reopening", bulk.JournalBegun, ruleDurable, emails...)
	if got := known[emails[0]].Owner; got != owner {
		t.Errorf("reopening changed the Owner of an entry from %q to %q; keep the Owner with the entry", owner, got)
	}
	p.claim(token, emails...).none(t, "Claim with the same token after reopening", "keep the token with the claim: "+ruleDurable)

	p = t.reopen(p)
	done := bulk.JournalEntry{Email: emails[0], State: bulk.JournalDone, Status: demeterrr.ExecutionQueued, ContactID: newSequenceID()}
	p.finish(token, slices.Concat([]bulk.JournalEntry{done}, inState(bulk.JournalUnknown, emails[1]), inState(bulk.JournalNew, emails[2]))...)

	for range 2 {
		p = t.reopen(p)
		known = p.lookup(emails...)
		known.wantDone(t, "Lookup after Finish and reopening", ruleDurable, done)
		known.wantStates(t, "Lookup after Finish and reopening", ruleDurable, slices.Concat(
			inState(bulk.JournalUnknown, emails[1]), inState(bulk.JournalNew, emails[2]), inState(bulk.JournalBegun, emails[3]))...)
		if taken := p.claim(second, emails...); len(taken) != 3 {
			t.Fatalf("Claim after Finish and reopening returned %s as taken, want a done, an unknown and a begun email; %s", taken, ruleDurable)
		}
		p = t.reopen(p)
		p.lookup(emails[2]).want(t, "Lookup after a second Claim and reopening", bulk.JournalBegun, ruleDurable, emails[2])
		p.finish(second, inState(bulk.JournalNew, emails...)...)
	}
}
