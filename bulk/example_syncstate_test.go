package bulk_test

import (
	"errors"
	"fmt"
	"log"
	"path/filepath"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// The second night takes one request, for the only customer with a change.
func ExampleOpenSyncState() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer()))

	state, err := bulk.OpenSyncState(filepath.Join(dir(), "crm.state"))
	if err != nil {
		log.Fatal(err)
	}
	defer state.Close()

	customers := []demeterrr.ContactParams{
		{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe"},
		{Email: "jane.smith@example.com", FirstName: "Jane"},
	}
	for range 2 {
		report, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{State: state})
		if err != nil {
			log.Print(err) // it stopped early; the next run does the rest
		}
		fmt.Println(report.Created, "created,", report.Updated, "updated,", report.Requests, "requests")
		customers[1].LastName = "Smith"
	}
	// Output:
	// 1 created, 0 updated, 2 requests
	// 0 created, 1 updated, 1 requests
}

// After a customer removes the phone number in the shop, Sync clears it in the
// account. Tags of others stay.
func ExampleSync_clearEmpty() {
	client := newClient()
	state := newState()
	defer state.Close()

	options := &bulk.SyncOptions{State: state, ClearEmpty: true, ManagedTags: []string{"customer", "gold"}}
	john := demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John", Phone: "+15551234567", Tags: []string{"customer"}}
	for range 2 {
		if _, err := bulk.Sync(ctx, client, bulk.Slice([]demeterrr.ContactParams{john}), options); err != nil {
			log.Fatal(err)
		}
		john.Phone = ""
	}
	found, err := client.Contacts.FindByEmail(ctx, john.Email)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q %q %v\n", found.LastName, found.Phone, found.Tags)
	// Output: "Doe" "" [customer]
}

// Confirm shows the plan before the first write, and can refuse it.
func ExampleSync_confirm() {
	client := newClient()

	customers := []demeterrr.ContactParams{{Email: "jane.smith@example.com", FirstName: "Jane"}}
	tooMuch := errors.New("too much to do")
	_, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{
		Confirm: func(plan *bulk.SyncPlan) error {
			fmt.Println(plan.Creates, "to create,", plan.Updates, "to update, in", plan.Writes, "requests")
			if plan.Writes > 500 {
				return tooMuch // Sync returns it
			}
			return nil
		},
		OnResult: func(r bulk.SyncResult) { fmt.Println(r.Email, r.Outcome, r.ContactID) },
	})
	fmt.Println(err)
	// Output:
	// 1 to create, 0 to update, in 1 requests
	// jane.smith@example.com created 000000c0-0000-4000-8000-000000000002
	// <nil>
}

func newState() *bulk.FileSyncState {
	state, err := bulk.OpenSyncState(filepath.Join(dir(), "crm.state"))
	if err != nil {
		log.Fatal(err)
	}
	return state
}

// Sync calls Acquire, Lookup and Save itself. A state of your own behaves like
// this one.
func ExampleFileSyncState_Save() {
	state := newState()
	defer state.Close()

	release, err := state.Acquire(ctx, "https://app.demeterrr.com/api/v1")
	if err != nil {
		log.Fatal(err) // another run has it, or it belongs to another account
	}
	defer release()
	err = state.Save(ctx, []bulk.SyncEntry{{Email: "jane.smith@example.com", ContactID: "c1", Dirty: true}})
	if err != nil {
		log.Fatal(err) // send nothing
	}
	entries, err := state.Lookup(ctx, []string{"jane.smith@example.com", "nobody@example.com"})
	fmt.Println(len(entries), entries[0].ContactID, entries[0].Dirty, err)
	// Output: 1 c1 true <nil>
}

func ExampleFileSyncState_Acquire() {
	state := newState()
	defer state.Close()

	release, err := state.Acquire(ctx, "https://app.demeterrr.com/api/v1")
	if err != nil {
		log.Fatal(err)
	}
	_, err = state.Acquire(ctx, "https://app.demeterrr.com/api/v1")
	fmt.Println(errors.Is(err, bulk.ErrStateInUse))
	release()
	// Output: true
}

func ExampleFileSyncState_Lookup() {
	state := newState()
	defer state.Close()

	entries, err := state.Lookup(ctx, []string{"nobody@example.com"})
	fmt.Println(len(entries), err)
	// Output: 0 <nil>
}

func ExampleFileSyncState_Close() {
	path := filepath.Join(dir(), "crm.state")
	for range 2 { // after Close it can be opened again
		state, err := bulk.OpenSyncState(path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(state.Close())
	}
	// Output:
	// <nil>
	// <nil>
}
