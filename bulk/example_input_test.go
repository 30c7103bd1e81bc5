package bulk_test

import (
	"fmt"
	"log"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// Slice turns a slice into an input.
func ExampleSlice() {
	client := newClient()

	guests := []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}, {Email: "john.doe@example.com"}}
	report, err := bulk.Execute(ctx, client, surveyID, bulk.Slice(guests), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Sent, "sent")
	// Output: 2 sent
}

// Collect reads a whole list into memory.
func ExampleCollect() {
	client := newClient()

	contacts, err := bulk.Collect(client.Contacts.All(ctx, nil))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(contacts), contacts[0].Email)
	// Output: 1 john.doe@example.com
}

// EmailKey finds a row by the email of a report, whatever its case.
func ExampleEmailKey() {
	rows := map[string]int{bulk.EmailKey("Jane.Smith@example.com"): 7}

	fmt.Println(rows[bulk.EmailKey("jane.smith@EXAMPLE.com")])
	// Output: 7
}
