package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/paging/pagingtest"
)

// identified is an object with only an id.
type identified struct {
	ID string `json:"id"`
}

func fetchSurvey(method string) func(context.Context, *demeterrr.Client, ...demeterrr.CallOption) error {
	return func(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
		survey, err := demeterrr.Fetch[identified](ctx, c, &demeterrr.Request{Method: method, Path: "/surveys/s1"}, opts...)
		if err == nil && survey.ID != "s1" {
			return fmt.Errorf("got the survey %q", survey.ID)
		}
		return err
	}
}

func fetchSurveys(ctx context.Context, c *demeterrr.Client, opts ...demeterrr.CallOption) error {
	ids, errs := collected(demeterrr.FetchAll[identified](ctx, c, "/surveys", nil, opts...))
	if len(errs) == 0 && ids != "s1" {
		return fmt.Errorf("got the surveys %q", ids)
	}
	return errors.Join(errs...)
}

// collected joins the ids of a list, and collects its errors.
func collected(list iter.Seq2[*identified, error]) (ids string, errs []error) {
	for item, err := range list {
		if err != nil {
			if item != nil {
				err = fmt.Errorf("an item came with an error: %w", err)
			}
			errs = append(errs, err)
			continue // an error must end the loop by itself
		}
		ids += item.ID
	}
	return ids, errs
}

func TestFetchSendsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(answer(201, `{"data":{"id":"s1","name":"Welcome"}}`)))
	survey, err := demeterrr.Fetch[identified](t.Context(), c, &demeterrr.Request{
		Method: "POST", Path: "surveys", Query: url.Values{"a": {"b c"}}, Body: map[string]string{"name": "Welcome"},
	})
	wantNil(t, err)
	same(t, "survey", survey, &identified{ID: "s1"})
	same(t, "requests", j.lines(), []string{"POST /api/v1/surveys?a=b+c"})
	same(t, "body", j.list[0].Body, `{"name":"Welcome"}`)
}

func TestFetchTakesDataOfAnyType(t *testing.T) {
	t.Parallel()
	req := &demeterrr.Request{Method: "GET", Path: "/surveys"}
	list, err := demeterrr.Fetch[[]identified](t.Context(), serving(t, answer(200, `{"data":[{"id":"s1"},{"id":"s2"}]}`)), req)
	wantNil(t, err)
	same(t, "list", list, &[]identified{{"s1"}, {"s2"}})
	number, err := demeterrr.Fetch[any](t.Context(), serving(t, answer(200, `{"data": 0.5 }`)), req)
	wantNil(t, err)
	same(t, "number", *number, any(0.5))
}

// A 2xx without the envelope is a lost reply, as in a typed method.
func TestFetchNeedsTheEnvelope(t *testing.T) {
	t.Parallel()
	meta := `"meta":{"page":1,"perPage":100,"total":1,"totalPages":1}`
	for _, body := range []string{
		"", "OK", "{}", "[]", `{"id":"s1"}`, `{"data":null}`, `{"data":{"id":"s1"}`, `{"data":{"id":"s1"},}`,
		`{` + meta + `}`, `{"data":{"id":"s1"},"error":{"code":"VALIDATION_ERROR"}}`,
	} {
		c := serving(t, answer(200, body))
		wantIsNot(t, wantError(t, fetchSurvey("GET")(t.Context(), c), 1), demeterrr.ErrUnknownOutcome)
		wantError(t, fetchSurvey("POST")(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
		wantError(t, fetchSurveys(t.Context(), c), 1)
	}
	for _, body := range []string{
		`{"data":[{"id":"s1"}]}`, `{"data":[{"id":"s1"}],"meta":{"page":1}}`, `{"data":{"id":"s1"},` + meta + `}`,
		`{"data":[null],` + meta + `}`, `{"data":[{"id":"s1"}],` + meta + `,"error":{"code":"VALIDATION_ERROR"}}`,
	} {
		wantError(t, fetchSurveys(t.Context(), serving(t, answer(200, body))), 1)
	}
}

// A wrong type of the caller is no fault of the reply. The call is not retried,
// and the error quotes nothing.
func TestAReplyThatDoesNotFitIsAnErrorWithoutContent(t *testing.T) {
	t.Parallel()
	type wrong struct{ Name, Email map[string]int }
	quick := demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MaxWait: 1})
	const item = `{"id":"canary@example.com","name":{"canary@example.org":"canary"}}`
	for method, unknown := range map[string]bool{"GET": false, "POST": true, "PATCH": true} {
		var j journal
		c := serving(t, j.record(answer(200, `{"data":`+item+`}`)), quick)
		v, err := demeterrr.Fetch[wrong](t.Context(), c, &demeterrr.Request{Method: method, Path: "/surveys/s1"})
		e := wantError(t, err, 1)
		if v != nil || errors.Is(err, demeterrr.ErrUnknownOutcome) != unknown || e.StatusCode != 200 || e.Path != "/surveys/s1" || e.Retryable() {
			t.Errorf("%s: got %v, %v", method, v, err)
		}
		if text := shown(err); strings.Contains(text, "canary") || !strings.Contains(text, "its reply does not fit *demeterrr_test.wrong") {
			t.Errorf("%s: %s", method, text)
		}
		same(t, "requests", len(j.lines()), 1)
	}
	var j journal
	c := serving(t, j.record(answer(200, pageJSON([]string{`{"id":"s1","name":{}}`, item, `{"id":"s3"}`}, 1, 100, 3, 1))), quick)
	items, errs := 0, []error{}
	for v, err := range demeterrr.FetchAll[wrong](t.Context(), c, "/surveys", nil) {
		if err != nil {
			errs = append(errs, err)
		} else if v != nil {
			items++
		}
	}
	if items != 1 || len(errs) != 1 || strings.Contains(shown(errs[0]), "canary") {
		t.Errorf("got %d items, %v", items, errs)
	}
	same(t, "requests", len(j.lines()), 1)
}

// A retried DELETE with a 404 has succeeded, without a result.
func TestFetchOfADeleteRepeatedAfterALostReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{reset, missing})
		v, err := demeterrr.Fetch[identified](t.Context(), c, &demeterrr.Request{Method: "DELETE", Path: "/surveys/s1"})
		wantNil(t, err)
		s.wantSent(2)
		same(t, "result", v, &identified{})
	})
}

func TestFetchRefusesWhatDoRefuses(t *testing.T) {
	t.Parallel()
	c := serving(t, neverSent(t))
	get := func(path string) *demeterrr.Request { return &demeterrr.Request{Method: "GET", Path: path} }
	for says, req := range map[string]*demeterrr.Request{
		"the request is nil":         nil,
		"the method must be GET":     {Method: "HEAD", Path: "/surveys"},
		"the path is empty":          get(""),
		"dot segments":               get("/surveys/../contacts"),
		"must be escaped":            get("/surveys?page=1"),
		"a GET request has no body":  {Method: "GET", Path: "/surveys", Body: 1},
		"pass a value to be encoded": {Method: "POST", Path: "/surveys", Body: []byte("{}")},
	} {
		_, err := demeterrr.Fetch[identified](t.Context(), c, req)
		refusedBeforeSending(t, says, err, demeterrr.ErrValidation, says)
	}
	_, err := demeterrr.Fetch[identified](t.Context(), nil, get("/surveys"))
	refusedBeforeSending(t, "nil client", err, demeterrr.ErrValidation, "not made by New")
	_, err = demeterrr.Fetch[identified](nil, c, get("/surveys")) //nolint:staticcheck // this is what it refuses
	refusedBeforeSending(t, "nil context", err, demeterrr.ErrValidation, "the context is nil")
}

func TestFetchAllRefusesBadPathsAndQueries(t *testing.T) {
	t.Parallel()
	c := serving(t, neverSent(t))
	const page, limit = "the query's page must be one whole number from 1", "the query's limit must be one whole number from 1 to 100"
	for _, bad := range []struct {
		path  string
		query url.Values
		says  string
	}{
		{"", nil, "the path is empty"},
		{"/surveys?limit=1", nil, "must be escaped"},
		{"/surveys/%2e%2e", nil, "dot segments"},
		{"/surveys", url.Values{"page": {"x"}}, page},
		{"/surveys", url.Values{"page": {"0"}}, page},
		{"/surveys", url.Values{"page": {""}}, page},
		{"/surveys", url.Values{"page": nil}, page},
		{"/surveys", url.Values{"page": {"1", "2"}}, page},
		{"/surveys", url.Values{"limit": {"ten"}}, limit},
		{"/surveys", url.Values{"limit": {"-1"}}, limit},
		{"/surveys", url.Values{"limit": {"101"}}, limit},
		{"/surveys", url.Values{"limit": {"99999999999999999999"}}, limit},
	} {
		n := 0
		for _, err := range demeterrr.FetchAll[identified](t.Context(), c, bad.path, bad.query) {
			refusedBeforeSending(t, fmt.Sprint(bad), err, demeterrr.ErrValidation, bad.says)
			n++
		}
		same(t, "errors", n, 1)
	}
	_, errs := collected(demeterrr.FetchAll[identified](t.Context(), nil, "/surveys", nil))
	same(t, "errors of a nil client", len(errs), 1)
}

// A list keeps its original query and options until its loop, and can be looped
// over twice.
func TestFetchAllCopiesQueryAndOptions(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(listing(8)))
	var first, second demeterrr.Response
	opts := []demeterrr.CallOption{demeterrr.WithResponse(&first)}
	query := url.Values{"page": {"2"}, "limit": {"3"}, "status": {"a b", "c"}}
	list := demeterrr.FetchAll[identified](t.Context(), c, "surveys", query, opts...)
	query.Set("limit", "4")
	query["status"][0] = "changed"
	opts[0] = demeterrr.WithResponse(&second)
	for range 2 {
		ids, errs := collected(list)
		same(t, "errors", errs, []error(nil))
		same(t, "items", ids, "c4c5c6c7c8")
	}
	same(t, "attempts", []int{first.Attempts, second.Attempts}, []int{1, 0})
	const line = "GET /api/v1/surveys?limit=3&page=%d&status=a+b&status=c"
	same(t, "requests", j.lines(), []string{fmt.Sprintf(line, 2), fmt.Sprintf(line, 3), fmt.Sprintf(line, 2), fmt.Sprintf(line, 3)})
	same(t, "query", query, url.Values{"page": {"2"}, "limit": {"4"}, "status": {"changed", "c"}})
}

func TestFetchAllAsksForNoMoreThanTheLoopTakes(t *testing.T) {
	t.Parallel()
	for take, requests := range map[int]int{1: 1, 100: 1, 101: 2} {
		var j journal
		n := 0
		for _, err := range demeterrr.FetchAll[identified](t.Context(), serving(t, j.record(listing(1000))), "/surveys", nil) {
			wantNil(t, err)
			if n++; n == take {
				break
			}
		}
		same(t, "requests", len(j.lines()), requests)
		same(t, "the first", j.lines()[0], "GET /api/v1/surveys?limit=100&page=1")
	}
}

// FetchAll pages by the same rules as All.
func TestFetchAllEndsWhereTheListEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range pagingtest.Lists {
		handler, requests := pagingtest.Serve(t, tt.Pages)
		ids, errs := collected(demeterrr.FetchAll[identified](t.Context(), serving(t, handler), "/surveys", nil))
		same(t, name+": ids", ids, tt.IDs)
		if tt.Wrong == "" {
			same(t, name+": errors", errs, []error(nil))
		} else if len(errs) != 1 || !strings.Contains(errs[0].Error(), "GET /surveys: ") || !strings.Contains(errs[0].Error(), tt.Wrong) {
			t.Errorf("%s: got %v, want %q", name, errs, tt.Wrong)
		}
		if n := int(requests.Load()); n > len(tt.Pages) {
			t.Errorf("%s: %d requests for %d pages", name, n, len(tt.Pages))
		}
	}
}

// Items repeat the page before if their ids are equal, or their bytes if they
// have no ids.
func TestFetchAllNoticesARepeatedPage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pages   [2]string
		repeats bool
	}{
		"the same ids, other fields": {[2]string{`{"id":"a","n":1}`, `{"n":2,"id":"a"}`}, true},
		"other ids":                  {[2]string{`{"id":"a"}`, `{"id":"b"}`}, false},
		"the same bytes":             {[2]string{`{"n":1}`, `{"n":1}`}, true},
		"other bytes":                {[2]string{`{"n":1}`, `{"n":2}`}, false},
		"an id that is not text":     {[2]string{`{"id":7}`, `{"id":8}`}, false},
		"an id further down":         {[2]string{`{"o":{"id":"a"},"n":1}`, `{"o":{"id":"a"},"n":2}`}, false},
	} {
		c := serving(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Query().Get("page"))
			fmt.Fprint(w, pageJSON(tt.pages[n-1:n], n, 1, 2, 2))
		})
		items, errs := 0, []error{}
		for _, err := range demeterrr.FetchAll[map[string]any](t.Context(), c, "/surveys", nil) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			items++
		}
		if tt.repeats && (items != 1 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "the items of the page beside it again")) || !tt.repeats && (items != 2 || len(errs) != 0) {
			t.Errorf("%s: got %d items, %v", name, items, errs)
		}
	}
}

func TestFetchOfAListNamesFetchAll(t *testing.T) {
	t.Parallel()
	_, err := demeterrr.Fetch[identified](t.Context(), serving(t, listing(3)), &demeterrr.Request{Method: "GET", Path: "/surveys"})
	e := wantError(t, err, 1)
	if !strings.Contains(e.Message, "use FetchAll") {
		t.Error(err)
	}
}
