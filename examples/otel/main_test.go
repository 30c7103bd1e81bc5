package main

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const printed = `find the customer
    HTTP GET https://demeterrr.test/api/v1/contacts 429
    HTTP GET https://demeterrr.test/api/v1/contacts 500
    HTTP GET https://demeterrr.test/api/v1/contacts 200

send the survey (demeterrr: POST /sequences/0000005e-0000-4000-8000-000000000001/execute: no reply: read tcp: read: connection reset by peer (outcome unknown, it may have taken effect))
    HTTP POST https://demeterrr.test/api/v1/sequences/0000005e-0000-4000-8000-000000000001/execute (read tcp: read: connection reset by peer)

6 spans, and neither the API key nor an email in any of them.
`

// onUnix puts the words of Unix in place of the platform's own for a reset connection.
func onUnix(tree string) string {
	return regexp.MustCompile(`(read tcp: read: )[^()\n]*[^() \n]`).ReplaceAllString(tree, "${1}connection reset by peer")
}

func TestEachAttemptIsASpanBelowItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), demeterrrtest.NewServer(), &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(printed, onUnix(out.String())); diff != "" {
			t.Errorf("the tree differs (-want +got):\n%s", diff)
		}
	})
}

// TestTheQueryIsSentAllTheSame: it is kept out of the spans only.
func TestTheQueryIsSentAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := demeterrrtest.NewServer()
		if err := run(t.Context(), fake, io.Discard); err != nil {
			t.Fatal(err)
		}
		for _, request := range fake.Requests()[:3] {
			if got := request.Query.Get("email"); got != "jane.smith@example.com" {
				t.Errorf("%s %s was sent with email=%q", request.Method, request.Path, got)
			}
		}
	})
}

// TestTheCheckFindsWhatOtelhttpAloneExports is why withoutQuery is there, and
// shows that the check can fail.
func TestTheCheckFindsWhatOtelhttpAloneExports(t *testing.T) {
	t.Parallel()
	fake := demeterrrtest.NewServer()
	fake.AddContact(demeterrr.Contact{Email: "jane.smith@example.com"})
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	client := fake.Client(demeterrr.WithHTTPClient(&http.Client{
		Transport: otelhttp.NewTransport(fake.Transport(), otelhttp.WithTracerProvider(provider)),
	}))
	if _, err := client.Contacts.FindByEmail(t.Context(), "jane.smith@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := holdsNone(exporter.GetSpans(), "jane.smith"); err == nil {
		t.Error("otelhttp does not export the query any more: withoutQuery can go")
	}
	if err := holdsNone(exporter.GetSpans(), fake.APIKey()); err != nil {
		t.Error(err)
	}
}
