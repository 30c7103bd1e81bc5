package bulk

import (
	"slices"

	"github.com/demeterrr/demeterrr-go"
)

// advance changes the progress and hands it to the caller.
func (r *syncRun) advance(change func(*SyncProgress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.progress)
	if r.options.OnProgress != nil {
		r.reportProgress()
	}
}

// reportProgress hands the progress to the caller. r.mu is held.
func (r *syncRun) reportProgress() {
	p := r.progress
	p.WaitingFor, p.WaitingUntil = r.waitingFor()
	r.options.OnProgress(p)
}

// finish reports the outcome of a contact. place is -1 for a contact outside
// the table.
func (r *syncRun) finish(place, index int, params demeterrr.ContactParams, outcome demeterrr.UpsertOutcome, id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if place >= 0 {
		r.items.at(place).status = itemDone
	}
	switch {
	case err != nil:
		outcome, id = "", ""
		r.report.Failed = append(r.report.Failed, SyncFailure{index, params, err})
	case outcome == demeterrr.UpsertCreated:
		r.report.Created++
	case outcome == demeterrr.UpsertUpdated:
		r.report.Updated++
	default:
		r.report.Unchanged++
	}
	r.tell(SyncResult{index, params.Email, outcome, id, err})
}

// tell hands a result to the caller. While workers run, run.mu is held.
func (r *syncRun) tell(result SyncResult) {
	if r.options.OnResult != nil {
		r.options.OnResult(result)
	}
}

// finished completes the report with the contacts left untried.
func (r *syncRun) finished() *SyncReport {
	for place := range r.items.n {
		switch item := r.items.at(place); item.status {
		case itemMissing, itemChanged, itemDiffers:
			r.report.NotTried = append(r.report.NotTried, int(item.index))
		default: // it is in the report
		}
	}
	slices.Sort(r.report.NotTried)
	slices.SortFunc(r.report.Failed, func(a, b SyncFailure) int { return a.Index - b.Index })
	r.report.Requests = int(r.sent.Load())
	return r.report
}
