package bulk_test

import (
	"context"
	"log"
	"os"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const surveyID = "880e8400-e29b-41d4-a716-446655440000"

// The examples run on a fake server in memory.
var (
	ctx = context.Background()
	srv *demeterrrtest.Server
)

// newClient returns a client of a new fake with John and an active sequence.
func newClient(opts ...demeterrr.Option) *demeterrr.Client {
	srv = demeterrrtest.NewServer()
	srv.AddContact(demeterrr.Contact{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe"})
	srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	return srv.Client(opts...)
}

// dir returns a new folder for the files of an example.
func dir() string {
	name, err := os.MkdirTemp("", "demeterrr")
	if err != nil {
		log.Fatal(err)
	}
	return name
}
