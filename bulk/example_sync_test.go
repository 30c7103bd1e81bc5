package bulk_test

import (
	"fmt"
	"log"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// A nightly job brings the account in line with the shop's database.
func ExampleSync() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer()))

	customers := []demeterrr.ContactParams{
		{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"},
		{Email: "jane.smith@example.com", FirstName: "Jane"},
	}
	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), nil)
	if err != nil {
		log.Print(err) // it stopped early; the report shows how far it came
	}
	for _, failure := range report.Failed {
		log.Print(failure.Contact.Email, ": ", failure.Err)
	}
	fmt.Println(report.Created, "created,", report.Updated, "updated,", report.Requests, "requests")
	// Output: 1 created, 1 updated, 3 requests
}

// A dry run shows the changes and their cost in requests.
func ExampleSync_dryRun() {
	client := newClient()

	customers := []demeterrr.ContactParams{
		{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"},
		{Email: "jane.smith@example.com", FirstName: "Jane"},
	}
	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	for change := range report.Plan.Changes() {
		fmt.Println(change.Email, change.Create != nil)
	}
	fmt.Println(report.Plan.Writes, "requests more")
	// Output:
	// john.doe@example.com false
	// jane.smith@example.com true
	// 2 requests more
}

// Changes yields updates first, then new contacts.
func ExampleSyncPlan_Changes() {
	client := newClient()

	customers := []demeterrr.ContactParams{
		{Email: "jane.smith@example.com", FirstName: "Jane"},
		{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"},
	}
	report, err := bulk.Sync(ctx, client, bulk.Slice(customers), &bulk.SyncOptions{DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	for change := range report.Plan.Changes() {
		if change.Create != nil {
			fmt.Println("row", change.Index, "create", change.Email)
		} else {
			fmt.Println("row", change.Index, "update", change.Email)
		}
	}
	// Output:
	// row 1 update john.doe@example.com
	// row 0 create jane.smith@example.com
}
