package mailbox

import "hash/maphash"

// Set holds the keys of up to 100 emails. It is a small map that needs no heap.
type Set struct {
	keys  [100]string // in the order of Add
	size  int
	slots [256]uint8 // indexes in keys, plus 1; a key is in the first free slot from its hash on
}

var seed = maphash.MakeSeed()

// Add adds a key and returns its index: how many keys were added before it. If the
// key is in the set already, added is false.
func (s *Set) Add(key string) (index int, added bool) {
	for slot := uint8(maphash.String(seed, key)); ; slot++ { //nolint:gosec // cut to the number of slots
		switch index = int(s.slots[slot]) - 1; {
		case index < 0:
			index = s.size
			s.keys[index] = key
			s.size++
			s.slots[slot] = uint8(s.size) //nolint:gosec // at most 100
			return index, true
		case s.keys[index] == key:
			return index, false
		}
	}
}
