package bulk_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// operationTracer records each call under its operation.
type operationTracer struct {
	mu   sync.Mutex
	seen map[string]int
}

type operationKey struct{}

func (o *operationTracer) TraceCallStart(ctx context.Context, call demeterrr.CallStart) context.Context {
	above, _ := ctx.Value(operationKey{}).(string)
	o.note(above + " > " + call.Operation)
	return ctx
}

func (o *operationTracer) TraceCallEnd(context.Context, demeterrr.CallEnd) {}

func (o *operationTracer) TraceOperationStart(ctx context.Context, op demeterrr.OperationStart) context.Context {
	if above, _ := ctx.Value(operationKey{}).(string); above != "" {
		op.Operation = above + " > " + op.Operation
	}
	return context.WithValue(ctx, operationKey{}, op.Operation)
}

func (o *operationTracer) TraceOperationEnd(_ context.Context, op demeterrr.OperationEnd) {
	if op.Err != nil {
		o.note(op.Operation + " failed")
		return
	}
	o.note(op.Operation)
}

func (o *operationTracer) note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[what]++
}

func TestTheCallsOfAnOperationAreBelowIt(t *testing.T) {
	t.Parallel()
	srv := account(t, 150)
	tracer := &operationTracer{seen: map[string]int{}}
	c := srv.Client(demeterrr.WithTracer(tracer))
	input := slices.Concat(customerList(0, 149), []demeterrr.ContactParams{changedCustomer(149), {Email: "new@example.com", FirstName: "New"}})
	if _, err := bulk.Sync(t.Context(), c, bulk.Slice(input), nil); err != nil {
		t.Fatal(err)
	}
	survey := srv.AddSequence(demeterrr.Sequence{Name: "Survey"})
	if _, err := bulk.Execute(t.Context(), c, survey.ID, bulk.Slice([]demeterrr.ExecuteContact{{Email: "a@x.com"}}), nil); err != nil {
		t.Fatal(err)
	}
	srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Code: demeterrr.CodeSequenceInactive})
	_, _ = bulk.Execute(t.Context(), c, survey.ID, bulk.Slice([]demeterrr.ExecuteContact{{Email: "a@x.com"}}), nil)
	want := map[string]int{
		"bulk.Sync": 1, "bulk.Sync > Contacts.List": 2, "bulk.Sync > Contacts.Update": 1,
		"bulk.Sync > Contacts.Upsert > Contacts.Create": 1, "Contacts.Upsert": 1,
		"bulk.Execute": 1, "bulk.Execute failed": 1, "bulk.Execute > Sequences.Execute": 2,
	}
	if diff := cmp.Diff(want, tracer.seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func changedCustomer(i int) demeterrr.ContactParams {
	c := customer(i)
	c.LastName = "Changed"
	return c
}
