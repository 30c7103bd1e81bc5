package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// waitLimit bounds a webhook's wait for the quota and for retries. A shop hangs
// up soon after.
const waitLimit = 20 * time.Second

// webhook sends one survey for each delivered order.
type webhook struct {
	client     *demeterrr.Client
	sequenceID string
	secret     []byte
	campaign   func(name string) bulk.Journal
	stopping   context.Context // ends the waits
}

// order is the body of the webhook. Other members are ignored.
type order struct {
	ID        string             `json:"id"`
	Email     string             `json:"email"`
	FirstName string             `json:"firstName"`
	LastName  string             `json:"lastName"`
	Language  demeterrr.Language `json:"language"`
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "the body is larger than 64 KB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if !h.signed(body, r.Header.Get("Shop-Signature")) {
		slog.Warn("webhook refused: wrong signature", "from", r.RemoteAddr)
		http.Error(w, "Shop-Signature is not the HMAC-SHA256 of the body, in hex, with the shared secret", http.StatusUnauthorized)
		return
	}
	order, err := parseOrder(body)
	if err != nil {
		slog.Warn("webhook refused", "error", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// The survey goes on if the shop hangs up. SIGTERM ends its waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), waitLimit)
	defer cancel()
	defer context.AfterFunc(h.stopping, cancel)() //nolint:contextcheck // it is another's end

	result, err := h.send(ctx, order)
	answer(w, order, result, err)
}

// signed reports whether the shop signed the body. A delivery needs no time
// stamp: a replay sends nothing.
func (h *webhook) signed(body []byte, signature string) bool {
	got, err := hex.DecodeString(signature)
	mac := hmac.New(sha256.New, h.secret)
	mac.Write(body)
	return err == nil && hmac.Equal(got, mac.Sum(nil)) // in constant time
}

func parseOrder(body []byte) (*order, error) {
	o := new(order)
	if err := json.Unmarshal(body, o); err != nil {
		return nil, fmt.Errorf("the body is not an order: %w", err)
	}
	switch {
	case o.ID == "" || len(o.ID) > 100 || strings.ContainsFunc(o.ID, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return nil, errors.New("the body is not an order: its id is not 1 to 100 bytes without spaces")
	case o.Email == "":
		return nil, errors.New("the body is not an order: it has no email")
	case o.FirstName == "":
		return nil, errors.New("the body is not an order: it has no firstName")
	}
	return o, nil
}

// send updates the contact, so that the survey has the customer's language, and
// sends the survey. A known order takes no request.
func (h *webhook) send(ctx context.Context, o *order) (*bulk.OnceResult, error) {
	journal := h.campaign("order-" + o.ID)
	known, err := journal.Lookup(ctx, h.sequenceID, []string{bulk.EmailKey(o.Email)})
	if err == nil && len(known) == 0 {
		_, _, err = h.client.Contacts.Upsert(ctx, &demeterrr.ContactParams{
			Email: o.Email, FirstName: o.FirstName, LastName: o.LastName, PreferredLanguage: o.Language,
		})
	}
	switch {
	case errors.Is(err, demeterrr.ErrValidation):
		return nil, err
	case err != nil: // an Upsert is safe to repeat after any outcome
		return nil, fmt.Errorf("%w: %w", bulk.ErrNotSent, err)
	}
	contact := demeterrr.ExecuteContact{Email: o.Email, FirstName: o.FirstName, LastName: o.LastName}
	return bulk.ExecuteOnce(ctx, h.client, h.sequenceID, contact, journal, nil)
}

// answer answers 503 if another delivery helps, and 2xx if not.
func answer(w http.ResponseWriter, o *order, result *bulk.OnceResult, err error) {
	logger, status := slog.With("order", o.ID), http.StatusNoContent
	if result != nil {
		logger.Info("survey done", "status", result.Status, "earlier", result.Earlier)
	}
	switch {
	case err == nil:
	case errors.Is(err, bulk.ErrInFlight), errors.Is(err, bulk.ErrNotSent):
		logger.Warn("survey not sent yet", "error", err)
		status = http.StatusServiceUnavailable // the shop delivers again
		if e, ok := errors.AsType[*demeterrr.Error](err); ok && e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)+1))
		}
	case errors.Is(err, demeterrr.ErrUnknownOutcome):
		logger.Error("survey may have been sent: look in the dashboard", "error", err)
	case result == nil:
		logger.Error("survey can never be sent", "error", err)
	default:
		logger.Error("the journal does not know of this survey", "error", err)
	}
	w.WriteHeader(status)
}
