package bulk

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
)

// emailHash identifies an email, ignoring case. It is a prefix of a SHA-256, so
// collisions cannot be crafted.
type emailHash [16]byte

func hashEmail(email string) (h emailHash) {
	sum := sha256.Sum256([]byte(mailbox.Key(email)))
	copy(h[:], sum[:])
	return h
}

// table keeps one record for each email, in the order of adding. It takes a
// third of the memory of a map. Records live in chunks and never move.
type table[T any] struct {
	slots  []uint32 // 1 + the place of a record, found by its hash; 0 is free
	chunks []*[tableChunk]tableRecord[T]
	n      int
}

type tableRecord[T any] struct {
	hash  emailHash
	value T
}

const tableChunk = 4096

// at returns the record at a place, from 0 to n-1.
func (t *table[T]) at(place int) *T { return &t.record(place).value }

func (t *table[T]) record(place int) *tableRecord[T] {
	return &t.chunks[place/tableChunk][place%tableChunk]
}

// find returns the place of an email's record; -1 if there is none.
func (t *table[T]) find(h emailHash) int {
	if t.n == 0 {
		return -1
	}
	return int(t.slots[t.slot(h)]) - 1
}

// add returns the place of an email's record. It adds an empty one for a new
// email.
func (t *table[T]) add(h emailHash) (place int, known bool) {
	if t.n >= len(t.slots)/4*3 {
		t.grow()
	}
	slot := t.slot(h)
	if t.slots[slot] != 0 {
		return int(t.slots[slot]) - 1, true
	}
	if t.n%tableChunk == 0 {
		t.chunks = append(t.chunks, new([tableChunk]tableRecord[T]))
	}
	place = t.n
	t.n++
	t.slots[slot] = uint32(t.n) //nolint:gosec // 2³² contacts exceed any memory
	t.record(place).hash = h
	return place, false
}

// slot returns the slot of an email, taken or free.
func (t *table[T]) slot(h emailHash) int {
	mask := uint64(len(t.slots) - 1) //nolint:gosec // their number is a power of two
	for i := binary.LittleEndian.Uint64(h[:]); ; i++ {
		slot := int(i & mask) //nolint:gosec // below the number of slots
		if place := t.slots[slot]; place == 0 || t.record(int(place)-1).hash == h {
			return slot
		}
	}
}

func (t *table[T]) grow() {
	t.slots = make([]uint32, max(64, 2*len(t.slots)))
	for place := range t.n {
		t.slots[t.slot(t.record(place).hash)] = uint32(place + 1)
	}
}

// arena keeps byte strings in chunks free of pointers.
type arena struct{ chunks [][]byte }

const (
	arenaBits  = 20
	arenaChunk = 1 << arenaBits
)

// add stores a copy of a piece and returns its offset.
func (a *arena) add(piece []byte) (at int64) {
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < len(piece) {
		a.chunks = append(a.chunks, make([]byte, 0, max(arenaChunk, len(piece))))
		last++
	}
	at = int64(last)<<arenaBits | int64(len(a.chunks[last]))
	a.chunks[last] = append(a.chunks[last], piece...)
	return at
}

// at returns the bytes from an offset on. A piece encodes its own end.
func (a *arena) at(at int64) []byte {
	return a.chunks[at>>arenaBits][at&(arenaChunk-1):]
}
