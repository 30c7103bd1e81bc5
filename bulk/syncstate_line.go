package bulk

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// stateLine is a line of the file: new texts, and entries that refer to texts by
// their number in the file.
type stateLine struct {
	Address string
	Fields  []string
	Entries []byte // packed
	size    int    // about that of the line
}

// maxStateLine is where a line ends, and maxStateText the length of the longest text.
const (
	maxStateLine = 1 << 19
	maxStateText = 1 << 17
)

// stateRecordSize is about the length of an entry in the file.
const stateRecordSize = 90

// maxID is the length of the longest id that is kept.
const maxID = 1 << 10

// add adds an entry to a line that is about to be written.
func (s *FileSyncState) add(l *stateLine, e *SyncEntry) error {
	if len(e.ContactID) > maxID || len(e.Fields) > maxStateText {
		return errors.New("the id or the names of the fields of a contact are too long for a state file")
	}
	record := stateRecord{fingerprint: e.Fingerprint, fields: s.number(l, e.Fields)}
	if e.ContactID != "" || e.Fields != "" || e.Dirty || e.Fingerprint != (SyncFingerprint{}) {
		record.flags |= stateKnown
	}
	if e.Dirty {
		record.flags |= stateDirty
	}
	var ok bool
	if record.uuid, ok = parseUUID(e.ContactID); ok {
		record.flags |= stateUUID
	} else if e.ContactID != "" {
		record.flags |= stateOddID
	}
	l.pack(hashEmail(e.Email), &record, e.ContactID)
	return nil
}

// number is the number of a text, which the line brings if the file does not have it.
func (s *FileSyncState) number(l *stateLine, text string) uint32 {
	if n, ok := s.texts[text]; ok || text == "" {
		return n
	}
	at := slices.Index(l.Fields, text)
	if at < 0 {
		at = len(l.Fields)
		l.Fields = append(l.Fields, text)
		l.size += len(text)
	}
	return uint32(len(s.fields) + at + 1) //nolint:gosec // there are not so many
}

// pack adds a record to a line. Its id is used if it is no UUID.
func (l *stateLine) pack(hash emailHash, record *stateRecord, id string) {
	b := append(append(l.Entries, hash[:]...), byte(record.flags))
	b = append(binary.LittleEndian.AppendUint32(b, record.fields), record.fingerprint[:]...)
	switch {
	case record.flags&stateUUID != 0:
		b = append(b, record.uuid[:]...)
	case record.flags&stateOddID != 0:
		b = appendText(b, id)
	}
	l.size += (len(b) - len(l.Entries)) * 4 / 3
	l.Entries = b
}

// encode is the line as JSON. Its members come in the order in which they apply.
func (l *stateLine) encode() []byte {
	line, _ := json.Marshal(struct { // it can be encoded
		Address string   `json:"address,omitempty"`
		Fields  []string `json:"fields,omitempty"`
		Entries []byte   `json:"entries,omitempty"`
	}{l.Address, l.Fields, l.Entries})
	return line
}

// errDamaged is the error of a line that Save did not write.
var errDamaged = errors.New("it is damaged; remove the file, and run Sync, which reads the account then")

// replay takes in a line of the file.
func (s *FileSyncState) replay(line []byte) error {
	var l stateLine
	in := jsonread.New(line)
	for in.Record(); in.Member(); {
		switch string(in.Key()) {
		case "address":
			l.Address = in.Text()
		case "fields":
			l.Fields = in.Strings()
		case "entries":
			var err error
			if l.Entries, err = base64.StdEncoding.DecodeString(in.Text()); err != nil {
				return errDamaged
			}
		default:
			return errDamaged
		}
	}
	if in.End() != nil {
		return errDamaged
	}
	return s.apply(&l)
}

// apply takes in a line.
func (s *FileSyncState) apply(l *stateLine) error {
	if l.Address != "" {
		s.bound = strings.Clone(l.Address)
	}
	for _, text := range l.Fields {
		s.fields = append(s.fields, strings.Clone(text))
		s.texts[s.fields[len(s.fields)-1]] = uint32(len(s.fields)) //nolint:gosec // there are not so many
	}
	for rest := l.Entries; len(rest) > 0; {
		const size = len(emailHash{}) + 1 + 4 + len(SyncFingerprint{})
		if len(rest) < size {
			return errDamaged
		}
		record := stateRecord{flags: stateFlags(rest[16]), fields: binary.LittleEndian.Uint32(rest[17:])}
		copy(record.fingerprint[:], rest[21:])
		hash := emailHash(rest[:16])
		rest = rest[size:]
		id := ""
		switch {
		case uint64(record.fields) > uint64(len(s.fields)): // an int of 32 bits would be negative
			return errDamaged
		case record.flags&stateUUID != 0:
			if len(rest) < 16 {
				return errDamaged
			}
			record.uuid, rest = [16]byte(rest), rest[16:]
		case record.flags&stateOddID != 0:
			n, used := binary.Uvarint(rest)
			if used <= 0 || n > maxID || int(n) > len(rest)-used {
				return errDamaged
			}
			id, rest = string(rest[used:used+int(n)]), rest[used+int(n):]
		}
		s.set(hash, record, id)
	}
	return nil
}

// set replaces the record of an email.
func (s *FileSyncState) set(hash emailHash, record stateRecord, id string) {
	place, _ := s.entries.add(hash)
	if s.entries.at(place).flags&stateKnown != 0 {
		s.live--
	}
	if record.flags&stateKnown != 0 {
		s.live++
	}
	*s.entries.at(place) = record
	delete(s.odd, place)
	if id != "" {
		s.odd[place] = id
	}
}

// writeAll hands the lines of a file that has nothing but what is true to add. The
// texts keep their numbers.
func (s *FileSyncState) writeAll(add func(line []byte) error) error {
	first := &stateLine{Address: s.bound}
	for _, text := range s.fields {
		first.Fields = append(first.Fields, text)
		if first.size += len(text); first.size > maxStateLine {
			if err := add(first.encode()); err != nil {
				return err
			}
			first = &stateLine{}
		}
	}
	if err := add(first.encode()); err != nil {
		return err
	}
	line := &stateLine{}
	for place := range s.entries.n {
		record := s.entries.record(place)
		if record.value.flags&stateKnown == 0 {
			continue
		}
		line.pack(record.hash, &record.value, s.odd[place])
		if line.size > maxStateLine {
			if err := add(line.encode()); err != nil {
				return err
			}
			line.Entries, line.size = line.Entries[:0], 0
		}
	}
	if len(line.Entries) == 0 {
		return nil
	}
	return add(line.encode())
}
