package demeterrrtest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// TestClientWaitsForItsQuotaInVirtualTime runs Example_virtualTime, which lacks
// a *testing.T.
func TestClientWaitsForItsQuotaInVirtualTime(t *testing.T) {
	t.Parallel()
	for _, kind := range []demeterrrtest.WindowKind{demeterrrtest.FixedWindow, demeterrrtest.SlidingWindow} {
		synctest.Test(t, func(t *testing.T) {
			srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(kind, demeterrrtest.Limit{Requests: 100, Window: time.Minute}))
			client := srv.Client()
			start := time.Now()
			for i := range 101 {
				params := &demeterrr.ContactParams{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "C"}
				if _, err := client.Contacts.Create(t.Context(), params); err != nil {
					t.Fatal(err)
				}
			}
			if waited := time.Since(start); waited < time.Minute || waited > 75*time.Second {
				t.Errorf("kind %d: the last one waited %v", kind, waited)
			}
			if len(srv.Contacts()) != 101 || len(srv.Requests()) != 102 {
				t.Errorf("kind %d: %d contacts, %d requests", kind, len(srv.Contacts()), len(srv.Requests()))
			}
		})
	}
}
