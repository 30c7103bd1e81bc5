package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"runtime/metrics"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// job is one task over all contacts, in its own process.
type job struct {
	Work     string // sync, execute or all
	URL      string
	Contacts int
	Every    int    // sync changes the last name of one contact in so many; 0 changes none
	LastName string // the changed name
	State    string // the file of sync's state; empty for none
	Verify   bool   // sync reads the account in spite of the state
	Journal  string // the file of execute's journal; empty for none
}

func (j *job) register(set *flag.FlagSet) {
	set.StringVar(&j.Work, "work", "sync", "sync, execute or all")
	set.StringVar(&j.URL, "url", "", "the address of the server process")
	set.IntVar(&j.Contacts, "contacts", 1_000_000, "contacts in the account and in the input")
	set.IntVar(&j.Every, "every", 0, "sync changes one contact in so many")
	set.StringVar(&j.LastName, "lastname", "Changed", "the last name of changed contacts")
	set.StringVar(&j.State, "state", "", "the file of the state; empty for none")
	set.BoolVar(&j.Verify, "verify", false, "read the account although there is a state")
	set.StringVar(&j.Journal, "journal", "", "the file of the journal; empty for none")
}

// result is the outcome of a job, which it prints as JSON.
type result struct {
	Created, Updated, Unchanged, Failed int    // of sync
	Sent, AlreadySent, NotSent          int    // of execute
	Read                                int    // of all
	PeakBytes                           uint64 // of heap in use
}

// contacts returns the number of contacts with a good outcome.
func (r result) contacts() int {
	return r.Created + r.Updated + r.Unchanged + r.Sent + r.AlreadySent + r.Read
}

// run does the work and writes its result.
func (j *job) run(out io.Writer) error {
	client, err := demeterrr.New(apiKey, demeterrr.WithBaseURL(j.URL+"/api/v1"))
	if err != nil {
		return err
	}
	peak := watchHeap()
	var r result
	switch j.Work {
	case "sync":
		r, err = j.sync(client)
	case "execute":
		r, err = j.execute(client)
	case "all":
		r, err = j.all(client)
	default:
		err = fmt.Errorf("no work %q: choose sync, execute or all", j.Work)
	}
	if err != nil {
		return err
	}
	r.PeakBytes = peak()
	return json.NewEncoder(out).Encode(r)
}

func (j *job) sync(client *demeterrr.Client) (result, error) {
	options := bulk.SyncOptions{Verify: j.Verify}
	if j.State != "" {
		state, err := bulk.OpenSyncState(j.State)
		if err != nil {
			return result{}, err
		}
		defer state.Close()
		options.State = state
	}
	report, err := bulk.Sync(background, client, j.params, &options)
	if err != nil {
		return result{}, err
	}
	return result{
		Created: report.Created, Updated: report.Updated, Unchanged: report.Unchanged,
		Failed: len(report.Failed),
	}, nil
}

func (j *job) execute(client *demeterrr.Client) (result, error) {
	var options bulk.ExecuteOptions
	if j.Journal != "" {
		journal, err := bulk.OpenJournal(j.Journal, sequenceID)
		if err != nil {
			return result{}, err
		}
		defer journal.Close()
		options.Journal = journal
	}
	report, err := bulk.Execute(background, client, sequenceID, j.people, &options)
	if err != nil {
		return result{}, err
	}
	return result{
		Sent: report.Sent, AlreadySent: report.AlreadySent,
		NotSent: report.Read - report.Sent - report.AlreadySent,
	}, nil
}

func (j *job) all(client *demeterrr.Client) (r result, err error) {
	for _, err := range client.Contacts.All(background, nil) {
		if err != nil {
			return r, err
		}
		r.Read++
	}
	return r, nil
}

// params yields sync's input.
func (j *job) params(yield func(demeterrr.ContactParams, error) bool) {
	for i := range j.Contacts {
		c := customer(i)
		if j.Every > 0 && i%j.Every == 0 {
			c.LastName = j.LastName
		}
		if !yield(c, nil) {
			return
		}
	}
}

// people yields execute's input.
func (j *job) people(yield func(demeterrr.ExecuteContact, error) bool) {
	for i := range j.Contacts {
		c := customer(i)
		if !yield(demeterrr.ExecuteContact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone}, nil) {
			return
		}
	}
}

// watchHeap samples the heap in use. peak ends the sampling and returns the
// largest sample.
func watchHeap() (peak func() uint64) {
	done, largest := make(chan struct{}), make(chan uint64)
	go func() {
		samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		most := uint64(0)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			metrics.Read(samples)
			most = max(most, samples[0].Value.Uint64()+samples[1].Value.Uint64())
			select {
			case <-tick.C:
			case <-done:
				largest <- most
				return
			}
		}
	}()
	return func() uint64 { close(done); return <-largest }
}
