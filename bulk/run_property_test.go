package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// randomFault returns a random fault of one or more requests.
func randomFault(r *rand.Rand, requests int) demeterrrtest.Fault {
	f := demeterrrtest.Fault{Skip: r.IntN(requests), Times: 1 + r.IntN(6)}
	switch r.IntN(8) {
	case 0:
		f.Status, f.RetryAfter = 429, time.Duration(r.IntN(200))*time.Second
	case 1:
		f.Status, f.AfterWork = 500, r.IntN(2) == 0
	case 2:
		f.Status, f.AfterWork = 502+r.IntN(3), r.IntN(2) == 0
	case 3:
		f.Drop = demeterrrtest.Drop(1 + r.IntN(4))
	case 4:
		f.Delay = time.Duration(1+r.IntN(60)) * time.Second
	case 5:
		f.Status = []int{400, 401, 403, 404, 409, 418}[r.IntN(6)]
	case 6:
		f.Body = `{"data":`
	case 7:
		f.Body = `{"data":{"sequenceId":"s","results":[]}}`
	}
	return f
}

// randomCustomers returns customers. Some appear twice, some have changed, some
// are invalid.
func randomCustomers(r *rand.Rand) []demeterrr.ContactParams {
	var input []demeterrr.ContactParams
	for range r.IntN(300) {
		c := customer(r.IntN(500))
		switch r.IntN(20) {
		case 0:
			c.Email = strings.ToUpper(c.Email)
		case 1:
			c.Email = "nobody"
		case 2:
			c.FirstName = ""
		case 3, 4, 5:
			c.LastName = "Changed"
		}
		input = append(input, c)
	}
	return input
}

// TestASyncReportAlwaysAddsUp tries random inputs, accounts, faults and ends.
func TestASyncReportAlwaysAddsUp(t *testing.T) {
	t.Parallel()
	for seed := range rounds(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			srv := account(t, r.IntN(400), demeterrrtest.WithLatency(0, time.Second))
			input := randomCustomers(r)
			for range r.IntN(6) {
				srv.Inject(randomFault(r, 100))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if r.IntN(4) == 0 {
				ctx, cancel = context.WithTimeout(t.Context(), time.Duration(r.IntN(60))*time.Second)
			}
			defer cancel()
			contacts := bulk.Slice(input)
			if r.IntN(10) == 0 {
				contacts = thenFail(input, errors.New("torn"))
			}
			report, err := bulk.Sync(ctx, srv.Client(), contacts, &bulk.SyncOptions{Concurrency: r.IntN(9), DryRun: r.IntN(5) == 0})
			if sum := report.Duplicates + report.Created + report.Updated + report.Unchanged + len(report.Failed) + len(report.NotTried); report.Read != sum || err == nil && report.Read != len(input) {
				t.Errorf("seed %d: %s, input %d (%v)", seed, summary(report), len(input), err)
			}
			doubted := 0
			for _, f := range report.Failed {
				if errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
					doubted++
				}
				if _, ok := errors.AsType[*demeterrr.Error](f.Err); !ok || f.Contact.Email != input[f.Index].Email {
					t.Fatalf("seed %d: %+v", seed, f)
				}
			}
			if _, writes := counted(srv); doubted > writes {
				t.Errorf("seed %d: %d are in doubt after %d writes", seed, doubted, writes)
			}
			srv.ClearFaults()
			time.Sleep(time.Hour) // for the gate
			var left []demeterrr.ContactParams
			if _, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), nil); err != nil {
				t.Errorf("seed %d: second run: %v", seed, err)
			}
			third, err := bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), nil)
			for _, f := range third.Failed {
				if !errors.Is(f.Err, demeterrr.ErrValidation) {
					left = append(left, f.Contact)
				}
			}
			if err != nil || third.Created+third.Updated+len(left) > 0 {
				t.Errorf("seed %d: something is left to do: %s %v (%v)", seed, summary(third), left, err)
			}
		})
	}
}

// TestAnExecuteReportAlwaysAddsUp tries random inputs, faults and ends. Each
// contact is sent to at most once, and a failed one gets nothing.
func TestAnExecuteReportAlwaysAddsUp(t *testing.T) {
	t.Parallel()
	for seed := range rounds(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(0, time.Second))
			sequence := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
			srv.AddContact(demeterrr.Contact{Email: "customer7@example.com", Unsubscribed: true})
			var input []demeterrr.ExecuteContact
			for range r.IntN(2000) {
				c := demeterrr.ExecuteContact{Email: fmt.Sprintf("customer%d@example.com", r.IntN(1500))}
				switch r.IntN(50) {
				case 0:
					c.Email = strings.ToUpper(c.Email)
				case 1:
					c.Email = "nobody"
				case 2:
					c.Email = "not..valid@example.com" // only the server refuses it
				}
				input = append(input, c)
			}
			for range r.IntN(6) {
				srv.Inject(randomFault(r, 20))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if r.IntN(4) == 0 {
				ctx, cancel = context.WithTimeout(t.Context(), time.Duration(r.IntN(20000))*time.Millisecond)
			}
			defer cancel()
			contacts := bulk.Slice(input)
			if r.IntN(10) == 0 {
				contacts = thenFail(input, errors.New("torn"))
			}
			options := &bulk.ExecuteOptions{Concurrency: r.IntN(4)}
			report, err := bulk.Execute(ctx, srv.Client(), sequence.ID, contacts, options)
			executeAdds(t, report)
			if err == nil && report.Read != len(input) {
				t.Errorf("seed %d: read %d of %d", seed, report.Read, len(input))
			}
			messaged := messaged(srv)
			for _, f := range report.Failed {
				email := strings.ToLower(f.Contact.Email)
				if f.Contact.Email != input[f.Index].Email || slices.Contains(messaged, email) {
					t.Fatalf("seed %d: %s is reported as failed, and was messaged: %v", seed, email, f.Err)
				}
				if errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
					t.Fatalf("seed %d: %s is reported as failed, and in doubt: %v", seed, email, f.Err)
				}
			}
			for _, f := range report.Unknown {
				if !attempted(f.Err) {
					t.Fatalf("seed %d: %s is in doubt, and was not tried: %v", seed, f.Contact.Email, f.Err)
				}
			}
			if twice := srv.SentTwice(); len(twice) > 0 {
				t.Errorf("seed %d: messaged twice: %v", seed, twice)
			}
			if known := len(messaged); known < report.Sent || known > report.Sent+len(report.Unknown)+len(report.Skipped) {
				t.Errorf("seed %d: %d were messaged; sent %d, unknown %d, skipped %d", seed, known, report.Sent, len(report.Unknown), len(report.Skipped))
			}
		})
	}
}

// TestFaultsOfEveryKindLeaveNothingForASecondSync injects faults into the reads
// and writes of a Sync of 1,000 contacts, half of them new.
func TestFaultsOfEveryKindLeaveNothingForASecondSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := account(t, 500)
		input := customerList(0, 1000)
		for i := range 250 {
			input[i].LastName = "Changed"
		}
		for i, f := range []demeterrrtest.Fault{
			{Status: 429, RetryAfter: 3 * time.Second},
			{Status: 429},
			{Status: 500},
			{Status: 502},
			{Status: 503},
			{Status: 504},
			{Status: 500, AfterWork: true},
			{Status: 502, AfterWork: true},
			{Drop: demeterrrtest.NoConnection},
			{Drop: demeterrrtest.DropBefore},
			{Drop: demeterrrtest.DropAfter},
			{Drop: demeterrrtest.Truncate},
			{Body: "<html>", ContentType: "text/html"},
			{Delay: time.Minute},
		} {
			for _, route := range []string{"GET /contacts", "POST /contacts", "PATCH /contacts/{id}"} {
				f.Route, f.Skip, f.Times = route, i%4, 3 // 126 faults
				srv.Inject(f)
			}
		}
		patient := demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 50})
		client, other := srv.Client(patient), srv.Client(patient)
		report, err := bulk.Sync(t.Context(), client, bulk.Slice(input), &bulk.SyncOptions{OnProgress: func(p bulk.SyncProgress) {
			if p.Writes == 100 {
				if err := other.Contacts.Delete(t.Context(), srv.Contacts()[240].ID); err != nil {
					t.Error(err)
				}
			}
		}})
		if err != nil || len(report.Failed) > 0 {
			t.Error(err, report.Failed)
		}
		if sum := report.Duplicates + report.Created + report.Updated + report.Unchanged + len(report.Failed) + len(report.NotTried); sum != 1000 || report.Read != 1000 {
			t.Error(summary(report))
		}
		t.Log("first run: ", summary(report), fmt.Sprint(report.Requests, " requests"))
		for range 2 {
			report, err = bulk.Sync(t.Context(), srv.Client(), bulk.Slice(input), nil)
			t.Log("later runs:", summary(report), fmt.Sprint(report.Requests, " requests"))
		}
		if err != nil || report.Unchanged != 1000 || report.Requests != 10 {
			t.Error(err, summary(report))
		}
		has(t, srv, input)
	})
}
