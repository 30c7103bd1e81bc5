package main

import (
	"encoding/json"
	"flag"
	"io"
	"runtime/metrics"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
)

// job is one Sync, in a process of its own.
type job struct {
	URL      string
	Contacts int
	Every    int // of which the last name is changed; 0: none
	LastName string
	State    string // a file; empty for none
	Verify   bool
}

func (j *job) register(set *flag.FlagSet) {
	set.StringVar(&j.URL, "url", "", "the address of the server process")
	set.IntVar(&j.Contacts, "contacts", 1_000_000, "contacts in the account and in the input")
	set.IntVar(&j.Every, "every", 0, "every so many-th contact of the input differs")
	set.StringVar(&j.State, "state", "", "the file of the state; empty for none")
	set.BoolVar(&j.Verify, "verify", false, "read the account although there is a state")
	set.StringVar(&j.LastName, "lastname", "Changed", "the last name of those")
}

// result is what a job tells on its standard output.
type result struct {
	Created, Updated, Unchanged, Failed, Requests int
	PeakMB                                        int // of HeapInuse
}

func (j *job) run(out io.Writer) error {
	client, err := demeterrr.New(apiKey, demeterrr.WithBaseURL(j.URL+"/api/v1"))
	if err != nil {
		return err
	}
	peak := watchHeap()
	options := bulk.SyncOptions{Verify: j.Verify}
	if j.State != "" {
		state, err := bulk.OpenSyncState(j.State)
		if err != nil {
			return err
		}
		defer state.Close()
		options.State = state
	}
	report, err := bulk.Sync(background, client, j.input, &options)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result{
		report.Created, report.Updated, report.Unchanged, len(report.Failed), report.Requests, int(peak() >> 20),
	})
}

func (j *job) input(yield func(demeterrr.ContactParams, error) bool) {
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

// watchHeap samples HeapInuse; peak ends that and returns the largest sample.
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
