package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const (
	testKey = "dem_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

	limited60JSON = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Rate limit exceeded. Please try again later.","details":{"retryAfter":60,"limit":1000,"window":"1 hour"}}}`
)

// once turns off retries, so that a test meets the first failure.
var once = demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 0})

// rounds is how many rounds of a random test run: n, or a fifth of them with -short.
func rounds(n uint64) uint64 {
	if testing.Short() {
		return n / 5
	}
	return n
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through makes a client with f as its transport.
func through(t *testing.T, f roundTrip, opts ...demeterrr.Option) *demeterrr.Client {
	t.Helper()
	return must(demeterrr.New(testKey, append(opts, demeterrr.WithHTTPClient(&http.Client{Transport: f}))...))
}

func replying(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// serving makes a client with the handler as its server, in memory and without
// retries.
func serving(t *testing.T, handler http.HandlerFunc, opts ...demeterrr.Option) *demeterrr.Client {
	t.Helper()
	return through(t, func(req *http.Request) (*http.Response, error) {
		arrived := req.Clone(req.Context())
		if arrived.Body == nil {
			arrived.Body = http.NoBody
		}
		defer arrived.Body.Close()
		rec := httptest.NewRecorder()
		handler(rec, arrived)
		return rec.Result(), nil
	}, append([]demeterrr.Option{once}, opts...)...)
}

// answer returns a handler with a constant reply.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// neverSent fails the test if a request arrives.
func neverSent(t testing.TB) http.HandlerFunc {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL.Path) }
}

func pageJSON(items []string, page, perPage, total, totalPages int) string {
	return fmt.Sprintf(`{"data":[%s],"meta":{"page":%d,"perPage":%d,"total":%d,"totalPages":%d}}`, strings.Join(items, ","), page, perPage, total, totalPages)
}

func wantIs(t *testing.T, err error, want ...error) {
	t.Helper()
	for _, target := range want {
		if !errors.Is(err, target) {
			t.Errorf("%q does not match %v", err, target)
		}
	}
}

func wantIsNot(t *testing.T, err error, not ...error) {
	t.Helper()
	for _, target := range not {
		if errors.Is(err, target) {
			t.Errorf("%q matches %v", err, target)
		}
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// thenFail yields the items and then an error.
func thenFail[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		var none T
		yield(none, err)
	}
}

func customer(i int) demeterrr.ContactParams {
	return demeterrr.ContactParams{
		Email: fmt.Sprintf("customer%d@example.com", i), FirstName: fmt.Sprintf("First%d", i), LastName: "Last",
		CustomFields: map[string]any{"tier": "Gold", "visits": i}, Tags: []string{"a", "b"},
	}
}

func customerList(from, to int) []demeterrr.ContactParams {
	list := make([]demeterrr.ContactParams, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, customer(i))
	}
	return list
}

// account returns a fake with the customers 0 to n-1.
func account(t testing.TB, n int, opts ...demeterrrtest.Option) *demeterrrtest.Server {
	t.Helper()
	srv := demeterrrtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	for i := range n {
		c := customer(i)
		srv.AddContact(demeterrr.Contact{
			Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: "+15551234567",
			CustomFields: map[string]any{"visits": i, "tier": "Gold", "other": true}, Tags: []string{"b", "a"},
		})
	}
	return srv
}

// counted counts the requests that reached the fake.
func counted(srv *demeterrrtest.Server) (reads, writes int) {
	for _, r := range srv.Requests() {
		if r.Method == http.MethodGet {
			reads++
		} else {
			writes++
		}
	}
	return reads, writes
}

// adds fails the test if the numbers of a Sync report do not add up.
func adds(t testing.TB, srv *demeterrrtest.Server, r *bulk.SyncReport) {
	t.Helper()
	if sum := r.Duplicates + r.Created + r.Updated + r.Unchanged + len(r.Failed) + len(r.NotTried); r.Read != sum {
		t.Errorf("read %d, but the parts are %d: %s", r.Read, sum, summary(r))
	}
	if reads, writes := counted(srv); r.Requests != reads+writes {
		t.Errorf("the report has %d requests, the fake counted %d", r.Requests, reads+writes)
	}
}

func summary(r *bulk.SyncReport) string {
	return fmt.Sprintf("read %d, duplicates %d, created %d, updated %d, unchanged %d, failed %d, not tried %d",
		r.Read, r.Duplicates, r.Created, r.Updated, r.Unchanged, len(r.Failed), len(r.NotTried))
}

// has fails the test if the account differs from params.
func has(t testing.TB, srv *demeterrrtest.Server, params []demeterrr.ContactParams) {
	t.Helper()
	byEmail := map[string]demeterrr.Contact{}
	for _, c := range srv.Contacts() {
		byEmail[strings.ToLower(c.Email)] = c
	}
	for _, p := range params {
		if c, ok := byEmail[strings.ToLower(p.Email)]; !ok || c.FirstName != p.FirstName || c.LastName != p.LastName {
			t.Errorf("the account has %q %q for %s, want %q %q", c.FirstName, c.LastName, p.Email, p.FirstName, p.LastName)
		}
	}
}

// attempted reports whether the call behind an error sent a request.
func attempted(err error) bool {
	e, ok := errors.AsType[*demeterrr.Error](err)
	return ok && e.Attempts > 0
}

// executeAdds fails the test if the numbers of an Execute report do not add up.
func executeAdds(t testing.TB, r *bulk.ExecuteReport) {
	t.Helper()
	sum := r.Duplicates + r.AlreadySent + r.Sent + len(r.Skipped) + len(r.Failed) + len(r.Unknown) + len(r.InFlight) + len(r.NotTried)
	if r.Read != sum {
		t.Errorf("read %d, but the parts are %d: %s", r.Read, sum, totals(r))
	}
}

// messaged returns the emails of all sendings, in lower case.
func messaged(srv *demeterrrtest.Server) []string {
	var emails []string
	for _, s := range srv.Sendings() {
		emails = append(emails, strings.ToLower(s.Email))
	}
	return emails
}

func recipients(from, to int) []demeterrr.ExecuteContact {
	list := make([]demeterrr.ExecuteContact, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "First"})
	}
	return list
}

// keys returns the keys of recipients(from, to).
func keys(from, to int) (list []string) {
	for _, c := range recipients(from, to) {
		list = append(list, bulk.EmailKey(c.Email))
	}
	return list
}

// claim claims free emails.
func claim(t testing.TB, j bulk.Journal, id, token string, emails ...string) {
	t.Helper()
	if taken, err := j.Claim(t.Context(), id, token, emails); err != nil || len(taken) > 0 {
		t.Fatalf("%d are taken (%v)", len(taken), err)
	}
}

// finish finishes claims.
func finish(t testing.TB, j bulk.Journal, id, token string, entries ...bulk.JournalEntry) {
	t.Helper()
	if err := j.Finish(t.Context(), id, token, entries); err != nil {
		t.Fatal(err)
	}
}

// done returns the entry of a sent email.
func done(email string) bulk.JournalEntry {
	return bulk.JournalEntry{Email: email, State: bulk.JournalDone, Status: demeterrr.ExecutionQueued}
}

// stateOf returns the journal's entry of an email.
func stateOf(t testing.TB, j bulk.Journal, id, email string) bulk.JournalEntry {
	t.Helper()
	entries, err := j.Lookup(t.Context(), id, []string{bulk.EmailKey(email)})
	if err != nil || len(entries) > 1 {
		t.Fatal(entries, err)
	}
	if len(entries) == 0 {
		return bulk.JournalEntry{}
	}
	return entries[0]
}

// doubted returns the emails in doubt.
func doubted(j *bulk.FileJournal) (emails []string) {
	for _, e := range j.InDoubt() {
		emails = append(emails, e.Email)
	}
	return emails
}

// readExecution reads the body of an execution.
func readExecution(t *testing.T, r *http.Request) *demeterrr.ExecuteParams {
	t.Helper()
	var params demeterrr.ExecuteParams
	if err := json.NewDecoder(r.Body).Decode(&params); err != nil {
		t.Error(err)
	}
	return &params
}

// queued returns the API's reply to an execution, with everybody queued.
func queued(params *demeterrr.ExecuteParams) string {
	var results []demeterrr.ExecutionResult
	for _, c := range params.Contacts {
		results = append(results, demeterrr.ExecutionResult{Email: c.Email, Status: demeterrr.ExecutionQueued})
	}
	return fmt.Sprintf(`{"data":{"sequenceId":"s1","results":%s}}`, must(json.Marshal(results)))
}

// survey returns a fake with an active sequence.
func survey(t testing.TB, opts ...demeterrrtest.Option) (*demeterrrtest.Server, string) {
	t.Helper()
	srv := demeterrrtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	return srv, srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID
}

// totals formats the numbers of a report.
func totals(r *bulk.ExecuteReport) string {
	text := fmt.Sprintf("read %d, duplicates %d, already sent %d, sent %d, skipped %d, failed %d, unknown %d, requests %d",
		r.Read, r.Duplicates, r.AlreadySent, r.Sent, len(r.Skipped), len(r.Failed), len(r.Unknown), r.Requests)
	if n := len(r.InFlight); n > 0 {
		text += fmt.Sprintf(", in flight %d", n)
	}
	if n := len(r.NotTried); n > 0 {
		text += fmt.Sprintf(", not tried %d", n)
	}
	return text
}

func openJournal(t testing.TB, path, id string) *bulk.FileJournal {
	t.Helper()
	j, err := bulk.OpenJournal(path, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}
