package bulk

import (
	"errors"
	"net/http"

	"github.com/demeterrr/demeterrr-go"
)

// maxBatch is the documented limit of an execution (contract, section 6).
const maxBatch = 100

// send sends to one batch and reports its outcome.
func (e *executeRun) send(batch []recipient) {
	defer e.advanced()
	if e.over() != nil {
		e.notTried(batch)
		return
	}
	d := e.sender.send(e.ctx, batch)
	if e.options.SplitRefused && d.refused() && len(d.left) > 1 {
		e.split(d)
		return
	}
	e.settle(d)
}

// refused reports whether the API rejected the batch as invalid.
func (d *delivery) refused() bool {
	failed, ok := errors.AsType[*demeterrr.Error](d.err)
	return ok && d.journalErr == nil && failed.StatusCode == http.StatusBadRequest && failed.Code == demeterrr.CodeValidation
}

// maxSplitRequests is the limit of requests for one batch.
const maxSplitRequests = 30

// split halves a refused batch until the contacts at fault stand alone. When
// the request limit is reached, the rest of the batch counts as failed.
func (e *executeRun) split(whole *delivery) {
	e.reportTaken(whole.taken)
	halves := whole.halves()
	sent := 1
	var accepted bool // also true if another process has taken one
	for len(halves) > 0 {
		half := halves[0]
		halves = halves[1:]
		if sent == maxSplitRequests || e.over() != nil {
			e.settle(half)
			continue
		}
		d := e.sender.send(e.ctx, half.left)
		if d.attempts > 0 {
			sent++
		}
		if d.refused() && len(d.left) > 1 {
			halves = append(d.halves(), halves...)
			d.left = nil
		}
		accepted = accepted || d.err == nil && len(d.left) > 0 || len(d.taken) > 0
		e.settle(d)
	}
	if !accepted && e.over() == nil {
		e.stop(because("the API refused every contact of a batch; check the values they share, such as LocationID", whole.err))
	}
}

// halves splits a refused batch in two. Each half inherits the refusal.
func (d *delivery) halves() []*delivery {
	middle := len(d.left) / 2
	return []*delivery{
		{left: d.left[:middle], err: d.err, attempts: d.attempts},
		{left: d.left[middle:], err: d.err, attempts: d.attempts},
	}
}

// settle reports the outcome of a batch. It stops the run if further batches
// would fail too.
func (e *executeRun) settle(d *delivery) {
	e.reportTaken(d.taken)
	untried := d.attempts == 0 && d.journalErr != nil
	if d.journalErr != nil {
		e.stop(d.journalErr)
	}
	err := d.err
	if !untried && len(d.left) > 0 {
		err = e.classify(err)
		untried = err != nil && d.attempts == 0 && e.over() != nil && !errors.Is(d.err, demeterrr.ErrValidation)
	}
	if untried {
		e.notTried(d.left)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, to := range d.left {
		if err != nil {
			e.fail(to, err)
		} else {
			e.sentTo(to, d.results[i])
		}
	}
}
