package demeterrr_test

import (
	"context"
	"fmt"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// retryCounter counts the retries of all calls by their cause.
type retryCounter map[string]int

func (retryCounter) TraceCallStart(ctx context.Context, _ demeterrr.CallStart) context.Context {
	return ctx
}
func (retryCounter) TraceCallEnd(context.Context, demeterrr.CallEnd) {}

func (n retryCounter) TraceAttemptStart(ctx context.Context, attempt demeterrr.AttemptStart) context.Context {
	if attempt.Ordinal > 1 {
		n[attempt.Previous.Error()]++
	}
	return ctx
}
func (retryCounter) TraceAttemptEnd(context.Context, demeterrr.AttemptEnd) {}

// Count retries by their cause. A tracer for several goroutines needs a mutex.
func ExampleWithTracer() {
	retries := retryCounter{}
	client := newClient(
		demeterrr.WithTracer(retries),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: time.Millisecond}))
	srv.Inject(demeterrrtest.Fault{Route: "GET /contacts/{id}", Status: 502, Times: 1})

	_, err := client.Contacts.Get(ctx, "550e8400-e29b-41d4-a716-446655440000")
	fmt.Println(retries, err)
	// Output: map[demeterrr: GET /contacts/{id}: 502 Bad Gateway:1] <nil>
}

// operationPrinter prints operations and the calls in them.
type operationPrinter struct{}

func (operationPrinter) TraceCallStart(ctx context.Context, call demeterrr.CallStart) context.Context {
	fmt.Println("call", call.Operation, call.Method, call.Route)
	return ctx
}
func (operationPrinter) TraceCallEnd(context.Context, demeterrr.CallEnd) {}

func (operationPrinter) TraceOperationStart(ctx context.Context, op demeterrr.OperationStart) context.Context {
	fmt.Println("begin", op.Operation)
	return ctx
}

func (operationPrinter) TraceOperationEnd(_ context.Context, op demeterrr.OperationEnd) {
	fmt.Println("end", op.Operation, op.Err)
}

func ExampleClient_TraceOperation() {
	client := newClient(demeterrr.WithTracer(operationPrinter{}))

	rename := func(ctx context.Context) error {
		contact, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
		if err != nil {
			return err
		}
		_, err = client.Contacts.Update(ctx, contact.ID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("Doe-Smith")})
		return err
	}
	fmt.Println(client.TraceOperation(ctx, "crm.Rename", rename))
	// Output:
	// begin crm.Rename
	// call Contacts.FindByEmail GET /contacts
	// call Contacts.Update PATCH /contacts/{id}
	// end crm.Rename <nil>
	// <nil>
}
