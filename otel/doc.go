// Package demeterrrotel shows the calls of a [demeterrr.Client] in
// OpenTelemetry, as spans and metrics. The module is called otel and the
// package demeterrrotel, because a file that sets up OpenTelemetry already
// imports a package called otel.
//
// # Trace a client
//
//	tracer, err := demeterrrotel.NewTracer()
//	if err != nil {
//		return err
//	}
//	client, err := demeterrr.NewFromEnv(demeterrr.WithTracer(tracer))
//
// The Tracer uses the global providers. To use others, pass them:
//
//	tracer, err := demeterrrotel.NewTracer(
//		demeterrrotel.WithTracerProvider(tracerProvider),
//		demeterrrotel.WithMeterProvider(meterProvider),
//	)
//
// # Read the spans
//
// An operation such as Contacts.Upsert is a span. Each of its calls is a span
// below it, and each attempt and wait is a span below its call:
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
// # Group your own code
//
//	err := client.TraceOperation(ctx, "Signup", func(ctx context.Context) error {
//		_, _, err := client.Contacts.Upsert(ctx, params)
//		return err
//	})
//
// The calls inside become spans below Signup, and count under Signup in the
// metrics.
//
// # Watch the metrics
//
// The metrics are the duration of requests, calls and waits, the number of
// attempts, retries, waiting calls, 429s and unknown outcomes, and the quota.
// The README of the module lists them with their attributes.
//
// Spans and metrics are free of private data: the API key, emails, ids,
// queries, headers and bodies stay out.
package demeterrrotel
