package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const printed = `Contacts.FindByEmail 200
    GET /contacts 429 RATE_LIMIT_EXCEEDED
    wait rate_limited
    GET /contacts 500 INTERNAL_ERROR
    wait backoff
    GET /contacts 200
Contacts.Upsert
    Contacts.Create 409 CONTACT_EXISTS
        POST /contacts 409 CONTACT_EXISTS
    Contacts.FindByEmail 200
        GET /contacts 200
    Contacts.Update 200
        wait limiter
        PATCH /contacts/{id} 200
Sequences.Execute no_reply (outcome unknown)
    wait limiter
    POST /sequences/{id}/execute no_reply

demeterrr_attempts_total{demeterrr_operation="Contacts.FindByEmail",http_request_method="GET",http_response_status_code="200",url_template="/contacts"} 1
demeterrr_attempts_total{demeterrr_operation="Contacts.Upsert",http_request_method="GET",http_response_status_code="200",url_template="/contacts"} 1
demeterrr_attempts_total{demeterrr_operation="Contacts.Upsert",http_request_method="PATCH",http_response_status_code="200",url_template="/contacts/{id}"} 1
demeterrr_attempts_total{demeterrr_operation="Sequences.Execute",error_type="no_reply",http_request_method="POST",url_template="/sequences/{id}/execute"} 1
demeterrr_attempts_total{demeterrr_operation="Contacts.FindByEmail",error_type="INTERNAL_ERROR",http_request_method="GET",http_response_status_code="500",url_template="/contacts"} 1
demeterrr_attempts_total{demeterrr_operation="Contacts.FindByEmail",error_type="RATE_LIMIT_EXCEEDED",http_request_method="GET",http_response_status_code="429",url_template="/contacts"} 1
demeterrr_attempts_total{demeterrr_operation="Contacts.Upsert",error_type="CONTACT_EXISTS",http_request_method="POST",http_response_status_code="409",url_template="/contacts"} 1
demeterrr_quota_limit{server_address="demeterrr.test",server_port="443"} 1000
demeterrr_quota_remaining{server_address="demeterrr.test",server_port="443"} 994
demeterrr_rate_limited_total{demeterrr_operation="Contacts.FindByEmail",http_request_method="GET",url_template="/contacts"} 1
demeterrr_retries_total{demeterrr_operation="Contacts.FindByEmail",demeterrr_retry_reason="INTERNAL_ERROR",http_request_method="GET",url_template="/contacts"} 1
demeterrr_retries_total{demeterrr_operation="Contacts.FindByEmail",demeterrr_retry_reason="RATE_LIMIT_EXCEEDED",http_request_method="GET",url_template="/contacts"} 1
demeterrr_unknown_outcomes_total{demeterrr_operation="Sequences.Execute",http_request_method="POST",url_template="/sequences/{id}/execute"} 1
demeterrr_wait_duration_seconds_count{demeterrr_operation="Contacts.FindByEmail",demeterrr_wait_reason="backoff",http_request_method="GET",url_template="/contacts"} 1
demeterrr_wait_duration_seconds_count{demeterrr_operation="Contacts.FindByEmail",demeterrr_wait_reason="rate_limited",http_request_method="GET",url_template="/contacts"} 1
demeterrr_wait_duration_seconds_count{demeterrr_operation="Contacts.Upsert",demeterrr_wait_reason="limiter",http_request_method="PATCH",url_template="/contacts/{id}"} 1
demeterrr_wait_duration_seconds_count{demeterrr_operation="Sequences.Execute",demeterrr_wait_reason="limiter",http_request_method="POST",url_template="/sequences/{id}/execute"} 1
`

// played runs the example in virtual time.
func played(t *testing.T) (out string, spans *tracetest.SpanRecorder, metrics string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		spans = tracetest.NewSpanRecorder()
		var b bytes.Buffer
		handler, err := run(t.Context(), newFake(), spans, &b)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		out, metrics = b.String(), w.Body.String()
	})
	return out, spans, metrics
}

func TestItPrintsATreeOfSpansAndTheCounters(t *testing.T) {
	t.Parallel()
	out, _, _ := played(t)
	if diff := cmp.Diff(printed, out); diff != "" {
		t.Errorf("the output differs (-want +got):\n%s", diff)
	}
}

func TestNeitherTheKeyNorAnEmailIsInSpansOrMetrics(t *testing.T) {
	t.Parallel()
	out, spans, metrics := played(t)
	all, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(spans.Ended()))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{newFake().APIKey(), "jane.smith"} {
		if strings.Contains(string(all)+metrics+out, secret) {
			t.Errorf("%q is in spans or metrics", secret)
		}
	}
}
