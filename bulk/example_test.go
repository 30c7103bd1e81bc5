package bulk_test

import (
	"context"
	"log"
	"os"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

const surveyID = "880e8400-e29b-41d4-a716-446655440000"

// The examples run on the fake, in memory: these two stand for an account.
var (
	ctx = context.Background()
	srv *demeterrrtest.Server
)

// newClient is a client of a fresh fake, with John and an active sequence in it.
func newClient(opts ...demeterrr.Option) *demeterrr.Client {
	srv = demeterrrtest.NewServer()
	srv.AddContact(demeterrr.Contact{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe"})
	srv.AddSequence(demeterrr.Sequence{ID: surveyID, Name: "Post-Purchase Satisfaction Survey"})
	return srv.Client(opts...)
}

// dir is where an example may write.
func dir() string {
	name, err := os.MkdirTemp("", "demeterrr")
	if err != nil {
		log.Fatal(err)
	}
	return name
}
