package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/demeterrr/demeterrr-go/internal/journalfile"
)

// FileSyncState is a [SyncState] in a file. Make one with [OpenSyncState]; the
// zero value is unusable.
type FileSyncState struct {
	file *journalfile.File

	mu      sync.Mutex
	inUse   bool
	bound   string // the address of the file; empty before the first Save
	address string // of the present run
	entries table[stateRecord]
	live    int            // entries with content
	odd     map[int]string // ids other than UUIDs, by place
	fields  []string       // the texts of the records
	texts   map[string]uint32
	sum     uint32 // of the lines so far
	summed  bool   // whether the last line had a sum
}

// stateRecord is an entry in memory. It has no pointers, so the garbage
// collector skips it.
type stateRecord struct {
	uuid        [16]byte
	fingerprint SyncFingerprint
	fields      uint32 // 1 + the number of its text; 0 for none
	flags       stateFlags
}

type stateFlags byte

const (
	stateKnown stateFlags = 1 << iota // there is an entry
	stateDirty
	stateUUID
	stateOddID
)

const (
	stateVersion = 1
	restoreState = "run Sync with Verify afterwards"
)

// stateHeader is the first line of the file.
type stateHeader struct {
	SyncState string `json:"syncState"`
	Version   int    `json:"version"`
}

// OpenSyncState opens or creates the state in the file at path. It locks the
// file until Close or the end of the process, even a killed one. See
// [OpenJournal] for systems without such locks. It fails if the file is not a
// state, is damaged, has a later version, or is already open in any process.
//
// A state is for one source of contacts and one account. With another account,
// Sync stops with [ErrStateMismatch]. The file contains contact ids, field
// names, and hashes of emails. In memory, a state takes about 80 bytes for each
// contact.
//
// Each change is on the disk before Sync goes on. If a crash cuts the last line
// short, its contacts are sent once more. After the loss of the file, the next
// Sync reads the account, and ClearEmpty has forgotten the fields to clear.
// After restoring an old copy, run Sync with Verify.
func OpenSyncState(path string) (*FileSyncState, error) {
	s := &FileSyncState{texts: map[string]uint32{}, odd: map[int]string{}}
	var err error
	if s.file, err = journalfile.OpenRestored(path, restoreState, stateFileHeader(), checkStateHeader, s.replay); err != nil {
		if errors.Is(err, journalfile.ErrForeign) {
			err = errors.New("it is not a sync state; name another file")
		}
		return nil, because(fmt.Sprintf("sync state %s cannot be opened", path), err)
	}
	return s, nil
}

func stateFileHeader() []byte {
	header, _ := json.Marshal(stateHeader{"demeterrr", stateVersion}) // a header can always be encoded
	return header
}

// checkStateHeader refuses files of another kind or version.
func checkStateHeader(line []byte) error {
	var h struct {
		stateHeader
		Journal string `json:"journal"`
	}
	switch err := json.Unmarshal(line, &h); {
	case err == nil && h.Journal != "":
		return errors.New("it is the journal of a sequence; name another file")
	case err != nil || h.SyncState != "demeterrr":
		return journalfile.ErrForeign
	case h.Version != stateVersion:
		return fmt.Errorf("it has version %d, this program reads only version %d; use the program that wrote it, or another file", h.Version, stateVersion)
	}
	return nil
}

// errNoState is the error of a zero FileSyncState.
func errNoState() error { return invalid("the sync state was not made by OpenSyncState") }

func (s *FileSyncState) made() bool { return s != nil && s.file != nil }

// Acquire takes the state for one run. It first compacts the file if more than
// half of it is out of date.
func (s *FileSyncState) Acquire(_ context.Context, address string) (release func(), err error) {
	if !s.made() {
		return nil, errNoState()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.inUse:
		return nil, ErrStateInUse
	case s.bound != "" && s.bound != address:
		return nil, fmt.Errorf("%w: its address is %s, the client's is %s", ErrStateMismatch, s.bound, address)
	}
	if s.file.Size() > 1<<20+2*int64(s.live)*stateRecordSize {
		s.rewrite()
	}
	s.inUse, s.address = true, address
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inUse = false
	}, nil
}

// Lookup returns the entries of the emails in the state.
func (s *FileSyncState) Lookup(_ context.Context, emails []string) ([]SyncEntry, error) {
	if !s.made() {
		return nil, errNoState()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]SyncEntry, 0, len(emails))
	for _, email := range emails {
		place := s.entries.find(hashEmail(email))
		if place < 0 || s.entries.at(place).flags&stateKnown == 0 {
			continue
		}
		record := s.entries.at(place)
		e := SyncEntry{Email: email, Fingerprint: record.fingerprint, Dirty: record.flags&stateDirty != 0}
		switch {
		case record.flags&stateUUID != 0:
			e.ContactID = formatUUID(record.uuid)
		case record.flags&stateOddID != 0:
			e.ContactID = s.odd[place]
		}
		if record.fields > 0 {
			e.Fields = s.fields[record.fields-1]
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Save replaces entries. The change is on the disk when Save returns.
func (s *FileSyncState) Save(_ context.Context, entries []SyncEntry) error {
	if !s.made() {
		return errNoState()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound == "" && s.address != "" {
		if err := s.append(&stateLine{Address: s.address}); err != nil {
			return err
		}
	}
	l := &stateLine{}
	for i := range entries {
		if err := s.add(l, &entries[i]); err != nil {
			return err
		}
		if i < len(entries)-1 && l.size < maxStateLine {
			continue
		}
		if err := s.append(l); err != nil {
			return err
		}
		l = &stateLine{}
	}
	return nil
}

// Close closes the file and releases its lock. A second call does nothing.
func (s *FileSyncState) Close() error {
	if !s.made() {
		return nil
	}
	return s.file.Close()
}

// append appends a line to the file and then applies it.
func (s *FileSyncState) append(l *stateLine) error {
	sum := l.sum(s.sum)
	if err := s.file.Append(l.encode(sum)); err != nil {
		return err
	}
	s.sum, s.summed = sum, true
	return s.apply(l)
}

// rewrite compacts the file. After an error the long file still works.
func (s *FileSyncState) rewrite() {
	header, sum := stateFileHeader(), uint32(0)
	size := int64(len(header) + 1)
	err := s.file.Rewrite(header, func(add func(line []byte) error) error {
		return s.writeAll(func(l *stateLine) error {
			sum = l.sum(sum)
			line := l.encode(sum)
			size += int64(len(line) + 1)
			return add(line)
		})
	})
	if err == nil || s.file.Size() == size { // an error can follow the replacement
		s.sum, s.summed = sum, true
	}
}
