package bulk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// deliveredOrder is the body of the shop's webhook "order delivered".
type deliveredOrder struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
}

// surveyWebhook sends one survey for each delivered order. The shop repeats a
// delivery until the answer is 2xx.
type surveyWebhook struct {
	client     *demeterrr.Client
	sequenceID string
	// campaign returns the journal of one order: store.Campaign of module
	// sqlstore.
	campaign func(name string) bulk.Journal
}

// waitLimit bounds the waits of a delivery. The shop hangs up after 30 seconds,
// and the client has demeterrr.WithTimeout(10 * time.Second).
const waitLimit = 15 * time.Second

// isCampaignName reports whether a campaign of sqlstore can have this name.
func isCampaignName(name string) bool {
	return name != "" && len(name) <= 200 && utf8.ValidString(name) &&
		strings.TrimSpace(name) == name && !strings.ContainsFunc(name, unicode.IsControl)
}

func (h *surveyWebhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order deliveredOrder // verify the shop's signature first
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&order)
	name := "order-" + order.ID
	if err != nil || order.ID == "" || !isCampaignName(name) {
		http.Error(w, "not an order", http.StatusBadRequest)
		return
	}
	// The survey survives a shop that hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), waitLimit)
	defer cancel()

	guest := demeterrr.ExecuteContact{Email: order.Email, FirstName: order.FirstName}
	result, err := bulk.ExecuteOnce(ctx, h.client, h.sequenceID, guest, h.campaign(name), nil)
	logger := slog.With("order", order.ID)
	if result != nil {
		logger.Info("survey done", "status", result.Status, "earlier", result.Earlier)
	}
	switch {
	case err == nil:
	case errors.Is(err, bulk.ErrInFlight), errors.Is(err, bulk.ErrNotSent):
		logger.Warn("survey not sent yet", "error", err)
		if e, ok := errors.AsType[*demeterrr.Error](err); ok && e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)+1))
		}
		w.WriteHeader(http.StatusServiceUnavailable) // the shop delivers again
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		logger.Error("survey may have been sent: look in the dashboard", "error", err)
	default:
		logger.Error("survey can never be sent", "error", err)
	}
}

// A shop's webhook sends one survey for each order, even if the shop repeats a
// delivery or has several replicas. It answers 503 if another delivery helps,
// and 2xx otherwise.
func ExampleExecuteOnce() {
	client := newClient()
	var journals sync.Map // by order; use a database in production
	handler := &surveyWebhook{client, surveyID, func(name string) bulk.Journal {
		journal, _ := journals.LoadOrStore(name, demeterrrtest.NewJournal())
		return journal.(bulk.Journal)
	}}

	deliver := func(order string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks/order-delivered", strings.NewReader(order)))
		fmt.Println("answered", w.Code, "and surveys sent so far:", len(srv.Sendings()))
	}

	jane := `{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane"}`
	deliver(jane)
	deliver(jane) // a repeated delivery

	alice := `{"id": "1002", "email": "customer1@example.com", "firstName": "Alice"}`
	srv.Inject(demeterrrtest.Fault{Code: demeterrr.CodeExpiredAPIKey})
	deliver(alice) // somebody renews the key
	deliver(alice)

	bob := `{"id": "1003", "email": "customer2@example.com", "firstName": "Bob"}`
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
	deliver(bob) // the reply is lost
	deliver(bob)

	srv.AddContact(demeterrr.Contact{Email: "carol@example.com", Unsubscribed: true})
	deliver(`{"id": "1004", "email": "carol@example.com", "firstName": "Carol"}`)
	deliver(`{"id": "1005", "email": "not an email", "firstName": "Dave"}`)
	deliver(`{"id": "1006 ", "email": "erin@example.com", "firstName": "Erin"}`) // no name for a campaign

	// Output:
	// answered 200 and surveys sent so far: 1
	// answered 200 and surveys sent so far: 1
	// answered 503 and surveys sent so far: 1
	// answered 200 and surveys sent so far: 2
	// answered 200 and surveys sent so far: 3
	// answered 200 and surveys sent so far: 3
	// answered 200 and surveys sent so far: 3
	// answered 200 and surveys sent so far: 3
	// answered 400 and surveys sent so far: 3
}
