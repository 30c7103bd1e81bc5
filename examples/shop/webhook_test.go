package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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

const secret = "what only the shop knows"

// sign returns the signature of the shop.
func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// newWebhook returns a webhook on a fake, with journals in memory.
func newWebhook(t *testing.T, srv *demeterrrtest.Server) (h *webhook, stop context.CancelFunc) {
	t.Helper()
	t.Cleanup(srv.Close)
	stopping, stop := context.WithCancel(t.Context())
	var journals sync.Map
	return &webhook{
		client: srv.Client(), sequenceID: srv.AddSequence(demeterrr.Sequence{Name: "Survey"}).ID,
		secret: []byte(secret), stopping: stopping,
		campaign: func(name string) bulk.Journal {
			journal, _ := journals.LoadOrStore(name, demeterrrtest.NewJournal())
			return journal.(bulk.Journal)
		},
	}, stop
}

// deliver delivers a body with the shop's signature.
func deliver(t *testing.T, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/order-delivered", strings.NewReader(body))
	r.Header.Set("Shop-Signature", sign(secret, body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	janesOrder = `{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane", "language": "fr", "total": 12.5}`
	execute    = "/sequences/{id}/execute"
)

// outcome is the part of a delivery that a test compares.
type outcome struct {
	Status             int
	RetryAfter         string
	Requests, Sendings int // so far
}

// deliveries are two deliveries of one order.
var deliveries = map[string]struct {
	faults      []demeterrrtest.Fault
	order       string
	first, then outcome
}{
	"all is well": {nil, janesOrder, outcome{204, "", 2, 1}, outcome{204, "", 2, 1}},
	"lost reply": {
		[]demeterrrtest.Fault{{Route: execute, Drop: demeterrrtest.DropAfter}},
		janesOrder,
		outcome{204, "", 2, 1},
		outcome{204, "", 2, 1},
	},
	"500": {
		[]demeterrrtest.Fault{{Route: execute, Status: 500}},
		janesOrder,
		outcome{204, "", 2, 0},
		outcome{204, "", 2, 0}, // in doubt: a person looks
	},
	"an hour's 429": {
		[]demeterrrtest.Fault{{Route: execute, Status: 429, RetryAfter: time.Hour}},
		janesOrder,
		outcome{503, "3601", 2, 0},
		outcome{503, "3601", 2, 0}, // the client waits, too
	},
	"short 429": {
		[]demeterrrtest.Fault{{Route: execute, Status: 429, RetryAfter: time.Second}},
		janesOrder,
		outcome{204, "", 3, 1},
		outcome{204, "", 3, 1},
	},
	"expired key": {
		[]demeterrrtest.Fault{{Code: demeterrr.CodeExpiredAPIKey}},
		janesOrder,
		outcome{503, "", 1, 0},
		outcome{204, "", 3, 1},
	},
	"expired key between the two": {
		[]demeterrrtest.Fault{{Route: execute, Code: demeterrr.CodeExpiredAPIKey}},
		janesOrder,
		outcome{503, "", 2, 0},
		outcome{204, "", 5, 1},
	},
	"Upsert fails": {
		[]demeterrrtest.Fault{{Route: "/contacts", Drop: demeterrrtest.DropAfter, Times: 4}},
		janesOrder,
		outcome{503, "", 4, 0},
		outcome{204, "", 7, 1},
	},
	"no address": {nil, `{"id": "1002", "email": "jane", "firstName": "Jane"}`, outcome{204, "", 0, 0}, outcome{204, "", 0, 0}},
	"no language of the API": {
		nil, `{"id": "1003", "email": "jane.smith@example.com", "firstName": "Jane", "language": "de"}`,
		outcome{204, "", 1, 0},
		outcome{204, "", 2, 0},
	},
}

func TestAnOrderGetsOneSurvey(t *testing.T) {
	t.Parallel()
	for name, test := range deliveries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer()
				h, _ := newWebhook(t, srv)
				for _, f := range test.faults {
					srv.Inject(f)
				}
				for i, want := range []outcome{test.first, test.then} {
					w := deliver(t, h, test.order)
					got := outcome{w.Code, w.Header().Get("Retry-After"), len(srv.Requests()), len(srv.Sendings())}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("delivery %d (-want +got):\n%s%s", i+1, diff, w.Body)
					}
				}
			})
		})
	}
}

func TestTheContactIsBroughtUpToDateFirst(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	h, _ := newWebhook(t, srv)
	have := srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com", FirstName: "Jane", Tags: []string{"vip"}})
	srv.Inject(demeterrrtest.Fault{Route: execute, Code: demeterrr.CodeSequenceInactive})
	deliver(t, h, janesOrder)
	got := srv.Contacts()[0]
	if got.ID != have.ID || got.PreferredLanguage != demeterrr.LanguageFrench || !cmp.Equal(got.Tags, have.Tags) {
		t.Errorf("the contact is %+v", got)
	}
}

// An unsubscribed customer gets nothing, and the order is done.
func TestAnUnsubscribedCustomerIsSkipped(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	h, _ := newWebhook(t, srv)
	srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com", FirstName: "Jane", PreferredLanguage: "fr", Unsubscribed: true})
	for range 2 {
		if w := deliver(t, h, janesOrder); w.Code != http.StatusNoContent || len(srv.Sendings()) > 0 || len(srv.Requests()) != 3 {
			t.Errorf("answered %d, %d sendings, %d requests", w.Code, len(srv.Sendings()), len(srv.Requests()))
		}
	}
}

func TestABadWebhookIsRefused(t *testing.T) {
	t.Parallel()
	good := sign(secret, janesOrder)
	for name, test := range map[string]struct {
		body, signature string
		status          int
		says            string
	}{
		"unsigned":           {janesOrder, "", 401, "Shop-Signature is not"},
		"no hex":             {janesOrder, "sha256=" + good, 401, "Shop-Signature is not"},
		"another secret":     {janesOrder, sign("what everybody knows", janesOrder), 401, "Shop-Signature is not"},
		"another body":       {strings.Replace(janesOrder, "1001", "1002", 1), good, 401, "Shop-Signature is not"},
		"half a signature":   {janesOrder, good[:32], 401, "Shop-Signature is not"},
		"unsigned, no order": {"{}", "", 401, "Shop-Signature is not"},
		"no JSON":            {"id=1001", sign(secret, "id=1001"), 400, "not an order: invalid character"},
		"a list":             {"[]", sign(secret, "[]"), 400, "not an order: json: cannot unmarshal array"},
		"a number as id":     {`{"id":1}`, sign(secret, `{"id":1}`), 400, "not an order: json: cannot unmarshal number"},
		"null":               {"null", sign(secret, "null"), 400, "its id is not"},
		"an id with a break": {`{"id":"1\n2"}`, sign(secret, `{"id":"1\n2"}`), 400, "its id is not"},
		"no email":           {`{"id":"1"}`, sign(secret, `{"id":"1"}`), 400, "it has no email"},
		"no name":            {`{"id":"1","email":"a@example.com"}`, sign(secret, `{"id":"1","email":"a@example.com"}`), 400, "it has no firstName"},
		"large":              {strings.Repeat("x", 1<<17), "", 413, "larger than 64 KB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := demeterrrtest.NewServer()
			h, _ := newWebhook(t, srv)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/order-delivered", strings.NewReader(test.body))
			r.Header.Set("Shop-Signature", test.signature)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) || len(srv.Requests()) > 0 {
				t.Errorf("answered %d %q after %d requests, want %d and %q", w.Code, w.Body, len(srv.Requests()), test.status, test.says)
			}
		})
	}
}

// A stop ends waits at once. Requests in flight go on.
func TestStoppingEndsWaitsOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault demeterrrtest.Fault
		took  time.Duration
		want  outcome
	}{
		"waiting":   {demeterrrtest.Fault{Route: execute, Status: 429, RetryAfter: 10 * time.Second}, 2 * time.Second, outcome{503, "", 2, 0}},
		"in flight": {demeterrrtest.Fault{Route: execute, Delay: 5 * time.Second}, 5 * time.Second, outcome{204, "", 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := demeterrrtest.NewServer()
				h, stop := newWebhook(t, srv)
				srv.Inject(test.fault)
				time.AfterFunc(2*time.Second, stop)
				start := time.Now()
				w := deliver(t, h, janesOrder)
				if diff := cmp.Diff(test.want, outcome{w.Code, "", len(srv.Requests()), len(srv.Sendings())}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

// A survey goes on after its shop hangs up.
func TestAShopThatHangsUpChangesNothing(t *testing.T) {
	t.Parallel()
	srv := demeterrrtest.NewServer()
	h, _ := newWebhook(t, srv)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks/order-delivered", strings.NewReader(janesOrder))
	r.Header.Set("Shop-Signature", sign(secret, janesOrder))
	h.ServeHTTP(httptest.NewRecorder(), r)
	if n := len(srv.Sendings()); n != 1 {
		t.Errorf("%d surveys", n)
	}
}
