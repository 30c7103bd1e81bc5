package bulk_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

const validationJSON = `{"error":{"code":"VALIDATION_ERROR","message":"Invalid request","details":[{"field":"contacts","message":"Invalid email"}]}}`

// refusing returns a client of an API that refuses a batch if it contains one
// of the emails. sent gets the emails of accepted batches.
func refusing(t *testing.T, sent *[]string, emails ...string) *demeterrr.Client {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, r *http.Request) {
		params := readExecution(t, r)
		for _, c := range params.Contacts {
			if slices.Contains(emails, c.Email) {
				answer(400, validationJSON)(w, r)
				return
			}
		}
		for _, c := range params.Contacts {
			*sent = append(*sent, c.Email)
		}
		answer(200, queued(params))(w, r)
	})
}

func TestSplitRefusedFindsTheContactAtFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		fault          []string
		split          bool
		sent, requests int
	}{
		{"off", keys(37, 38), false, 0, 1},
		{"nobody", nil, true, 100, 1},
		{"the first", keys(0, 1), true, 99, 13},
		{"one in the middle", keys(37, 38), true, 99, 13},
		{"the last", keys(99, 100), true, 99, 15},
		{"two neighbors", keys(20, 22), true, 98, 19},
		{"too many for 30 requests", slices.Concat(keys(3, 4), keys(20, 21), keys(50, 51), keys(70, 71), keys(90, 91)), true, 0, 30},
	} {
		var sent []string
		j := newScriptedJournal()
		report, err := bulk.Execute(t.Context(), refusing(t, &sent, tt.fault...), "s1", bulk.Slice(recipients(0, 100)), &bulk.ExecuteOptions{Journal: j, SplitRefused: tt.split})
		executeAdds(t, report)
		if err != nil || report.Requests != tt.requests || report.Sent != len(sent) || len(report.Failed) != 100-len(sent) || tt.sent > 0 && tt.sent != len(sent) {
			t.Errorf("%s: %v, %s", tt.name, err, totals(report))
		}
		for _, f := range report.Failed {
			wantIs(t, f.Err, demeterrr.ErrValidation)
			if tt.sent > 0 && !slices.Contains(tt.fault, f.Contact.Email) {
				t.Errorf("%s: %s has failed", tt.name, f.Contact.Email)
			}
		}
		slices.Sort(sent)
		if len(slices.Compact(sent)) != report.Sent {
			t.Errorf("%s: some were sent to twice", tt.name)
		}
		want := map[bulk.JournalState]int{}
		if report.Sent > 0 {
			want[bulk.JournalDone] = report.Sent
		}
		same(t, tt.name, j.count(), want)
	}
}

func TestSplitRefusedReportsWhatIsTakenToo(t *testing.T) {
	t.Parallel()
	var sent []string
	j := newScriptedJournal()
	j.before = func(ctx context.Context, s step) (err error) {
		if s.Method == "Claim" && s.Token == 1 {
			_, err = j.memoryJournal.Claim(ctx, "s1", "other", keys(1, 3))
		}
		return err
	}
	report, err := bulk.Execute(t.Context(), refusing(t, &sent, keys(90, 91)...), "s1", bulk.Slice(recipients(0, 100)), &bulk.ExecuteOptions{Journal: j, SplitRefused: true})
	executeAdds(t, report)
	if err != nil || len(report.InFlight) != 2 || len(report.Failed) != 1 || report.Sent != len(sent) {
		t.Error(err, totals(report))
	}
}

// If the fault lies in a value that all contacts share, such as a location,
// splitting the rest of the input would waste requests.
func TestSplitRefusedStopsIfNobodyIsAccepted(t *testing.T) {
	t.Parallel()
	var sent []string
	client := refusing(t, &sent, keys(0, 1000)...)
	report, err := bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 1000)), &bulk.ExecuteOptions{SplitRefused: true})
	executeAdds(t, report)
	if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), "refused every contact") || report.Requests != 30 || len(report.Failed) != 100 {
		t.Error(err, totals(report))
	}
	// A single contact is its own fault.
	report, err = bulk.Execute(t.Context(), client, "s1", bulk.Slice(recipients(0, 1)), &bulk.ExecuteOptions{SplitRefused: true})
	if err != nil || report.Requests != 1 || len(report.Failed) != 1 {
		t.Error(err, totals(report))
	}
}

// Another process may be sending to the rest of a refused batch. The run goes
// on.
func TestSplitRefusedGoesOnBesideAnotherProcess(t *testing.T) {
	t.Parallel()
	var sent []string
	j := newScriptedJournal()
	j.before = func(ctx context.Context, s step) (err error) {
		if s.Method == "Claim" && s.Token == 2 {
			_, err = j.memoryJournal.Claim(ctx, "s1", "other", keys(0, 50))
		}
		return err
	}
	report, err := bulk.Execute(t.Context(), refusing(t, &sent, keys(50, 100)...), "s1", bulk.Slice(recipients(0, 150)), &bulk.ExecuteOptions{Journal: j, SplitRefused: true})
	executeAdds(t, report)
	if err != nil || len(report.InFlight) != 50 || len(report.Failed) != 50 || report.Sent != 50 || len(sent) != 50 {
		t.Error(err, totals(report))
	}
}

// Only the API's own VALIDATION_ERROR leads to a split.
func TestSplitRefusedLeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		400: `{"error":{"code":"SEQUENCE_INACTIVE","message":"Sequence is not active"}}`,
		422: validationJSON,
		500: `{"error":{"code":"INTERNAL_ERROR","message":"An unexpected error occurred"}}`,
	} {
		report, _ := bulk.Execute(t.Context(), serving(t, answer(status, body)), "s1", bulk.Slice(recipients(0, 100)), &bulk.ExecuteOptions{SplitRefused: true})
		if report.Requests != 1 {
			t.Errorf("%d: %d requests", status, report.Requests)
		}
	}
}
