package bulk

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// stateLine is a line of the file. It has new texts, and entries that refer to
// texts by their number in the file.
type stateLine struct {
	Address string
	Fields  []string
	Entries []byte // packed
	size    int    // about the length of the line
}

// maxStateLine is the size at which a line ends. maxStateText is the length
// limit of a text.
const (
	maxStateLine = 1 << 19
	maxStateText = 1 << 17
)

// stateRecordSize is the approximate length of an entry in the file.
const stateRecordSize = 90

// maxID is the length limit of an id.
const maxID = 1 << 10

// add adds an entry to a line that is about to be written.
func (s *FileSyncState) add(l *stateLine, e *SyncEntry) error {
	if len(e.ContactID) > maxID || len(e.Fields) > maxStateText {
		return errors.New("a contact's id or field names are too long for a state file; shorten the names of its custom fields")
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

// number returns the number of a text. It adds a new text to the line.
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
	return uint32(len(s.fields) + at + 1) //nolint:gosec // far fewer texts
}

// pack adds a record to a line. id counts only if it is not a UUID.
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

// encode returns the line as JSON. Its members are in the order in which they
// apply.
func (l *stateLine) encode(sum uint32) []byte {
	line, _ := json.Marshal(struct { // it can always be encoded
		Address string   `json:"address,omitempty"`
		Fields  []string `json:"fields,omitempty"`
		Entries []byte   `json:"entries,omitempty"`
		Sum     string   `json:"sum"`
	}{l.Address, l.Fields, l.Entries, hexSum(sum)})
	return line
}

// sum returns the checksum of the file up to this line. before is the sum of
// the lines before it, so a missing line is found as well.
func (l *stateLine) sum(before uint32) uint32 {
	for _, text := range append([]string{l.Address}, l.Fields...) {
		before = crc32.Update(before, crc32.IEEETable, append([]byte(text), 0))
	}
	return crc32.Update(before, crc32.IEEETable, l.Entries)
}

func hexSum(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// errDamaged is the error for a line that Save did not write.
var errDamaged = errors.New("it is damaged; remove the file and run Sync, which then reads the account")

// replay applies a line of the file.
func (s *FileSyncState) replay(line []byte) error {
	var l stateLine
	sum := ""
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
		case "sum":
			sum = in.Text()
		default:
			return errDamaged
		}
	}
	if in.End() != nil {
		return errDamaged
	}
	if sum != "" || s.summed { // early files have no sums
		s.sum, s.summed = l.sum(s.sum), true
		if sum != hexSum(s.sum) {
			return errDamaged
		}
	}
	return s.apply(&l)
}

// apply records a line in memory.
func (s *FileSyncState) apply(l *stateLine) error {
	if l.Address != "" {
		s.bound = strings.Clone(l.Address)
	}
	for _, text := range l.Fields {
		s.fields = append(s.fields, strings.Clone(text))
		s.texts[s.fields[len(s.fields)-1]] = uint32(len(s.fields)) //nolint:gosec // far fewer texts
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
		case uint64(record.fields) > uint64(len(s.fields)): // as an int of 32 bits it could be negative
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

// writeAll passes the lines of a compacted file to add. The texts keep their
// numbers.
func (s *FileSyncState) writeAll(add func(*stateLine) error) error {
	first := &stateLine{Address: s.bound}
	for _, text := range s.fields {
		first.Fields = append(first.Fields, text)
		if first.size += len(text); first.size > maxStateLine {
			if err := add(first); err != nil {
				return err
			}
			first = &stateLine{}
		}
	}
	if err := add(first); err != nil {
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
			if err := add(line); err != nil {
				return err
			}
			line.Entries, line.size = line.Entries[:0], 0
		}
	}
	if len(line.Entries) == 0 {
		return nil
	}
	return add(line)
}
