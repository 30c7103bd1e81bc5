package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

var jane = demeterrr.ExecuteContact{Email: "jane.smith@example.com", FirstName: "Jane"}

// onceOutcome is the result of a call, with the sentinels of its error.
type onceOutcome struct {
	Result                                 *bulk.OnceResult
	InFlight, NotSent, Unknown, Successful bool
}

func outcomeOf(result *bulk.OnceResult, err error) onceOutcome {
	if result != nil {
		result.ContactID = "" // chosen by the fake
	}
	return onceOutcome{
		result, errors.Is(err, bulk.ErrInFlight), errors.Is(err, bulk.ErrNotSent), errors.Is(err, demeterrr.ErrUnknownOutcome), err == nil,
	}
}

var (
	sentNow     = onceOutcome{Result: &bulk.OnceResult{Status: demeterrr.ExecutionQueued}, Successful: true}
	sentEarlier = onceOutcome{Result: &bulk.OnceResult{Status: demeterrr.ExecutionQueued, Earlier: true}, Successful: true}
	notSentYet  = onceOutcome{NotSent: true}
	inDoubt     = onceOutcome{Unknown: true}
	forGood     = onceOutcome{}
)

const expiredKeyJSON = `{"error":{"code":"EXPIRED_API_KEY","message":"API key has expired"}}`

// Each event meets a fault at its first delivery and none at its second.
func TestExecuteOnceTellsWhatBecameOfAnEvent(t *testing.T) {
	t.Parallel()
	const execute = "/sequences/{id}/execute"
	tests := map[string]struct {
		fault         demeterrrtest.Fault
		first, second onceOutcome
		is            error // of the first
		requests      int
		sendings      int
	}{
		"no fault":               {demeterrrtest.Fault{}, sentNow, sentEarlier, nil, 1, 1},
		"reply lost":             {demeterrrtest.Fault{Drop: demeterrrtest.DropAfter}, inDoubt, inDoubt, nil, 1, 1},
		"connection lost":        {demeterrrtest.Fault{Drop: demeterrrtest.DropBefore}, inDoubt, inDoubt, nil, 1, 0},
		"500 after the work":     {demeterrrtest.Fault{Status: 500, AfterWork: true}, inDoubt, inDoubt, demeterrr.ErrInternal, 1, 1},
		"502":                    {demeterrrtest.Fault{Status: 502}, inDoubt, inDoubt, demeterrr.ErrServer, 1, 0},
		"no reply in time":       {demeterrrtest.Fault{Delay: time.Hour}, inDoubt, inDoubt, demeterrr.ErrTimeout, 1, 1},
		"401 in a 200":           {demeterrrtest.Fault{Status: 200, Body: expiredKeyJSON}, inDoubt, inDoubt, demeterrr.ErrExpiredAPIKey, 1, 0},
		"a long 429":             {demeterrrtest.Fault{Status: 429, RetryAfter: 10 * time.Minute}, notSentYet, sentNow, demeterrr.ErrRateLimited, 2, 1},
		"a short 429":            {demeterrrtest.Fault{Status: 429, RetryAfter: 5 * time.Second}, sentNow, sentEarlier, nil, 2, 1},
		"an expired key":         {demeterrrtest.Fault{Code: demeterrr.CodeExpiredAPIKey}, notSentYet, sentNow, demeterrr.ErrExpiredAPIKey, 2, 1},
		"a missing scope":        {demeterrrtest.Fault{Code: demeterrr.CodeInsufficientPermissions}, notSentYet, sentNow, demeterrr.ErrInsufficientPermissions, 2, 1},
		"an inactive sequence":   {demeterrrtest.Fault{Code: demeterrr.CodeSequenceInactive}, forGood, sentNow, demeterrr.ErrSequenceInactive, 2, 1},
		"a sequence not found":   {demeterrrtest.Fault{Code: demeterrr.CodeNotFound}, forGood, sentNow, demeterrr.ErrNotFound, 2, 1},
		"refused as invalid":     {demeterrrtest.Fault{Code: demeterrr.CodeValidation}, forGood, sentNow, demeterrr.ErrValidation, 2, 1},
		"a status of a firewall": {demeterrrtest.Fault{Status: 403}, notSentYet, sentNow, demeterrr.ErrForbidden, 2, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, journal := newOnceServer(), demeterrrtest.NewJournal()
				client := srv.Client()
				if name != "no fault" {
					test.fault.Route = execute
					srv.Inject(test.fault)
				}
				deliver := func() (*bulk.OnceResult, error) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					return bulk.ExecuteOnce(ctx, client, surveyID, jane, journal, nil)
				}
				result, err := deliver()
				if diff := cmp.Diff(test.first, outcomeOf(result, err)); diff != "" || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("first: %v\n%s", err, diff)
				}
				e, ok := errors.AsType[*demeterrr.Error](err)
				if failed := err != nil; failed != ok || ok && e.RetryAfter != test.fault.RetryAfter {
					t.Errorf("the error does not tell RetryAfter: %#v", e)
				}
				time.Sleep(15 * time.Minute)
				result, err = deliver()
				if diff := cmp.Diff(test.second, outcomeOf(result, err)); diff != "" {
					t.Errorf("second: %v\n%s", err, diff)
				}
				if n := len(srv.Requests()); n != test.requests || len(srv.Sendings()) != test.sendings {
					t.Errorf("%d requests and %d sendings, not %d and %d", n, len(srv.Sendings()), test.requests, test.sendings)
				}
			})
		})
	}
}

func newOnceServer() *demeterrrtest.Server {
	srv := demeterrrtest.NewServer()
	srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	return srv
}

func TestExecuteOnceTellsWhyAContactWasSkipped(t *testing.T) {
	t.Parallel()
	srv, journal := newOnceServer(), demeterrrtest.NewJournal()
	added := srv.AddContact(demeterrr.Contact{Email: jane.Email, Unsubscribed: true})
	for _, earlier := range []bool{false, true} {
		result, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, jane, journal, nil)
		want := &bulk.OnceResult{Status: "skipped", ContactID: added.ID, Earlier: earlier}
		if diff := cmp.Diff(want, result); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if n := len(srv.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestAFailedDialOfExecuteOnceSendsNothing(t *testing.T) {
	t.Parallel()
	client := through(t, func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}, once)
	journal := demeterrrtest.NewJournal()
	result, err := bulk.ExecuteOnce(t.Context(), client, surveyID, jane, journal, nil)
	if diff := cmp.Diff(notSentYet, outcomeOf(result, err)); diff != "" || len(journal.Entries(surveyID)) != 0 {
		t.Errorf("%v, the journal has %v\n%s", err, journal.Entries(surveyID), diff)
	}
}

// If the journal fails before it records anything, nothing is sent. If it fails
// to record the outcome, only later calls are in doubt.
func TestAFailingJournalOfExecuteOnce(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is full")
	tests := map[string]struct {
		journal       failingJournal
		first, second onceOutcome
		sendings      int
	}{
		"lookup fails":  {failingJournal{method: "Lookup", err: broken}, notSentYet, sentNow, 1},
		"claim fails":   {failingJournal{method: "Claim", err: broken}, notSentYet, sentNow, 1},
		"claim panics":  {failingJournal{method: "Claim"}, notSentYet, sentNow, 1},
		"claim is lost": {failingJournal{method: "Claim", err: broken, after: true}, notSentYet, sentNow, 1},
		"finish fails":  {failingJournal{method: "Finish", err: broken}, onceOutcome{Result: sentNow.Result}, inDoubt, 1},
		"finish panics": {failingJournal{method: "Finish"}, onceOutcome{Result: sentNow.Result}, inDoubt, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, process := newOnceServer(), demeterrrtest.NewJournal()
			test.journal.Journal = process
			result, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, jane, &test.journal, nil)
			if diff := cmp.Diff(test.first, outcomeOf(result, err)); diff != "" || err == nil || test.journal.err != nil && !errors.Is(err, broken) {
				t.Errorf("first: %v\n%s", err, diff)
			}
			process.Close() // its claims are no longer live
			result, err = bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, jane, process.Process("later"), nil)
			if diff := cmp.Diff(test.second, outcomeOf(result, err)); diff != "" || len(srv.Sendings()) != test.sendings {
				t.Errorf("second: %v, %d sendings\n%s", err, len(srv.Sendings()), diff)
			}
		})
	}
}

// A claim may fail to be given back before a wait, and stays in the journal.
// The error says so. It matches no cancellation, since the caller canceled
// nothing.
func TestExecuteOnceNamesAJournalThatKeepsAClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newOnceServer()
		srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Second})
		j := &failingJournal{Journal: demeterrrtest.NewJournal(), method: "Finish", err: errDiskFull}
		result, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, jane, j, nil)
		if result != nil || len(srv.Sendings()) > 0 {
			t.Error(result, len(srv.Sendings()))
		}
		wantIs(t, err, bulk.ErrNotSent, errDiskFull)
		wantIsNot(t, err, context.Canceled, demeterrr.ErrUnknownOutcome)
		if !strings.Contains(err.Error(), "could not record the outcome") || strings.Contains(err.Error(), "canceled") {
			t.Error(err)
		}
	})
}

// A claim stays in the journal, and the caller hangs up meanwhile. The error
// tells the caller's own reason too.
func TestExecuteOnceTellsACancellationBesideAJournalThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newOnceServer()
		srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		j := newScriptedJournal()
		j.before = func(_ context.Context, s step) error {
			if s.Method == "Finish" {
				cancel()
				return errDiskFull
			}
			return nil
		}
		_, err := bulk.ExecuteOnce(ctx, srv.Client(), surveyID, jane, j, nil)
		wantIs(t, err, bulk.ErrNotSent, context.Canceled)
		if len(srv.Sendings()) > 0 {
			t.Error(len(srv.Sendings()))
		}
	})
}

// failingJournal fails one call of a method, with err or, if err is nil, a
// panic. With after, it does the work first.
type failingJournal struct {
	bulk.Journal
	method string
	err    error
	after  bool

	failed bool
}

func (j *failingJournal) fail(method string, work func() error) (err error) {
	if method != j.method || j.failed {
		return work()
	}
	j.failed = true
	if j.after {
		_ = work()
	}
	if j.err == nil {
		panic("no connection pool")
	}
	return j.err
}

func (j *failingJournal) Lookup(ctx context.Context, sequenceID string, emails []string) (found []bulk.JournalEntry, err error) {
	err = j.fail("Lookup", func() error { found, err = j.Journal.Lookup(ctx, sequenceID, emails); return err })
	return found, err
}

func (j *failingJournal) Claim(ctx context.Context, sequenceID, token string, emails []string) (taken []bulk.JournalEntry, err error) {
	err = j.fail("Claim", func() error { taken, err = j.Journal.Claim(ctx, sequenceID, token, emails); return err })
	return taken, err
}

func (j *failingJournal) Finish(ctx context.Context, sequenceID, token string, entries []bulk.JournalEntry) error {
	return j.fail("Finish", func() error { return j.Journal.Finish(ctx, sequenceID, token, entries) })
}

// A request in flight outlives its caller, so its reply is read.
func TestAClientThatHangsUpLosesNoReplyOfExecuteOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(5*time.Second, 5*time.Second))
		srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		journal := demeterrrtest.NewJournal()
		result, err := bulk.ExecuteOnce(ctx, srv.Client(), surveyID, jane, journal, nil)
		if diff := cmp.Diff(sentNow, outcomeOf(result, err)); diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		_, err = bulk.ExecuteOnce(ctx, srv.Client(), surveyID, demeterrr.ExecuteContact{Email: "late@example.com"}, journal, nil)
		if !errors.Is(err, bulk.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) || len(srv.Requests()) != 1 {
			t.Errorf("%v, %d requests", err, len(srv.Requests()))
		}
	})
}

// A repeated event takes no request, so it skips the wait for the quota.
func TestARepeatedEventDoesNotWaitForTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, journal := newOnceServer(), demeterrrtest.NewJournal()
		pacer := demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Hour})
		client := srv.Client(demeterrr.WithLimiter(pacer))
		start := time.Now()
		for range 2 {
			if _, err := bulk.ExecuteOnce(t.Context(), client, surveyID, jane, journal, nil); err != nil || time.Since(start) > time.Minute {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
	})
}

// Five orders are delivered 100 times at once, to four processes.
// Another process claims the event between the look at the journal and the claim.
func TestAnEventThatIsClaimedMeanwhileIsInFlight(t *testing.T) {
	t.Parallel()
	srv, id := survey(t)
	j := newScriptedJournal()
	j.before = func(ctx context.Context, s step) (err error) {
		if s.Method == "Claim" {
			_, err = j.memoryJournal.Claim(ctx, id, "other", keys(0, 1))
		}
		return err
	}
	result, err := bulk.ExecuteOnce(t.Context(), srv.Client(), id, recipients(0, 1)[0], j, nil)
	wantIs(t, err, bulk.ErrInFlight)
	if result != nil || len(srv.Requests()) > 0 {
		t.Errorf("got %+v after %d requests", result, len(srv.Requests()))
	}
}

func TestConcurrentDeliveriesSendEachOrderOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const orders, deliveries, replicas = 5, 100, 4
		srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(time.Millisecond, time.Second))
		srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
		client := srv.Client()
		var campaigns [orders]*demeterrrtest.Journal
		for i := range campaigns {
			campaigns[i] = demeterrrtest.NewJournal()
		}
		var mu sync.Mutex
		sent, others := make([]int, orders), 0
		var all sync.WaitGroup
		for i := range deliveries {
			order := i % orders
			journal := campaigns[order].Process(fmt.Sprint("replica ", i%replicas))
			guest := demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", order)}
			all.Go(func() {
				time.Sleep(time.Duration(i/20) * 200 * time.Millisecond) // some find the order done
				result, err := bulk.ExecuteOnce(t.Context(), client, surveyID, guest, journal, nil)
				mu.Lock()
				defer mu.Unlock()
				finished := false
				for _, s := range srv.Sendings() {
					finished = finished || s.Email == guest.Email
				}
				switch {
				case err == nil && !result.Earlier:
					sent[order]++
				case err == nil && finished, errors.Is(err, bulk.ErrInFlight):
					others++
				default:
					t.Errorf("order %d: %v, %v", order, result, err)
				}
			})
		}
		all.Wait()
		if diff := cmp.Diff([]int{1, 1, 1, 1, 1}, sent); diff != "" || others != deliveries-orders {
			t.Errorf("%d told something else\n%s", others, diff)
		}
		if len(srv.Sendings()) != orders || len(srv.SentTwice()) != 0 || len(srv.Requests()) != orders {
			t.Errorf("%d sendings, %d requests", len(srv.Sendings()), len(srv.Requests()))
		}
	})
}

// Bad input is refused before the journal or the API is asked.
func TestExecuteOnceRefusesBadInput(t *testing.T) {
	t.Parallel()
	srv := newOnceServer()
	journal := newScriptedJournal()
	call := func(sequenceID, email string, j bulk.Journal, opts *bulk.ExecuteOnceOptions) error {
		_, err := bulk.ExecuteOnce(t.Context(), srv.Client(), sequenceID, demeterrr.ExecuteContact{Email: email}, j, opts)
		return err
	}
	named := func(name string) error {
		_, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, demeterrr.ExecuteContact{Email: jane.Email, FirstName: name}, journal, nil)
		return err
	}
	for name, err := range map[string]error{
		"no sequence":       call("", jane.Email, journal, nil),
		"no email":          call(surveyID, "", journal, nil),
		"a 10 KB email":     call(surveyID, strings.Repeat("a", 10<<10)+"@example.com", journal, nil),
		"long in lowercase": call(surveyID, strings.Repeat("Ⱥ", 150)+"@example.com", journal, nil),
		"a broken name":     named("\xff"),
		"no journal":        call(surveyID, jane.Email, nil, nil),
		"a broken location": call(surveyID, jane.Email, journal, &bulk.ExecuteOnceOptions{LocationID: "\xff"}),
	} {
		if !errors.Is(err, demeterrr.ErrValidation) || errors.Is(err, bulk.ErrNotSent) || strings.Count(err.Error(), "demeterrr: ") != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	//nolint:staticcheck // a nil context is what is tested
	if _, err := bulk.ExecuteOnce(nil, srv.Client(), surveyID, jane, journal, nil); !errors.Is(err, demeterrr.ErrValidation) {
		t.Errorf("no context: %v", err)
	}
	if _, err := bulk.ExecuteOnce(t.Context(), nil, surveyID, jane, journal, nil); !errors.Is(err, demeterrr.ErrValidation) {
		t.Errorf("no client: %v", err)
	}
	if len(srv.Requests()) != 0 {
		t.Errorf("%d requests", len(srv.Requests()))
	}
	if steps := journal.script(); len(steps) > 0 {
		t.Errorf("the journal was asked: %v", steps)
	}
}

// Different case is one person, different width is two.
func TestExecuteOnceKnowsAPersonInAnyCase(t *testing.T) {
	t.Parallel()
	srv, journal := newOnceServer(), demeterrrtest.NewJournal()
	for i, email := range []string{"jane@example.com", "JANE@Example.com", "ｊane@example.com"} {
		result, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, demeterrr.ExecuteContact{Email: email}, journal, nil)
		if err != nil || result.Earlier != (i == 1) {
			t.Errorf("%s: %v, %v", email, result, err)
		}
	}
}

func TestAnErrorOfExecuteOnceHasOnePrefix(t *testing.T) {
	t.Parallel()
	srv, journal := newOnceServer(), demeterrrtest.NewJournal()
	srv.Inject(demeterrrtest.Fault{Code: demeterrr.CodeExpiredAPIKey})
	_, err := bulk.ExecuteOnce(t.Context(), srv.Client(), surveyID, jane, journal, nil)
	if text := fmt.Sprint(err); !strings.HasPrefix(text, "demeterrr: not sent: ") || strings.Count(text, "demeterrr: ") != 1 || strings.Contains(text, jane.Email) {
		t.Error(text)
	}
}

// TestWebhookSendsOneSurveyForAnOrder delivers one order twice.
func TestWebhookSendsOneSurveyForAnOrder(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	survey := srv.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Survey"})
	journal := demeterrrtest.NewJournal() // of the order's campaign
	handler := &surveyWebhook{srv.Client(), survey.ID, func(string) bulk.Journal { return journal }}

	order := `{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane"}`
	for range 2 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(order))
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := len(srv.Sendings()); n != 1 {
		t.Errorf("%d surveys for one order", n)
	}
}

// The webhook's campaign has the limits of a name in sqlstore, and its 503 has
// the time of the API.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id         string
		status     int
		retryAfter string
		requests   int
	}{
		"good":              {id: strings.Repeat("x", 194), status: 503, retryAfter: "3601", requests: 1},
		"empty":             {status: 400},
		"long":              {id: strings.Repeat("x", 195), status: 400},
		"space at its end":  {id: "5 ", status: 400},
		"control character": {id: `5\u0000`, status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer()
				defer srv.Close()
				srv.Inject(demeterrrtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
				handler := &surveyWebhook{srv.Client(), surveyID, func(string) bulk.Journal { return demeterrrtest.NewJournal() }}
				body := `{"id": "` + test.id + `", "email": "jane.smith@example.com"}`
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
				if got := w.Header().Get("Retry-After"); w.Code != test.status || got != test.retryAfter || len(srv.Requests()) != test.requests {
					t.Errorf("answered %d with Retry-After %q after %d requests", w.Code, got, len(srv.Requests()))
				}
			})
		})
	}
}
