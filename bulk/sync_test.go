package bulk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func TestSyncReadsByTheCheaperWayAndWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	changed := func(list []demeterrr.ContactParams, every int) []demeterrr.ContactParams {
		for i := range list {
			if i%every == 0 {
				list[i].LastName = "Changed"
			}
		}
		return list
	}
	for _, tt := range []struct {
		name          string
		account       int
		input         []demeterrr.ContactParams
		reads, writes int
	}{
		{"nothing", 10_000, nil, 0, 0},
		{"5 % of 10,000 changed", 10_000, changed(customerList(0, 10_000), 20), 100, 500},
		{"50 in 10,000", 10_000, customerList(5000, 5050), 51, 0},
		{"50 in 10,000, all on the first page", 10_000, customerList(0, 50), 1, 0},
		{"50 in 10,000, half on the first page, all changed", 10_000, changed(customerList(75, 125), 1), 26, 50},
		{"one is looked up", 10_000, changed(customerList(5000, 5001), 1), 1, 1},
		{"one that is new", 10_000, customerList(10_000, 10_001), 1, 1},
		{"the first 100 of an empty account", 0, customerList(0, 100), 1, 100},
		{"99 and 100 pages", 10_000, customerList(9000, 9099), 100, 0},
		{"100 and 100 pages", 10_000, customerList(9000, 9100), 100, 0},
		{"one page", 100, customerList(50, 150), 1, 50},
		{"one page and one contact", 101, customerList(0, 101), 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := account(t, tt.account)
			report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(tt.input), nil)
			if err != nil || len(report.Failed) > 0 {
				t.Fatal(err, report.Failed)
			}
			adds(t, srv, report)
			has(t, srv, tt.input)
			if reads, writes := counted(srv); reads != tt.reads || writes != tt.writes {
				t.Errorf("%d reads and %d writes, want %d and %d", reads, writes, tt.reads, tt.writes)
			}
		})
	}
}

func TestSyncTakesTheLastContactWithAnEmail(t *testing.T) {
	t.Parallel()
	srv := account(t, 1)
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice([]demeterrr.ContactParams{
		{Email: "New@example.com", FirstName: "One"},
		{Email: "customer0@EXAMPLE.com", LastName: "Two"},
		{Email: "new@example.com", FirstName: "Three"},
		{Email: "", FirstName: "Four"},
		{Email: "no address", FirstName: "Five"},
		{Email: "nameless@example.com"},
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	adds(t, srv, report)
	if diff := cmp.Diff("read 6, duplicates 1, created 1, updated 1, unchanged 0, failed 3, not tried 0", summary(report)); diff != "" {
		t.Error(diff)
	}
	has(t, srv, []demeterrr.ContactParams{{Email: "new@example.com", FirstName: "Three"}, {Email: "customer0@example.com", FirstName: "First0", LastName: "Two"}})
	for i, f := range report.Failed {
		if e, ok := errors.AsType[*demeterrr.Error](f.Err); f.Index != i+3 || !ok || e.Attempts != 0 || !errors.Is(f.Err, demeterrr.ErrValidation) {
			t.Errorf("failure %d: %+v", i, f)
		}
	}
}

// TestDryRunPlansExactlyWhatIsSent compares a dry run with a real one.
func TestDryRunPlansExactlyWhatIsSent(t *testing.T) {
	t.Parallel()
	input := customerList(0, 200)
	for i := range 40 {
		input[i].Title, input[i].Tags = "Dr.", []string{}
		input[i].CustomFields["visits"] = i + 1
	}
	input = append(input, demeterrr.ContactParams{Email: "nameless@example.com"},
		demeterrr.ContactParams{Email: "x@example.com", FirstName: "X", CustomFields: map[string]any{"f": func() {}}})
	srv := account(t, 150)
	options := &bulk.SyncOptions{DryRun: true, Concurrency: 1}
	plan, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
	if err != nil {
		t.Fatal(err)
	}
	adds(t, srv, plan)
	if _, writes := counted(srv); writes != 0 {
		t.Fatalf("a dry run wrote %d times", writes)
	}
	type change struct{ Method, Path, Body string }
	var planned, done []change
	for c := range plan.Plan.Changes() {
		body, _ := json.Marshal(c.Create)
		if c.Update != nil {
			body, _ = json.Marshal(c.Update)
			planned = append(planned, change{http.MethodPatch, "/contacts/" + c.ContactID, string(body)})
			continue
		}
		planned = append(planned, change{http.MethodPost, "/contacts", string(body)})
	}
	options.DryRun = false
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.Requests() {
		if r.Method != http.MethodGet {
			done = append(done, change{r.Method, r.Path, string(r.Body)})
		}
	}
	if diff := cmp.Diff(planned, done); diff != "" {
		t.Errorf("planned and sent differ (-planned +sent):\n%s", diff)
	}
	if report.Created != plan.Created || report.Updated != plan.Updated || report.Unchanged != plan.Unchanged || len(report.Failed) != 2 || len(plan.Failed) != 2 {
		t.Errorf("dry: %s\nreal: %s", summary(plan), summary(report))
	}
	if want := plan.Plan.Reads + plan.Plan.Writes; report.Requests != want || plan.Plan.Reads != plan.Requests {
		t.Errorf("the plan costs %d requests, %d of them to read, %d were sent", want, plan.Plan.Reads, report.Requests)
	}
}

// TestSyncSurvivesRaces has others delete, create and change contacts between
// reading and writing.
func TestSyncSurvivesRaces(t *testing.T) {
	t.Parallel()
	srv := account(t, 300)
	client, other := srv.Client(), srv.Client()
	input := customerList(0, 310)
	for i := range input {
		input[i].LastName = "Changed"
	}
	input[7].FirstName = "" // cannot be created again
	var once bool
	report, err := bulk.Sync(t.Context(), client, bulk.Slice(input), &bulk.SyncOptions{OnProgress: func(p bulk.SyncProgress) {
		if p.WritesTotal == 0 || once {
			return
		}
		once = true
		for _, c := range srv.Contacts()[5:10] {
			if err := other.Contacts.Delete(t.Context(), c.ID); err != nil {
				t.Error(err)
			}
		}
		srv.AddContact(demeterrr.Contact{Email: "CUSTOMER305@example.com", FirstName: "Somebody"})
		srv.AddContact(demeterrr.Contact{Email: "customer306@example.com", FirstName: "First306", LastName: "Changed", CustomFields: map[string]any{"tier": "Gold", "visits": 306}, Tags: []string{"a", "b"}})
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := summary(report), "read 310, duplicates 0, created 12, updated 296, unchanged 1, failed 1, not tried 0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(report.Failed) == 1 && (report.Failed[0].Index != 7 || !errors.Is(report.Failed[0].Err, demeterrr.ErrValidation)) {
		t.Errorf("%+v", report.Failed)
	}
	has(t, srv, slices.Delete(input, 7, 8))
}

func TestSyncDoesNotRelyOnTheEmailFilter(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		srv := account(t, 1000)
		srv.Inject(demeterrrtest.Fault{Route: "GET /contacts", IgnoreQuery: []string{"email"}, Times: demeterrrtest.Always})
		input := customerList(700, 700+n)
		input[0].LastName = "Changed"
		report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), nil)
		if err != nil || report.Updated != 1 || report.Unchanged != n-1 {
			t.Error(err, summary(report), report.Failed)
		}
		adds(t, srv, report)
		has(t, srv, input)
	}
}

func TestSyncRefusesAServerThatIgnoresThePage(t *testing.T) {
	t.Parallel()
	srv := account(t, 1000)
	srv.Inject(demeterrrtest.Fault{Route: "GET /contacts", IgnoreQuery: []string{"page"}, Times: demeterrrtest.Always})
	report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(500, 1500)), &bulk.SyncOptions{Concurrency: 1}) // no read is canceled, which the fake would miss
	if err == nil || len(report.NotTried) != 1000 {
		t.Error(err, summary(report))
	}
	if _, writes := counted(srv); writes != 0 {
		t.Errorf("%d writes", writes)
	}
	adds(t, srv, report)
}

func TestSyncStopsWhereGoingOnWouldWasteRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault demeterrrtest.Fault
		want  error
		most  int // requests
	}{
		{"no scope to write", demeterrrtest.Fault{Route: "POST /contacts", Status: 403, Times: demeterrrtest.Always}, demeterrr.ErrInsufficientPermissions, 1 + 4},
		{"key revoked meanwhile", demeterrrtest.Fault{Skip: 101, Status: 401, Times: demeterrrtest.Always}, demeterrr.ErrInvalidAPIKey, 101 + 4},
		{"a wait of two hours", demeterrrtest.Fault{Skip: 101, Status: 429, RetryAfter: 2 * time.Hour, Times: demeterrrtest.Always}, demeterrr.ErrRateLimited, 101 + 4},
		{"the service is away", demeterrrtest.Fault{Skip: 101, Status: 503, Times: demeterrrtest.Always}, demeterrr.ErrServer, 101 + 4*(5+3)},
		{"the reading fails", demeterrrtest.Fault{Status: 500, Times: demeterrrtest.Always}, demeterrr.ErrInternal, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := account(t, 0)
				srv.Inject(tt.fault)
				report, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(customerList(0, 1000)), nil)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				adds(t, srv, report)
				if report.Requests > tt.most {
					t.Errorf("%d requests, want at most %d", report.Requests, tt.most)
				}
				if len(report.NotTried) < 1000-tt.most {
					t.Error(summary(report))
				}
				for _, f := range report.Failed {
					if !attempted(f.Err) || !errors.Is(f.Err, tt.want) {
						t.Fatalf("contact %d: %v", f.Index, f.Err)
					}
				}
			})
		})
	}
}

func TestSyncReportsWhatItDidWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := account(t, 0, demeterrrtest.WithLatency(time.Second, time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer cancel()
		report, err := bulk.Sync(ctx, srv.Client(), bulk.Slice(customerList(0, 1000)), nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		adds(t, srv, report)
		// Reading takes 1 s. The writes in flight after 10.5 s are allowed to
		// finish.
		if report.Created != 40 || len(srv.Contacts()) != 40 || len(report.NotTried) != 960 {
			t.Error(summary(report), len(srv.Contacts()))
		}
	})
}

func TestSyncWritesNothingIfItsInputFails(t *testing.T) {
	t.Parallel()
	srv := account(t, 10)
	broken := errors.New("line 8 is torn")
	report, err := bulk.Sync(t.Context(), srv.Client(), thenFail(customerList(5, 15), broken), nil)
	if !errors.Is(err, broken) || len(report.NotTried) != 10 || report.Requests != 0 {
		t.Error(err, summary(report), report.Requests)
	}
	adds(t, srv, report)
}

func TestSyncRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	client := account(t, 0).Client()
	for name, call := range map[string]func() (*bulk.SyncReport, error){
		"negative concurrency": func() (*bulk.SyncReport, error) {
			return bulk.Sync(t.Context(), client, bulk.Slice(customerList(0, 1)), &bulk.SyncOptions{Concurrency: -1})
		},
		"no input": func() (*bulk.SyncReport, error) { return bulk.Sync(t.Context(), client, nil, nil) },
		"no client": func() (*bulk.SyncReport, error) {
			return bulk.Sync(t.Context(), nil, bulk.Slice(customerList(0, 1)), nil)
		},
		"no context": func() (*bulk.SyncReport, error) {
			return bulk.Sync(nil, client, bulk.Slice(customerList(0, 1)), nil) //nolint:staticcheck // the test is about this mistake
		},
	} {
		if report, err := call(); !errors.Is(err, demeterrr.ErrValidation) || report == nil {
			t.Errorf("%s: %v %v", name, report, err)
		}
	}
}

// endless returns the client of an API that ignores the email filter and claims
// any number of pages. rest answers all pages but the first.
func endless(t *testing.T, rest func(page string) string) *demeterrr.Client {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page")
		data := `{"id":"c1","email":"first@example.com"}`
		if page == "" {
			page = "1"
		}
		if page != "1" {
			data = rest(page)
		}
		answer(200, `{"data":[`+data+`],"meta":{"page":`+page+`,"perPage":100,"total":1,"totalPages":2000000000}}`)(w, r)
	})
}

// The test ends at all: counting all pages would run into the time limit of the
// tests.
func TestSyncCountsNoPagesWhenItIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := endless(t, func(page string) string {
		cancel()
		return `{"id":"p` + page + `","email":"on` + page + `@example.com"}`
	})
	report, err := bulk.Sync(ctx, client, bulk.Slice(customerList(0, 1)), nil)
	if !errors.Is(err, context.Canceled) || len(report.NotTried) != 1 {
		t.Error(err, summary(report))
	}
}

func TestABulkOperationOfNoClientIsRefused(t *testing.T) {
	t.Parallel()
	for _, services := range []*demeterrr.Client{{}, {Contacts: &demeterrr.ContactsService{}, Sequences: &demeterrr.SequencesService{}}} {
		for _, n := range []int{1, 3} {
			report, err := bulk.Sync(t.Context(), services, bulk.Slice(customerList(0, n)), nil)
			if err == nil && len(report.Failed) > 0 {
				err = report.Failed[0].Err
			}
			if !errors.Is(err, demeterrr.ErrValidation) || len(report.Failed)+len(report.NotTried) != n {
				t.Error(err, summary(report))
			}
			executed, err := bulk.Execute(t.Context(), services, "s1", bulk.Slice(recipients(0, n)), nil)
			if err == nil && len(executed.Failed) > 0 {
				err = executed.Failed[0].Err
			}
			if !errors.Is(err, demeterrr.ErrValidation) || len(executed.Failed) != n {
				t.Error(err, totals(executed))
			}
		}
	}
}
