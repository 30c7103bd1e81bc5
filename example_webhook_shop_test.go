package demeterrr_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// What Example_shopWebhook promises and cannot show, as an example has no virtual time.

// liveStore takes nothing after the context's end, as a database does not.
type liveStore struct{ *memoryStore }

func (s liveStore) Finish(ctx context.Context, orderID, state string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.memoryStore.Finish(ctx, orderID, state)
}

func newShopWebhook() (*surveyWebhook, *demeterrrtest.Server) {
	srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(time.Second, time.Second))
	survey := srv.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	return &surveyWebhook{client: srv.Client(), store: liveStore{&memoryStore{}}, sequenceID: survey.ID}, srv
}

func orderPaid(ctx context.Context) *http.Request {
	body := strings.NewReader(`{"id": "1001", "email": "jane.smith@example.com", "firstName": "Jane"}`)
	return httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks/order-paid", body)
}

func TestShopWebhookDeliveredTwiceAtOnceSendsOneSurvey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, srv := newShopWebhook()
		first, second := httptest.NewRecorder(), httptest.NewRecorder()
		var deliveries sync.WaitGroup
		deliveries.Go(func() { handler.ServeHTTP(first, orderPaid(t.Context())) })
		deliveries.Go(func() { handler.ServeHTTP(second, orderPaid(t.Context())) })
		deliveries.Wait()

		codes := []int{first.Code, second.Code}
		slices.Sort(codes)
		if !slices.Equal(codes, []int{200, 503}) || len(srv.Sendings()) != 1 {
			t.Errorf("answered %v, %d surveys sent", codes, len(srv.Sendings()))
		}
	})
}

func TestShopWebhookIsNotCancelledByAShopThatHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, srv := newShopWebhook()
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, orderPaid(ctx))

		state, err := handler.store.Begin(t.Context(), "1001")
		if w.Code != 200 || len(srv.Sendings()) != 1 || state != surveySent || err != nil {
			t.Errorf("answered %d, %d surveys sent, the order is %q, %v", w.Code, len(srv.Sendings()), state, err)
		}
	})
}

func TestShopWebhookFlagsAnOrderWhoseSurveyMayHaveBeenSent(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]demeterrrtest.Fault{
		"the time is up":          {Delay: time.Minute},
		"the server fails midway": {Status: http.StatusInternalServerError, AfterWork: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			handler, srv := newShopWebhook()
			fault.Route = "/sequences/{id}/execute"
			srv.Inject(fault)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, orderPaid(t.Context()))

			state, err := handler.store.Begin(t.Context(), "1001")
			if w.Code != 200 || state != surveyUnknown || len(srv.Sendings()) != 1 || err != nil {
				t.Errorf("%s: answered %d, %d surveys sent, the order is %q, %v", name, w.Code, len(srv.Sendings()), state, err)
			}
		})
	}
}
