package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// syncJob keeps the account as a CRM has it, of which something changes before
// each run.
type syncJob struct {
	round     *round
	state     *bulk.FileSyncState
	customers []demeterrr.ContactParams
}

func newSyncJob(r *round) *syncJob {
	j := &syncJob{round: r, state: must(bulk.OpenSyncState(filepath.Join(r.dir, "crm.state")))}
	for i := range 200 {
		j.customers = append(j.customers, demeterrr.ContactParams{Email: fmt.Sprintf("crm%d@example.com", i), FirstName: "C"})
	}
	return j
}

// run changes some customers, adds one, and syncs.
func (j *syncJob) run() (*bulk.SyncReport, error) {
	for range 10 {
		j.customers[rand.IntN(len(j.customers))].LastName = fmt.Sprint("L", rand.IntN(1000))
	}
	j.customers = append(j.customers, demeterrr.ContactParams{Email: fmt.Sprintf("crm%d@example.com", len(j.customers)), FirstName: "C"})
	report, err := bulk.Sync(context.Background(), j.round.machines[0], bulk.Slice(j.customers), &bulk.SyncOptions{State: j.state})
	j.round.all.syncs.Add(1)
	if sum := report.Created + report.Updated + report.Unchanged + len(report.Failed) + len(report.NotTried); sum != len(j.customers) {
		j.round.wrong("the report of Sync does not add up: %+v", report)
	}
	return report, err
}

// settle syncs once more, without faults, and compares the account to the CRM.
func (j *syncJob) settle() {
	report, err := j.run()
	if err != nil || len(report.Failed) > 0 {
		j.round.wrong("the last Sync: %v, %d failed", err, len(report.Failed))
	}
	have := map[string][]demeterrr.Contact{}
	for _, c := range j.round.fake.Contacts() {
		if strings.HasPrefix(c.Email, "crm") {
			have[c.Email] = append(have[c.Email], c)
		}
	}
	for _, want := range j.customers {
		if got := have[want.Email]; len(got) != 1 || got[0].FirstName != want.FirstName || got[0].LastName != want.LastName {
			j.round.wrong("the account has %+v, the CRM has %+v", got, want)
		}
	}
	if len(have) != len(j.customers) {
		j.round.wrong("the account has %d of the CRM's contacts, want %d", len(have), len(j.customers))
	}
	if err := j.state.Close(); err != nil {
		j.round.wrong("Close: %v", err)
	}
}
