package sqlstore_test

import (
	"fmt"
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
)

const surveyID = "880e8400-e29b-41d4-a716-446655440000"

func TestSmoke(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *testDB) {
		s := d.store(t)
		c := s.Campaign("survey")
		taken, err := c.Claim(t.Context(), surveyID, "t1", []string{"a@example.com", "b@example.com"})
		fmt.Println(taken, err)
		taken, err = c.Claim(t.Context(), surveyID, "t2", []string{"a@example.com", "c@example.com"})
		fmt.Println(taken, err)
		err = c.Finish(t.Context(), surveyID, "t1", []bulk.JournalEntry{{Email: "a@example.com", State: bulk.JournalDone, Status: "queued", ContactID: "x"}, {Email: "b@example.com"}})
		fmt.Println(err)
		fmt.Println(c.Lookup(t.Context(), surveyID, []string{"a@example.com", "b@example.com", "c@example.com"}))
	})
}
