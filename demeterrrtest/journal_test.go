package demeterrrtest_test

import (
	"testing"

	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func TestTheJournalInMemoryIsAJournal(t *testing.T) {
	t.Parallel()
	memory := map[string]*demeterrrtest.Journal{}
	demeterrrtest.TestJournal(t, func(_ *testing.T, sequenceID string) bulk.Journal {
		if memory[sequenceID] == nil {
			memory[sequenceID] = demeterrrtest.NewJournal()
		}
		return memory[sequenceID].Process("host:" + sequenceID[:4])
	})
}
