package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// world is an account that others change too, the input of a source, and the
// state of its Syncs. The Syncs may crash.
type world struct {
	t        *testing.T
	r        *rand.Rand
	srv      *demeterrrtest.Server
	state    *memoryState
	input    map[string]demeterrr.ContactParams // by key
	options  bulk.SyncOptions
	past     []map[string]bulk.SyncEntry // the state at earlier times
	tampers  bool
	tampered bool // with the state
	crashAt  int  // the request after which the process dies; 0 for none
	requests int
}

func (w *world) email() string { return fmt.Sprintf("p%d@example.com", w.r.IntN(40)) }

// edit changes the input.
func (w *world) edit() {
	for range w.r.IntN(10) {
		email := w.email()
		c := w.input[email]
		c.Email, c.FirstName = email, "Name"
		switch w.r.IntN(8) {
		case 0:
			delete(w.input, email)
			continue
		case 1:
			c.Phone = fmt.Sprintf("+1555%d", w.r.IntN(3))
		case 2:
			c.Phone = ""
		case 3:
			c.LastName = fmt.Sprintf("Last%d", w.r.IntN(3))
		case 4:
			c.Tags = []string{"mine"}
		case 5:
			c.Tags = []string{}
		case 6:
			c.CustomFields = map[string]any{"tier": w.r.IntN(3), "note": "x"}
		case 7:
			c.Email = strings.ToUpper(c.Email)
		}
		w.input[email] = c
	}
}

// others changes the account like other people do. They leave the phone alone.
func (w *world) others() {
	client := w.srv.Client()
	for range w.r.IntN(6) {
		contacts := w.srv.Contacts()
		if len(contacts) == 0 || w.r.IntN(4) == 0 {
			if email := w.email(); !slices.ContainsFunc(contacts, func(c demeterrr.Contact) bool { return bulk.EmailKey(c.Email) == email }) {
				w.srv.AddContact(demeterrr.Contact{Email: email, FirstName: "Theirs", Tags: []string{"theirs"}})
			}
			continue
		}
		c := contacts[w.r.IntN(len(contacts))]
		update := &demeterrr.ContactUpdate{}
		switch w.r.IntN(5) {
		case 0:
			if err := client.Contacts.Delete(w.t.Context(), c.ID); err != nil {
				w.t.Error(err)
			}
			continue
		case 1:
			update.Email = demeterrr.Set(fmt.Sprintf("renamed%d@example.com", w.r.Uint32()))
		case 2:
			update.LastName = demeterrr.Set("Theirs")
		case 3:
			update.Tags = demeterrr.Set(append(c.Tags, "theirs"))
		case 4:
			update.Tags = demeterrr.Set([]string{"theirs"})
		}
		if _, err := client.Contacts.Update(w.t.Context(), c.ID, update); err != nil {
			w.t.Error(err)
		}
	}
}

// tamper makes the state older, shorter or empty.
func (w *world) tamper() {
	w.past = append(w.past, w.state.snapshot())
	switch kind := w.r.IntN(12); {
	case !w.tampers:
	case kind == 0:
		w.state.entries, w.tampered = maps.Clone(w.past[w.r.IntN(len(w.past))]), true
	case kind == 1:
		w.tampered = true
		for email := range w.state.entries {
			if w.r.IntN(3) == 0 {
				delete(w.state.entries, email)
			}
		}
	}
}

// RoundTrip checks that Sync may send each request. After a crash it loses all
// of them.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	gone := w.crashAt > 0 && w.requests >= w.crashAt
	if !gone {
		w.requests++
		w.allowed(req)
	}
	if gone || w.requests == w.crashAt && w.r.IntN(2) == 0 {
		return nil, errTorn
	}
	resp, err := w.srv.Transport().RoundTrip(req)
	if w.crashAt > 0 && w.requests >= w.crashAt { // nobody reads this reply
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, errTorn
	}
	return resp, err
}

func (w *world) allowed(req *http.Request) {
	if req.Method == http.MethodGet {
		return
	}
	body, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	var sent struct {
		Email        *string
		FirstName    *string
		Unsubscribed *bool
	}
	if err := json.Unmarshal(body, &sent); err != nil || sent.Unsubscribed != nil || req.Method == http.MethodDelete {
		w.t.Errorf("%s %s", req.Method, body)
	}
	if req.Method == http.MethodPost {
		if _, ok := w.input[bulk.EmailKey(*sent.Email)]; !ok {
			w.t.Errorf("%s was created, and is not in the input", *sent.Email)
		}
		return
	}
	id := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	for _, c := range w.srv.Contacts() {
		if _, ok := w.input[bulk.EmailKey(c.Email)]; c.ID == id && ok {
			return
		}
	}
	for email, e := range w.state.snapshot() {
		if _, ok := w.input[email]; e.ContactID == id && ok {
			return
		}
	}
	w.t.Errorf("%s was changed, and is neither in the input nor recorded under an email of it", id)
}

// sync runs one Sync with a random end.
func (w *world) sync(options bulk.SyncOptions) (*bulk.SyncReport, error) {
	w.requests = 0
	w.state.onSave = func([]bulk.SyncEntry) error {
		if w.crashAt > 0 && w.requests >= w.crashAt {
			return errTorn
		}
		return nil
	}
	w.state.held = false // of the crashed process
	input := slices.Collect(maps.Values(w.input))
	w.r.Shuffle(len(input), func(i, j int) { input[i], input[j] = input[j], input[i] })
	client := w.srv.Client(demeterrr.WithHTTPClient(&http.Client{Transport: w}))
	report, err := bulk.Sync(w.t.Context(), client, bulk.Slice(input), &options)
	if sum := report.Duplicates + report.Created + report.Updated + report.Unchanged + len(report.Failed) + len(report.NotTried); sum != report.Read {
		w.t.Error(summary(report))
	}
	return report, err
}

// verify repeats Sync with Verify until account and input match.
func (w *world) verify() {
	options := w.options
	options.Verify = true
	for range 5 {
		report, err := w.sync(options)
		if errors.Is(err, bulk.ErrStateMismatch) { // others have deleted all contacts of the state
			w.state.entries, w.tampered = map[string]bulk.SyncEntry{}, true
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if len(report.Failed) == 0 {
			return
		}
	}
	w.t.Fatal("Sync does not come to an end")
}

// agree compares the account with the input.
func (w *world) agree(seed uint64) {
	have := map[string]demeterrr.Contact{}
	for _, c := range w.srv.Contacts() {
		have[bulk.EmailKey(c.Email)] = c
	}
	for email, want := range w.input {
		c, ok := have[email]
		if !ok || c.FirstName != want.FirstName || want.LastName != "" && c.LastName != want.LastName || want.Phone != "" && c.Phone != want.Phone {
			w.t.Errorf("seed %d: %s: %+v, want %+v", seed, email, c, want)
		}
		for key, value := range want.CustomFields {
			if fmt.Sprint(c.CustomFields[key]) != fmt.Sprint(value) {
				w.t.Errorf("seed %d: %s: %v, want %v", seed, email, c.CustomFields, want.CustomFields)
			}
		}
		if w.options.ClearEmpty && !w.tampered && c.Phone != want.Phone {
			w.t.Errorf("seed %d: %s: the phone is %q, want %q", seed, email, c.Phone, want.Phone)
		}
		tags := slices.DeleteFunc(slices.Clone(c.Tags), func(tag string) bool { return w.options.ManagedTags != nil && tag == "theirs" })
		if want.Tags != nil && fmt.Sprint(tags) != fmt.Sprint(want.Tags) {
			w.t.Errorf("seed %d: %s: tags %v, want %v", seed, email, c.Tags, want.Tags)
		}
	}
}

// TestAfterVerifyAccountAndInputAgree first lets everything go wrong.
func TestAfterVerifyAccountAndInputAgree(t *testing.T) {
	t.Parallel()
	var runs, crashes, mismatches, lost int
	for seed := range rounds(200) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, r: rand.New(rand.NewPCG(seed, 11)), srv: demeterrrtest.NewServer(), state: newMemoryState(t), input: map[string]demeterrr.ContactParams{}}
			w.tampers = w.r.IntN(3) == 0
			w.options = bulk.SyncOptions{State: w.state, ClearEmpty: w.r.IntN(2) == 0, Concurrency: 1} // requests are counted without a lock
			if w.r.IntN(2) == 0 {
				w.options.ManagedTags = []string{"mine", "other"}
			}
			for range 2 + w.r.IntN(8) {
				before := maps.Clone(w.input)
				w.edit()
				w.others()
				w.tamper()
				if w.r.IntN(3) == 0 {
					w.srv.Inject(randomFault(w.r, 10))
				}
				if w.crashAt = 0; w.r.IntN(2) == 0 {
					w.crashAt = 1 + w.r.IntN(15)
				}
				report, err := w.sync(w.options)
				runs++
				if w.crashAt > 0 && w.requests >= w.crashAt {
					crashes++
				}
				if errors.Is(err, bulk.ErrStateMismatch) {
					mismatches++
				}
				for _, f := range report.Failed {
					if errors.Is(f.Err, demeterrr.ErrUnknownOutcome) {
						lost++
					}
				}
				w.srv.ClearFaults()
				if w.r.IntN(3) == 0 {
					w.input = before // the input returns to an earlier version, sent or unsent
				}
				time.Sleep(time.Hour) // for a pause after a 429
			}
			w.crashAt = 0
			w.verify()
			w.agree(seed)
			_, err := w.sync(w.options)
			if err != nil || w.requests > 0 {
				t.Errorf("seed %d: %d requests after Verify: %v", seed, w.requests, err)
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Log(runs, "runs,", crashes, "crashes,", mismatches, "mismatches,", lost, "unknown outcomes")
}
