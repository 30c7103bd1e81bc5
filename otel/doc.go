// Package demeterrrotel shows the calls of a [demeterrr.Client] in OpenTelemetry,
// as spans and metrics.
//
//	tracer, err := demeterrrotel.NewTracer()
//	client, err := demeterrr.NewFromEnv(demeterrr.WithTracer(tracer))
//
// The module is called otel and the package demeterrrotel, because a file that
// sets up OpenTelemetry already imports a package called otel.
//
// # Spans
//
// An operation such as Contacts.Upsert is a span, each of its calls is a span
// below it, and each attempt and each wait is a span below its call:
//
//	Contacts.Upsert
//	    Contacts.Create
//	        POST /contacts
//	        wait backoff
//	        POST /contacts
//
// Attempts have the kind client and the attributes of OpenTelemetry's semantic
// conventions for HTTP, with url.template in place of url.full.
//
// # Metrics
//
// The README of the module lists them: the duration of requests and calls,
// attempts, retries, waits, 429s, unknown outcomes and the quota.
//
// # Private data
//
// Neither spans nor metrics hold the API key, an email, an id, a query, a header
// or a body.
package demeterrrotel
