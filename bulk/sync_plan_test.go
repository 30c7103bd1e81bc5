package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// randomSync returns an account after an earlier Sync, with options and an
// input.
func randomSync(t *testing.T, seed uint64) (*demeterrrtest.Server, bulk.SyncOptions, []demeterrr.ContactParams) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	n := r.IntN(300)
	srv := account(t, n)
	options := bulk.SyncOptions{Concurrency: 1}
	if seed%5 > 0 {
		options.State = newMemoryState(t)
	}
	if r.IntN(2) == 0 {
		options.ManagedTags = []string{"a", "b", "new"}
	}
	switch r.IntN(6) {
	case 0:
	case 1:
		synced(t, srv, customerList(0, r.IntN(300)), &options)
	default: // nearly all are known
		synced(t, srv, customerList(0, max(0, n-r.IntN(4))), &options)
	}
	options.ClearEmpty = options.State != nil && r.IntN(2) == 0
	options.Verify = r.IntN(4) == 0
	input := customerList(0, []int{n, n + 1, r.IntN(310)}[r.IntN(3)])
	for range r.IntN(1+len(input)) / []int{1, 10, 100}[r.IntN(3)] {
		switch c := &input[r.IntN(len(input))]; r.IntN(8) {
		case 0:
			c.LastName = "Changed"
		case 1:
			c.LastName = ""
		case 2:
			c.Tags = []string{"new"}
		case 3:
			c.Tags = nil
		case 4:
			c.FirstName = ""
		case 5:
			c.Email = strings.ToUpper(c.Email)
		case 6:
			c.Email = "new" + c.Email
		case 7:
			c.LastName = "\xff"
		}
	}
	return srv, options, input
}

// watched runs a Sync. It returns the writes and the results, both sorted.
func watched(t *testing.T, srv *demeterrrtest.Server, input []demeterrr.ContactParams, options bulk.SyncOptions) (report *bulk.SyncReport, done, told []string) {
	t.Helper()
	options.OnResult = func(s bulk.SyncResult) {
		if s.Outcome == demeterrr.UpsertCreated {
			s.ContactID = "" // unknown to a dry run
		}
		told = append(told, fmt.Sprintln(s.Index, s.Email, s.Outcome, s.ContactID, s.Err != nil))
	}
	before := len(srv.Requests())
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), &options)
	if err != nil || len(report.NotTried) > 0 {
		t.Fatal(err, summary(report))
	}
	for _, q := range srv.Requests()[before:] {
		if q.Method != http.MethodGet && q.Status < 400 {
			done = append(done, q.Method+" "+q.Path+" "+string(q.Body))
		}
	}
	slices.Sort(done)
	slices.Sort(told)
	return report, done, told
}

// TestADryRunIsExact compares a dry run with a real one, for random states,
// accounts, inputs and options.
func TestADryRunIsExact(t *testing.T) {
	t.Parallel()
	for seed := range rounds(100) {
		srv, options, input := randomSync(t, seed)
		options.DryRun = true
		dry, none, predicted := watched(t, srv, input, options)
		same(t, "a dry run wrote", none, []string(nil))
		options.DryRun = false
		real, done, told := watched(t, srv, input, options)
		var planned []string
		for c := range dry.Plan.Changes() {
			if c.Update != nil {
				body, _ := json.Marshal(c.Update)
				planned = append(planned, "PATCH /contacts/"+c.ContactID+" "+string(body))
			} else {
				body, _ := json.Marshal(c.Create)
				planned = append(planned, "POST /contacts "+string(body))
			}
		}
		slices.Sort(planned)
		same(t, "planned and sent", planned, done)
		same(t, "predicted and told", predicted, told)
		same(t, "counts", summary(dry), summary(real))
		if got := dry.Plan.Reads + dry.Plan.Writes; got != real.Requests || real.Plan != nil {
			t.Errorf("the plan is %d + %d requests, %d were sent (%+v)", dry.Plan.Reads, dry.Plan.Writes, real.Requests, options)
		}
		each, creates, n := 0, 0, 0
		for c := range dry.Plan.Changes() {
			each += c.Requests
			n++
			if c.Create != nil {
				creates++
			}
		}
		same(t, "numbers of the plan", []int{dry.Plan.Creates, dry.Plan.Creates + dry.Plan.Updates}, []int{creates, n})
		if each > dry.Plan.Writes {
			t.Errorf("the changes take %d requests, the plan %d", each, dry.Plan.Writes)
		}
		if t.Failed() {
			t.Fatal("with seed ", seed)
		}
	}
}

func TestAPlanIsReadAsOftenAndAsFarAsOneLikes(t *testing.T) {
	t.Parallel()
	srv := account(t, 20)
	input := append(customerList(5, 30), changedCustomer(3))
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), &bulk.SyncOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{1, 2, 11, 99} {
		var got []int
		for c := range report.Plan.Changes() {
			if got = append(got, c.Index); len(got) == most {
				break
			}
		}
		want := []int{25, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}
		same(t, "places", got, want[:min(most, len(want))])
	}
	for range (*bulk.SyncPlan)(nil).Changes() {
		t.Error("a missing plan has changes")
	}
	for range (&bulk.SyncPlan{Writes: 1}).Changes() {
		t.Error("a plan of a test has changes")
	}
}

func TestNothingIsWrittenUnlessConfirmed(t *testing.T) {
	t.Parallel()
	srv := account(t, 150)
	state := newMemoryState(t)
	options := &bulk.SyncOptions{State: state, ManagedTags: []string{"a", "b", "new"}, Concurrency: 1}
	synced(t, srv, customerList(0, 150), options)
	input := append(customerList(0, 150), demeterrr.ContactParams{Email: "new@example.com", FirstName: "New"}, demeterrr.ContactParams{Email: "nobody"})
	input[3].LastName, input[4].Tags = "Changed", []string{"new"}
	saves, no := state.saves, errors.New("no")
	options.Confirm = func(p *bulk.SyncPlan) error {
		var texts []string
		for c := range p.Changes() {
			body, _ := json.Marshal([]any{c.Update, c.Create})
			texts = append(texts, fmt.Sprintf("%d %s %t %d%s", c.Index, c.Email, c.ContactID != "", c.Requests, body))
		}
		same(t, "plan", texts, []string{
			`3 customer3@example.com true 1[{"firstName":"First3","lastName":"Changed","customFields":{"tier":"Gold","visits":3}},null]`,
			`4 customer4@example.com true 2[{"firstName":"First4","lastName":"Last","customFields":{"tier":"Gold","visits":4},"tags":["new"]},null]`,
			`150 new@example.com false 1[null,{"email":"new@example.com","firstName":"New"}]`,
		})
		same(t, "requests", []int{p.Reads, p.Writes}, []int{0, 4})
		return no
	}
	var told []bulk.SyncResult
	options.OnResult = func(r bulk.SyncResult) { told = append(told, r) }
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
	wantIs(t, err, no)
	if e, ok := errors.AsType[*demeterrr.Error](err); !ok || !strings.Contains(e.Message, "not confirmed") {
		t.Error(err)
	}
	same(t, "report", []any{report.Requests, report.NotTried, report.Unchanged, len(report.Failed), state.saves}, []any{0, []int{3, 4, 150}, 148, 1, saves})
	same(t, "results", len(told), 149)

	options.Confirm = func(*bulk.SyncPlan) error { return nil }
	report, err = bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
	if err != nil || report.Updated != 2 || report.Created != 1 || report.Requests != 4 {
		t.Error(err, summary(report), report.Requests)
	}
	options.Confirm = func(*bulk.SyncPlan) error { t.Error("there is nothing to confirm"); return nil }
	input = append(input, demeterrr.ContactParams{Email: "nameless@example.com"}) // it cannot be created
	if _, err = bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options); err != nil {
		t.Error(err)
	}
}

// Each contact is reported once, with its id. Duplicates and untried contacts
// are left out.
func TestOnResultTellsEachContactOnce(t *testing.T) {
	t.Parallel()
	for _, withState := range []bool{false, true} {
		srv := account(t, 20)
		options := &bulk.SyncOptions{}
		if withState {
			options.State = openState(t, filepath.Join(t.TempDir(), "s"))
			synced(t, srv, customerList(0, 20), options)
		}
		input := append(customerList(0, 20), changedCustomer(3), demeterrr.ContactParams{Email: "Jane@example.com", FirstName: "Jane"}, demeterrr.ContactParams{Email: "nobody"})
		told := map[int]bulk.SyncResult{}
		options.OnResult = func(r bulk.SyncResult) {
			if _, again := told[r.Index]; again {
				t.Errorf("%d is told twice", r.Index)
			}
			told[r.Index] = r
		}
		if _, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options); err != nil {
			t.Fatal(err)
		}
		if _, ok := told[3]; ok || len(told) != len(input)-1 {
			t.Errorf("%d results; of the duplicate: %t", len(told), ok)
		}
		ids := map[string]string{}
		for _, c := range srv.Contacts() {
			ids[c.Email] = c.ID
		}
		for i, r := range told {
			want := bulk.SyncResult{Index: i, Email: input[i].Email, Outcome: demeterrr.UpsertUnchanged, ContactID: ids[input[i].Email]}
			switch i {
			case 20:
				want.Outcome = demeterrr.UpsertUpdated
			case 21:
				want.Outcome = demeterrr.UpsertCreated
			case 22:
				want.Outcome, want.Err = "", r.Err
				wantIs(t, r.Err, demeterrr.ErrValidation)
			}
			same(t, "result", r.Err == nil && r != want || r.Err != nil && (r.Outcome != "" || r.ContactID != ""), false)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for says, options := range map[string]bulk.SyncOptions{
		"needs a State":           {ClearEmpty: true},
		"ManagedTags is empty":    {ManagedTags: []string{}},
		"tag 2 of ManagedTags is": {ManagedTags: []string{"a", "", "b"}},
		"tag 3 of ManagedTags is": {ManagedTags: []string{"a", "b", "a"}},
		"not made by Open":        {State: (*bulk.FileSyncState)(nil)},
		"was not made by Open":    {State: &bulk.FileSyncState{}},
	} {
		report, err := bulk.Sync(t.Context(), serving(t, neverSent(t)), bulk.Slice(customerList(0, 1)), &options)
		if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), says) || report == nil {
			t.Errorf("%s: %v", says, err)
		}
	}
}
