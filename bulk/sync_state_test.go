package bulk_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// TestWhatSyncCostsWithAState counts the requests of the second run.
func TestWhatSyncCostsWithAState(t *testing.T) {
	t.Parallel()
	change := func(list []demeterrr.ContactParams, every int) []demeterrr.ContactParams {
		for i := range list {
			if i%every == 0 {
				list[i].LastName = "Changed"
			}
		}
		return list
	}
	upper := func(c demeterrr.ContactParams) demeterrr.ContactParams {
		c.Email = strings.ToUpper(c.Email)
		return c
	}
	for _, tt := range []struct {
		name          string
		account       int // all but the last 1,000 are known
		known         int
		input         []demeterrr.ContactParams
		reads, writes int
	}{
		{"nothing", 10_000, 10_000, nil, 0, 0},
		{"nothing changed", 10_000, 10_000, customerList(0, 10_000), 0, 0},
		{"5 % of 10,000", 10_000, 10_000, change(customerList(0, 10_000), 20), 0, 500},
		{"another spelling", 10, 10, []demeterrr.ContactParams{upper(customer(3))}, 0, 0},
		{"locations cannot be changed", 10, 10, []demeterrr.ContactParams{{Email: customer(3).Email, FirstName: "First3", LastName: "Last", CustomFields: customer(3).CustomFields, Tags: []string{"b", "a", "b"}, LocationID: "new"}}, 0, 0},
		{"50 new ones, and 1 changed, which tells whose the state is", 5000, 5000, append(change(customerList(0, 1), 1), append(customerList(1, 5000), customerList(5000, 5050)...)...), 0, 51},
		{"50 new ones, and a look at whose the state is", 5000, 5000, customerList(0, 5050), 1, 50},
		{"10 that others have made", 5000, 4990, customerList(0, 5000), 1 + 10, 10},
		{"too many to try each", 5000, 4000, customerList(0, 5000), 50, 0},
		{"one that is unknown to a small state", 3, 2, customerList(0, 3), 1 + 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := account(t, tt.account)
			options := &bulk.SyncOptions{State: stateFile(t)}
			synced(t, srv, customerList(0, tt.known), options)
			_, requests := synced(t, srv, tt.input, options)
			has(t, srv, tt.input)
			reads := 0
			for _, r := range requests {
				if r.Method == http.MethodGet {
					reads++
				}
			}
			same(t, "reads and writes", []int{reads, len(requests) - reads}, []int{tt.reads, tt.writes})
			_, requests = synced(t, srv, tt.input, options)
			same(t, "sent again", sent(requests), []string{})
		})
	}
}

func TestAChangedContactIsSentWhole(t *testing.T) {
	t.Parallel()
	srv := account(t, 0)
	options := &bulk.SyncOptions{State: stateFile(t)}
	jane := demeterrr.ContactParams{
		Email: "jane@example.com", FirstName: "Jane", LastName: "Doe", Phone: "+15551234567", Title: "Dr.", PreferredLanguage: "fr",
		LocationID: "550e8400-e29b-41d4-a716-446655440000", CustomFields: map[string]any{"tier": "Gold", "visits": 7}, Tags: []string{"vip"},
	}
	synced(t, srv, []demeterrr.ContactParams{jane}, options)
	jane.CustomFields = map[string]any{"tier": "Gold", "visits": 8}
	report, requests := synced(t, srv, []demeterrr.ContactParams{jane}, options)
	same(t, "sent", sent(requests), []string{`PATCH /contacts/{id} {"firstName":"Jane","lastName":"Doe","phone":"+15551234567","title":"Dr.",` +
		`"preferredLanguage":"fr","customFields":{"tier":"Gold","visits":8},"tags":["vip"]}`})
	same(t, "updated", report.Updated, 1)
	jane = demeterrr.ContactParams{Email: "jane@example.com"}
	report, requests = synced(t, srv, []demeterrr.ContactParams{jane}, options)
	same(t, "nothing left to be sent", sent(requests), []string{})
	same(t, "unchanged", report.Unchanged, 1)
}

func TestClearEmptyClearsWhatThisSourceHasSet(t *testing.T) {
	t.Parallel()
	srv := account(t, 0)
	state := stateFile(t)
	options := &bulk.SyncOptions{State: state, ClearEmpty: true}
	full := demeterrr.ContactParams{
		Email: "jane@example.com", FirstName: "Jane", LastName: "Doe", Phone: "+15551234567", Title: "Dr.", PreferredLanguage: "fr",
		CustomFields: map[string]any{"tier": "Gold", `say "," again`: "x"}, Tags: []string{"vip"},
	}
	bare := demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane"}
	run := func(c demeterrr.ContactParams, o *bulk.SyncOptions, want ...string) {
		t.Helper()
		_, requests := synced(t, srv, []demeterrr.ContactParams{c}, o)
		same(t, "sent", sent(requests), append([]string{}, want...))
	}
	srv.AddContact(demeterrr.Contact{Email: "jane@example.com", FirstName: "Jane", Title: "Prof.", CustomFields: map[string]any{"shoe": "42"}})
	get := "GET /contacts?email=jane@example.com"
	run(bare, options, get) // others have set the title: it stays
	run(bare, &bulk.SyncOptions{State: state, Verify: true, ClearEmpty: true}, get)
	noPhone := full
	noPhone.Phone = ""
	run(full, options, `PATCH /contacts/{id} {"firstName":"Jane","lastName":"Doe","phone":"+15551234567","title":"Dr.","preferredLanguage":"fr","customFields":{"say \",\" again":"x","tier":"Gold"},"tags":["vip"]}`)
	run(noPhone, &bulk.SyncOptions{State: state}, `PATCH /contacts/{id} {"firstName":"Jane","lastName":"Doe","title":"Dr.","preferredLanguage":"fr","customFields":{"say \",\" again":"x","tier":"Gold"},"tags":["vip"]}`)
	run(noPhone, &bulk.SyncOptions{State: state})
	// The state still knows that the phone was set.
	run(noPhone, options, `PATCH /contacts/{id} {"firstName":"Jane","lastName":"Doe","phone":null,"title":"Dr.","preferredLanguage":"fr","customFields":{"say \",\" again":"x","tier":"Gold"},"tags":["vip"]}`)
	run(noPhone, options)
	bare.FirstName = "" // never cleared, and neither is the email
	run(bare, options, `PATCH /contacts/{id} {"lastName":null,"title":null,"preferredLanguage":null,"customFields":{"say \",\" again":"","tier":""},"tags":[]}`)
	run(bare, options)
	jane := ofEmail(t, srv, "jane@example.com")
	same(t, "left", []any{jane.FirstName, jane.LastName, jane.Phone, jane.Title, jane.CustomFields["shoe"], jane.CustomFields["tier"], len(jane.Tags)}, []any{"Jane", "", "", "", "42", "", 0})
}

// Verify clears only fields with content in the account.
func TestVerifyClearsToo(t *testing.T) {
	t.Parallel()
	srv := account(t, 0)
	options := &bulk.SyncOptions{State: stateFile(t), ClearEmpty: true}
	jane := demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane", LastName: "Doe", Phone: "+1555", CustomFields: map[string]any{"a": "1", "b": "2"}, Tags: []string{"vip"}}
	synced(t, srv, []demeterrr.ContactParams{jane}, options)
	id := ofEmail(t, srv, jane.Email).ID
	if _, err := srv.Client().Contacts.Update(t.Context(), id, &demeterrr.ContactUpdate{Phone: demeterrr.Null[string](), CustomFields: demeterrr.Set(map[string]any{"b": ""})}); err != nil {
		t.Fatal(err)
	}
	options.Verify = true
	_, requests := synced(t, srv, []demeterrr.ContactParams{{Email: jane.Email, FirstName: "Jane"}}, options)
	same(t, "sent", sent(requests), []string{"GET /contacts?email=jane@example.com", `PATCH /contacts/{id} {"lastName":null,"customFields":{"a":""},"tags":[]}`})
}

func TestManagedTagsLeaveTheOthersAlone(t *testing.T) {
	t.Parallel()
	srv := account(t, 0)
	jane := demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane", Tags: []string{"gold"}}
	state := stateFile(t)
	options := &bulk.SyncOptions{State: state, ManagedTags: []string{"gold", "silver"}, ClearEmpty: true}
	srv.AddContact(demeterrr.Contact{Email: jane.Email, FirstName: "Jane", Tags: []string{"vip", "silver"}})
	run := func(c demeterrr.ContactParams, o *bulk.SyncOptions, want ...string) {
		t.Helper()
		_, requests := synced(t, srv, []demeterrr.ContactParams{c}, o)
		same(t, "sent", sent(requests), append([]string{}, want...))
	}
	list, get := "GET /contacts?email=jane@example.com", "GET /contacts/{id}"
	run(jane, &bulk.SyncOptions{ManagedTags: options.ManagedTags}, list, `PATCH /contacts/{id} {"tags":["gold","vip"]}`)
	run(jane, options, list)
	jane.LastName = "Doe" // the tags are unchanged
	run(jane, options, `PATCH /contacts/{id} {"firstName":"Jane","lastName":"Doe"}`)
	jane.Tags = []string{"silver"}
	run(jane, options, get, `PATCH /contacts/{id} {"tags":["silver","vip"]}`)
	jane.Tags = nil // this source has set one
	run(jane, options, get, `PATCH /contacts/{id} {"tags":["vip"]}`)
	jane.Tags = []string{}
	run(jane, options, get)
	same(t, "tags", ofEmail(t, srv, jane.Email).Tags, []string{"vip"})
	jane.Tags = []string{"vip"}
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice([]demeterrr.ContactParams{jane}), options)
	if err != nil || len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, demeterrr.ErrValidation) || strings.Contains(report.Failed[0].Err.Error(), "vip") || report.Requests != 0 {
		t.Error(err, summary(report))
	}
}

// A contact outside the state may be in the account, with tags.
func TestManagedTagsOfAnUnknownContactAreMerged(t *testing.T) {
	t.Parallel()
	srv := account(t, 200)
	options := &bulk.SyncOptions{State: stateFile(t), ManagedTags: []string{"a", "b", "new"}}
	synced(t, srv, customerList(0, 200), options)
	srv.AddContact(demeterrr.Contact{Email: "jane@example.com", FirstName: "Jane", Tags: []string{"vip", "a"}})
	_, requests := synced(t, srv, append(customerList(0, 200), demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane", Tags: []string{"new"}}), options)
	same(t, "sent", sent(requests)[1:], []string{`POST /contacts {"email":"jane@example.com","firstName":"Jane","tags":["new"]}`, "GET /contacts?email=jane@example.com", `PATCH /contacts/{id} {"tags":["new","vip"]}`})
}

// Tags that were read long ago are read again before the update.
func TestOldTagsAreReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := account(t, 2)
		input := customerList(0, 2)
		input[0].Tags, input[1].Tags = []string{"new"}, []string{"new"}
		options := &bulk.SyncOptions{ManagedTags: []string{"a", "b", "new"}, Confirm: func(*bulk.SyncPlan) error {
			time.Sleep(time.Hour)
			for _, c := range srv.Contacts() {
				if _, err := srv.Client().Contacts.Update(t.Context(), c.ID, &demeterrr.ContactUpdate{Tags: demeterrr.Set([]string{"a", "vip"})}); err != nil {
					return err
				}
			}
			return nil
		}}
		report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
		if err != nil || report.Updated != 2 {
			t.Error(err, summary(report))
		}
		for _, c := range srv.Contacts() {
			same(t, "tags", c.Tags, []string{"new", "vip"})
		}
	})
}

func TestWhatIsAboutToBeSentIsDirtyBefore(t *testing.T) {
	t.Parallel()
	state := newMemoryState(t)
	srv := account(t, 100, demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) {
		if r.Method == http.MethodGet {
			return
		}
		dirty := 0
		for _, e := range state.snapshot() {
			if e.Dirty {
				dirty++
			}
		}
		if dirty == 0 || dirty > 30 {
			t.Errorf("%s with %d dirty entries", r.Method, dirty)
		}
	}))
	client := srv.Client()
	if _, err := bulk.Sync(t.Context(), client, bulk.Slice(customerList(0, 100)), &bulk.SyncOptions{State: state}); err != nil {
		t.Fatal(err)
	}
	input := customerList(0, 110)
	for i := range 20 {
		input[i].LastName = "Changed"
	}
	state.saves = 0
	report, err := bulk.Sync(t.Context(), client, bulk.Slice(input), &bulk.SyncOptions{State: state})
	if err != nil || report.Updated != 20 || report.Created != 10 {
		t.Fatal(err, summary(report))
	}
	same(t, "saves", state.saves, 1+30) // one for all dirty entries
	for _, e := range state.snapshot() {
		if e.Dirty || e.ContactID == "" {
			t.Errorf("%+v", e)
		}
	}

	// If the state fails, nothing is written.
	input[0].LastName = "Again"
	state.onSave = func([]bulk.SyncEntry) error { return errTorn }
	report, err = bulk.Sync(t.Context(), client, bulk.Slice(input), &bulk.SyncOptions{State: state})
	if !errors.Is(err, errTorn) || report.Requests != 0 || !slices.Equal(report.NotTried, []int{0}) || report.Unchanged != 109 {
		t.Error(err, summary(report))
	}
	if _, ok := errors.AsType[*demeterrr.Error](err); !ok {
		t.Errorf("%v has no Error", err)
	}
}

// A reply is lost, and the input returns to its old value: the account may have
// either.
func TestWhatIsDirtyIsAlwaysSent(t *testing.T) {
	t.Parallel()
	for _, fault := range []demeterrrtest.Fault{{Drop: demeterrrtest.DropAfter}, {Status: 500, AfterWork: true}, {Status: 400}, {Status: 403}} {
		srv := account(t, 3)
		options := &bulk.SyncOptions{State: stateFile(t), ClearEmpty: true}
		was, now := customerList(0, 3), customerList(0, 3)
		synced(t, srv, was, options)
		now[0].Title, now[0].CustomFields = "Dr.", map[string]any{"tier": "Gold", "visits": 0, "more": "x"}
		fault.Route = "PATCH /contacts/{id}"
		srv.Inject(fault)
		report, _ := bulk.Sync(t.Context(), srv.Client(once), bulk.Slice(now), options)
		same(t, "failed", len(report.Failed), 1)
		_, requests := synced(t, srv, was, options)
		same(t, "sent", sent(requests), []string{`PATCH /contacts/{id} {"firstName":"First0","lastName":"Last","title":null,"customFields":{"more":"","tier":"Gold","visits":0},"tags":["a","b"]}`})
		_, requests = synced(t, srv, was, options)
		same(t, "sent again", sent(requests), []string{})
	}
}

// A run that has lost its state to another run learns so from Save, even if all
// its entries are dirty already.
func TestNothingIsWrittenAfterTheStateIsLost(t *testing.T) {
	t.Parallel()
	srv, state := account(t, 3), newMemoryState(t)
	options := &bulk.SyncOptions{State: state}
	synced(t, srv, customerList(0, 3), options)
	now := customerList(0, 3)
	now[0].Title = "Dr."
	srv.Inject(demeterrrtest.Fault{Route: "PATCH /contacts/{id}", Status: http.StatusInternalServerError})
	if report, err := bulk.Sync(t.Context(), srv.Client(once), bulk.Slice(now), options); err != nil || len(report.Failed) != 1 {
		t.Fatal(err, summary(report))
	}
	state.onSave = func([]bulk.SyncEntry) error { return bulk.ErrStateInUse }
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(now), options)
	wantIs(t, err, bulk.ErrStateInUse)
	same(t, "requests and not tried", []any{report.Requests, report.NotTried}, []any{0, []int{0}})
}

// The state remembers a field that one run has set and a later run did not
// clear.
func TestWhatIsDirtyRemembersAllFieldsThatWereSet(t *testing.T) {
	t.Parallel()
	srv := account(t, 0)
	options := &bulk.SyncOptions{State: stateFile(t), ClearEmpty: true}
	jane := demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane", Phone: "+1555"}
	synced(t, srv, []demeterrr.ContactParams{jane}, options)
	jane.Phone, jane.Title = "", "Dr."
	srv.Inject(demeterrrtest.Fault{Route: "PATCH /contacts/{id}", Drop: demeterrrtest.DropBefore})
	if report, err := bulk.Sync(t.Context(), srv.Client(once), bulk.Slice([]demeterrr.ContactParams{jane}), options); err != nil || len(report.Failed) != 1 {
		t.Fatal(err, summary(report))
	}
	jane.Title = ""
	_, requests := synced(t, srv, []demeterrr.ContactParams{jane}, options)
	same(t, "sent", sent(requests), []string{`PATCH /contacts/{id} {"firstName":"Jane","phone":null,"title":null}`})
}

// An id from the state may belong to another contact by now. That contact stays
// unchanged, both when its tags are read and when Verify finds it under another
// email.
func TestTheIDOfARenamedContactIsForgotten(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bulk.SyncOptions){
		"tags":   func(o *bulk.SyncOptions) { o.ManagedTags = []string{"a", "b", "new"} },
		"verify": func(o *bulk.SyncOptions) { o.Verify = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := account(t, 10)
			state := newMemoryState(t)
			synced(t, srv, customerList(0, 10), &bulk.SyncOptions{State: state})
			id := ofEmail(t, srv, "customer4@example.com").ID
			if _, err := srv.Client().Contacts.Update(t.Context(), id, &demeterrr.ContactUpdate{Email: demeterrr.Set("married@example.com")}); err != nil {
				t.Fatal(err)
			}
			options := bulk.SyncOptions{State: state}
			change(&options)
			input := customerList(0, 10)
			input[4].Tags = []string{"new"}
			srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Status: 400})
			if report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), &options); err != nil || len(report.Failed) != 1 {
				t.Fatal(err, summary(report))
			}
			same(t, "entry", state.snapshot()["customer4@example.com"], bulk.SyncEntry{Email: "customer4@example.com", Fields: `["customFields.tier","customFields.visits","lastName","tags"]`, Dirty: true})
			report, _ := synced(t, srv, input, &bulk.SyncOptions{State: state})
			same(t, "created", report.Created, 1)
			same(t, "the other's tags", ofEmail(t, srv, "married@example.com").Tags, []string{"b", "a"})
		})
	}
}

// The reply to a create is lost, then a field is removed from the input.
func TestALostCreateIsBroughtToTheInput(t *testing.T) {
	t.Parallel()
	srv := account(t, 200)
	options := &bulk.SyncOptions{State: stateFile(t), ClearEmpty: true}
	input := append(customerList(0, 200), demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane", Phone: "+1555"})
	synced(t, srv, customerList(0, 200), options)
	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Drop: demeterrrtest.DropAfter})
	report, err := bulk.Sync(t.Context(), srv.Client(once), bulk.Slice(input), options)
	if err != nil || len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, demeterrr.ErrUnknownOutcome) {
		t.Fatal(err, summary(report))
	}
	input[200].Phone = ""
	_, requests := synced(t, srv, input, options)
	same(t, "sent", sent(requests)[1:], []string{`POST /contacts {"email":"jane@example.com","firstName":"Jane"}`, "GET /contacts?email=jane@example.com", `PATCH /contacts/{id} {"phone":null}`})
}

func TestVerifyRepairsStateAndAccount(t *testing.T) {
	t.Parallel()
	srv := account(t, 300)
	state := newMemoryState(t)
	input := customerList(0, 300)
	options := &bulk.SyncOptions{State: state}
	synced(t, srv, input, options)
	good := state.snapshot()
	contacts := srv.Contacts()
	for _, c := range contacts[:5] { // others change, delete and create again
		if _, err := srv.Client().Contacts.Update(t.Context(), c.ID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("Somebody")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range contacts[5:10] {
		if err := srv.Client().Contacts.Delete(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	srv.AddContact(demeterrr.Contact{Email: contacts[7].Email, FirstName: "First7", LastName: "Last", CustomFields: contacts[7].CustomFields, Tags: contacts[7].Tags})
	state.mu.Lock()
	delete(state.entries, "customer20@example.com")
	strange, dirty := state.entries["customer21@example.com"], state.entries["customer22@example.com"]
	strange.ContactID, dirty.Dirty = contacts[40].ID, true
	state.entries[strange.Email], state.entries[dirty.Email] = strange, dirty
	state.mu.Unlock()

	report, requests := synced(t, srv, input, options)
	same(t, "seen without Verify", []int{report.Created, report.Updated, len(requests)}, []int{0, 1, 1 + 2}) // one is dirty, and one is new to the state
	options.Verify = true
	report, _ = synced(t, srv, input, options)
	same(t, "repaired", []int{report.Created, report.Updated}, []int{4, 5})
	has(t, srv, input)
	for _, c := range srv.Contacts() {
		e := state.entries[c.Email]
		if e.ContactID != c.ID || e.Dirty || e.Fingerprint != good[c.Email].Fingerprint || e.Fields != good[c.Email].Fields {
			t.Errorf("%s: %+v", c.Email, e)
		}
	}
	saves := state.saves
	_, requests = synced(t, srv, input, options)
	same(t, "a second time", []int{len(requests), state.saves}, []int{3, saves})
}

// mismatch fails the test unless Sync has refused its state and written
// nothing.
func mismatch(t *testing.T, report *bulk.SyncReport, err error) {
	t.Helper()
	wantIs(t, err, bulk.ErrStateMismatch)
	if e, ok := errors.AsType[*demeterrr.Error](err); !ok || !strings.HasPrefix(err.Error(), "demeterrr: ") || e.Attempts != 0 {
		t.Errorf("%v", err)
	}
	if report.Created+report.Updated > 0 {
		t.Error(summary(report))
	}
}

// counting returns a client that counts its own reads and writes, for a fake
// with other clients.
func counting(srv *demeterrrtest.Server) (*demeterrr.Client, *[2]int) {
	var counts [2]int
	return srv.Client(demeterrr.WithTransport(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				counts[0]++
			} else {
				counts[1]++
			}
			return next.RoundTrip(r)
		})
	})), &counts
}

func TestAStateOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	mine, other := account(t, 1000), account(t, 0)
	known := newMemoryState(t)
	synced(t, mine, customerList(0, 1000), &bulk.SyncOptions{State: known})
	for i := range 2000 { // the same people with other ids
		if c := customer(i); i >= 1000 {
			other.AddContact(demeterrr.Contact{ID: "other" + c.Email, Email: "x" + c.Email, FirstName: "X"})
		} else {
			other.AddContact(demeterrr.Contact{ID: "other" + c.Email, Email: c.Email, FirstName: c.FirstName, LastName: c.LastName})
		}
	}
	for name, tt := range map[string]struct {
		input  []demeterrr.ContactParams
		verify bool
		reads  int
		writes int // with a 404
	}{
		"changed contacts":      {[]demeterrr.ContactParams{changedCustomer(0), changedCustomer(1), changedCustomer(2), changedCustomer(3), {Email: "new@example.com", FirstName: "N"}}, false, 0, 3},
		"a new one":             {append(customerList(0, 1000), demeterrr.ContactParams{Email: "new@example.com", FirstName: "N"}), false, 3, 0},
		"one changed, one new":  {append(customerList(0, 1000), changedCustomer(7), demeterrr.ContactParams{Email: "new@example.com", FirstName: "N"}), false, 2, 1},
		"many new ones":         {customerList(0, 3000), false, 20, 0},
		"verified, and strange": {nil, true, 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := other
			if tt.verify {
				srv = account(t, 0)
				for i := range 2000 {
					srv.AddContact(demeterrr.Contact{ID: "other" + customer(i).Email, Email: customer(i).Email + "x", FirstName: "X"})
				}
				tt.input = customerList(0, 1000)
			}
			state := newMemoryState(t)
			state.entries = known.snapshot()
			client, counts := counting(srv)
			report, err := bulk.Sync(t.Context(), client, bulk.Slice(tt.input), &bulk.SyncOptions{State: state, Verify: tt.verify, Concurrency: 1})
			mismatch(t, report, err)
			same(t, "reads and writes", *counts, [2]int{tt.reads, tt.writes})
			if n := report.Unchanged + report.Duplicates + len(report.NotTried); n != len(tt.input) {
				t.Error(summary(report))
			}
		})
	}
	// Two missing ids prove nothing.
	state := newMemoryState(t)
	synced(t, mine, customerList(0, 2), &bulk.SyncOptions{State: state})
	report, err := bulk.Sync(t.Context(), account(t, 0).Client(), bulk.Slice([]demeterrr.ContactParams{changedCustomer(0), changedCustomer(1)}), &bulk.SyncOptions{State: state})
	if err != nil || report.Created != 2 {
		t.Error(err, summary(report))
	}
	// Another address does.
	elsewhere := serving(t, neverSent(t), demeterrr.WithBaseURL("https://feedback.example.com/api/v1"))
	report, err = bulk.Sync(t.Context(), elsewhere, bulk.Slice(customerList(0, 2)), &bulk.SyncOptions{State: state})
	mismatch(t, report, err)
}

// A deleted contact is created again, and the state gets its new id.
func TestAKnownContactThatIsGoneIsCreated(t *testing.T) {
	t.Parallel()
	srv := account(t, 10)
	state := newMemoryState(t)
	synced(t, srv, customerList(0, 10), &bulk.SyncOptions{State: state})
	if err := srv.Client().Contacts.Delete(t.Context(), ofEmail(t, srv, "customer4@example.com").ID); err != nil {
		t.Fatal(err)
	}
	input := []demeterrr.ContactParams{changedCustomer(4), changedCustomer(5)}
	report, requests := synced(t, srv, input, &bulk.SyncOptions{State: state})
	same(t, "report", []int{report.Created, report.Updated, len(requests)}, []int{1, 1, 3})
	same(t, "id", state.snapshot()["customer4@example.com"].ContactID, ofEmail(t, srv, "customer4@example.com").ID)
}

// Somebody changes the email of a contact. Its old email then belongs to no
// contact.
func TestAReplyThatNamesAnotherEmailDropsTheEntry(t *testing.T) {
	t.Parallel()
	for name, managed := range map[string][]string{"at the PATCH": nil, "at the GET": {"a", "b", "new"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := account(t, 10)
			state := newMemoryState(t)
			options := &bulk.SyncOptions{State: state, ManagedTags: managed}
			synced(t, srv, customerList(0, 10), options)
			id := ofEmail(t, srv, "customer4@example.com").ID
			if _, err := srv.Client().Contacts.Update(t.Context(), id, &demeterrr.ContactUpdate{Email: demeterrr.Set("married@example.com")}); err != nil {
				t.Fatal(err)
			}
			input := []demeterrr.ContactParams{changedCustomer(4)}
			input[0].Tags = []string{"new"}
			report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
			if err != nil {
				t.Fatal(err)
			}
			if managed == nil {
				if len(report.Failed) != 1 || !errors.Is(report.Failed[0].Err, demeterrr.ErrUnknownOutcome) || !strings.Contains(report.Failed[0].Err.Error(), "another email") {
					t.Error(summary(report), report.Failed)
				}
				same(t, "known", state.snapshot()["customer4@example.com"], bulk.SyncEntry{})
				report, _ = synced(t, srv, input, options)
			} else {
				same(t, "the other's last name", ofEmail(t, srv, "married@example.com").LastName, "Last")
			}
			same(t, "created", report.Created, 1)
			has(t, srv, input)
		})
	}
}

// A database may quote the email of a row in its errors.
func TestAnErrorOfAStateHasNoEmail(t *testing.T) {
	t.Parallel()
	state := newMemoryState(t)
	full := errors.New(`duplicate key: (email)=("customer 0"@example.com), customer0@example.com`)
	state.onSave = func([]bulk.SyncEntry) error { return full }
	srv := account(t, 0)
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(0, 2)), &bulk.SyncOptions{State: state})
	adds(t, srv, report)
	if !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "demeterrr: the sync state failed: duplicate key: ") || strings.Contains(err.Error(), "@") || len(report.NotTried) != 2 {
		t.Error(err, summary(report))
	}
}

func TestAStateServesOneRunAtATime(t *testing.T) {
	t.Parallel()
	srv := account(t, 1)
	state := stateFile(t)
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(0, 1)), &bulk.SyncOptions{State: state, OnProgress: func(bulk.SyncProgress) {
		_, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(0, 1)), &bulk.SyncOptions{State: state})
		wantIs(t, err, bulk.ErrStateInUse)
	}})
	if err != nil || report.Unchanged != 1 {
		t.Error(err, summary(report))
	}
	synced(t, srv, customerList(0, 1), &bulk.SyncOptions{State: state}) // it was released
}

// The context ends while a request is in flight: its outcome is still saved.
func TestTheOutcomeOfARequestInFlightReachesTheState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := account(t, 10, demeterrrtest.WithLatency(time.Second, time.Second))
		state := newMemoryState(t)
		synced(t, srv, customerList(0, 10), &bulk.SyncOptions{State: state})
		input := []demeterrr.ContactParams{changedCustomer(1), changedCustomer(2)}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		report, err := bulk.Sync(ctx, srv.Client(), bulk.Slice(input), &bulk.SyncOptions{State: state, Concurrency: 1})
		wantIs(t, err, context.DeadlineExceeded)
		same(t, "report", []any{report.Updated, report.NotTried}, []any{1, []int{1}})
		report, requests := synced(t, srv, input, &bulk.SyncOptions{State: state})
		same(t, "the rest", []int{report.Updated, report.Unchanged, len(requests)}, []int{1, 1, 1})
	})
}
