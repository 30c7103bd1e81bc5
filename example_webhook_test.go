package demeterrr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// paidOrder is what the shop's webhook sends when an order is paid.
type paidOrder struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
}

// The states of an order in a surveyStore.
const (
	surveyBegun   = "begun"
	surveySent    = "sent"
	surveyUnknown = "unknown" // it may have been sent: for a person to look at
)

// surveyStore remembers which orders have had their survey. A real one is a table
// with a unique order id, in a database that outlives the process. An order that
// stays begun is one whose process died: it is for a person too.
type surveyStore interface {
	// Begin notes the order as begun and returns "", or returns the state that it has already:
	// INSERT … ON CONFLICT (order_id) DO NOTHING, then SELECT if no row was inserted.
	Begin(ctx context.Context, orderID string) (state string, err error)
	// Finish sets the state of an order that was begun.
	Finish(ctx context.Context, orderID, state string) error
	// Undo forgets an order that was begun: nothing was sent for it.
	Undo(ctx context.Context, orderID string) error
}

// surveyWebhook sends one survey for each paid order, however often the shop
// delivers its webhook. The shop delivers again whatever is not answered with 2xx.
type surveyWebhook struct {
	client     *demeterrr.Client
	store      surveyStore
	sequenceID string
}

func (h *surveyWebhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order paidOrder // check the shop's signature first
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&order); err != nil || order.ID == "" {
		http.Error(w, "not an order", http.StatusBadRequest)
		return
	}
	// A shop that hangs up must not cancel a survey that is under way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 20*time.Second)
	defer cancel()

	state, err := h.store.Begin(ctx, order.ID)
	switch {
	case err != nil:
		slog.Error("orders cannot be noted", "order", order.ID, "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case state == surveyBegun: // by another delivery, whose outcome is not known yet
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case state != "":
		return // 200: this order is done
	}

	state, err = h.send(ctx, order)
	ctx = context.WithoutCancel(ctx) // what came of it is noted even if the time is up
	switch state {
	case surveySent:
		err = h.store.Finish(ctx, order.ID, state)
	case surveyUnknown:
		slog.Error("survey may have been sent: look before sending it again", "order", order.ID, "error", err)
		err = h.store.Finish(ctx, order.ID, state)
	default:
		slog.Warn("survey not sent", "order", order.ID, "error", err)
		err = h.store.Undo(ctx, order.ID)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err != nil {
		slog.Error("order stays begun", "order", order.ID, "state", state, "error", err)
	}
}

// send brings the contact up to date and triggers the survey. It returns the
// order's new state, which is empty if no survey was sent.
func (h *surveyWebhook) send(ctx context.Context, order paidOrder) (state string, err error) {
	_, _, err = h.client.Contacts.Upsert(ctx, &demeterrr.ContactParams{
		Email:        order.Email,
		FirstName:    order.FirstName,
		CustomFields: map[string]any{"lastOrder": order.ID},
	})
	if err != nil {
		return "", err // whatever happened to the contact, it can be done again
	}
	_, err = h.client.Sequences.Execute(ctx, h.sequenceID, &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{{Email: order.Email, FirstName: order.FirstName}},
	}, demeterrr.WithAtMostOnce()) // a second survey would be worse than a look by a person
	switch {
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		return surveyUnknown, err
	case err != nil:
		return "", err
	}
	return surveySent, nil
}

// memoryStore is a surveyStore that forgets when the process ends.
type memoryStore struct{ states sync.Map }

func (s *memoryStore) Begin(_ context.Context, orderID string) (string, error) {
	state, found := s.states.LoadOrStore(orderID, surveyBegun)
	if !found {
		return "", nil
	}
	return state.(string), nil
}

func (s *memoryStore) Finish(_ context.Context, orderID, state string) error {
	s.states.Store(orderID, state)
	return nil
}

func (s *memoryStore) Undo(_ context.Context, orderID string) error {
	s.states.Delete(orderID)
	return nil
}

// The webhook handler of a shop: when an order is paid, the customer becomes a
// contact and gets one survey, however often the shop delivers the webhook. If
// it cannot be known whether the survey was sent, it is not sent again, and the
// order is flagged for a person.
func Example_shopWebhook() {
	srv := demeterrrtest.NewServer() // stands for an account; with a real one: demeterrr.NewFromEnv()
	defer srv.Close()
	survey := srv.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	handler := &surveyWebhook{client: srv.Client(), store: &memoryStore{}, sequenceID: survey.ID}

	deliver := func(order string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhooks/order-paid", strings.NewReader(order))
		handler.ServeHTTP(w, r)
		fmt.Println("answered", w.Code, "and surveys sent so far:", len(srv.Sendings()))
	}

	jane := `{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane"}`
	deliver(jane)
	deliver(jane) // a repeated delivery

	alice := `{"id": "1002", "email": "customer1@example.com", "firstName": "Alice"}`
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Code: demeterrr.CodeSequenceInactive})
	deliver(alice) // refused, so nothing was sent
	deliver(alice)

	bob := `{"id": "1003", "email": "customer2@example.com", "firstName": "Bob"}`
	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
	deliver(bob) // the reply is lost: it was sent, and we cannot know
	deliver(bob)

	// Output:
	// answered 200 and surveys sent so far: 1
	// answered 200 and surveys sent so far: 1
	// answered 503 and surveys sent so far: 1
	// answered 200 and surveys sent so far: 2
	// answered 200 and surveys sent so far: 3
	// answered 200 and surveys sent so far: 3
}
