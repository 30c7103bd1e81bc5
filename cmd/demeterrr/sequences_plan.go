package main

import (
	"context"
	"fmt"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// predicted is the predicted outcome of a run.
type predicted struct {
	send, alreadySent, skipped, inDoubt, inFlight, failed int
	first                                                 []any
	place                                                 int
	waiting                                               map[string]waitingContact // by email key
	keys                                                  []string
}

type waitingContact struct {
	row     int
	contact demeterrr.ExecuteContact
}

// show shows the plan of a run. It returns the number of contacts with a
// problem.
func (r *executeRun) show(ctx context.Context) (problems int, err error) {
	p := &predicted{waiting: map[string]waitingContact{}}
	for contact, err := range r.executeContacts() {
		if err != nil {
			return 0, err
		}
		row := r.row(p.place)
		p.place++
		if err := contact.Validate(); err != nil {
			p.failed++
			r.list(row, "failed: "+bare(err))
			continue
		}
		key := bulk.EmailKey(contact.Email)
		p.keys, p.waiting[key] = append(p.keys, key), waitingContact{row, contact}
		if len(p.keys) == 100 {
			if err := r.ask100(ctx, p); err != nil {
				return 0, err
			}
		}
	}
	if err := r.ask100(ctx, p); err != nil {
		return 0, err
	}
	r.send, r.requests = p.send, (p.send+99)/100
	now := time.Now()
	view := &plan{
		what:  fmt.Sprintf("Sequence %q (%s)\n  of %s\n  journal %s", visible(r.sequence.Name), r.sequence.ID, r.client.BaseURL(), r.name),
		first: p.first, requests: r.requests, takes: estimate(r.requests, r.perMinute, r.perHour, r.client.RateLimit(), now),
		counts: append(tallies{
			{"send", "to send", p.send},
			{"alreadySent", "sent before", p.alreadySent},
			{"skipped", "skipped by the API before", p.skipped},
			{"failed", "will fail", p.failed},
			{"unknown", "in doubt", p.inDoubt},
			{"inFlight", "in flight in another process", p.inFlight},
		}, r.leftOut()...),
	}
	r.showPlan(r.customers, view)
	return p.skipped + p.failed + p.inDoubt + p.inFlight, nil
}

// ask100 looks up the collected contacts in the journal.
func (r *executeRun) ask100(ctx context.Context, p *predicted) error {
	if len(p.keys) == 0 {
		return nil
	}
	entries, err := r.Lookup(ctx, r.campaign.sequence, p.keys)
	if err != nil {
		return fmt.Errorf("the journal %s: %w", r.name, err)
	}
	for _, entry := range entries {
		w := p.waiting[entry.Email]
		delete(p.waiting, entry.Email)
		switch {
		case entry.State == bulk.JournalDone && entry.Status == demeterrr.ExecutionQueued:
			p.alreadySent++
		case entry.State == bulk.JournalDone:
			p.skipped++
			r.list(w.row, skippedReason(entry.Status))
		case entry.Live:
			p.inFlight++
			r.list(w.row, "in flight: another process is sending to this contact; run again later")
		default:
			p.inDoubt++
			r.list(w.row, "unknown: may have been messaged; look under Sendings in the dashboard, and run demeterrr journal forget if it was not")
		}
	}
	p.send += len(p.waiting)
	for _, key := range p.keys {
		if w, ok := p.waiting[key]; ok && len(p.first) < firstRows {
			p.first = append(p.first, w.contact)
		}
	}
	clear(p.waiting)
	p.keys = p.keys[:0]
	return nil
}
