package sqlstore_test

import (
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// TestACampaignIsAJournal has a pool for each process, as processes do.
func TestACampaignIsAJournal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *testDB) {
		d.migrated(t)
		demeterrrtest.TestJournal(t, func(t *testing.T, sequenceID string) bulk.Journal {
			t.Helper()
			return d.openStore(t, d.open(t, d.dsn)).Campaign("survey " + sequenceID)
		})
	})
}
