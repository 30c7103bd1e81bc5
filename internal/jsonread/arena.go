package jsonread

import "strings"

// Chunk sizes of an arena, in bytes. The first holds the strings of a usual contact.
const (
	minChunk   = 64
	firstChunk = 256
	maxChunk   = 1024
)

// An arena keeps copies of short strings in chunks that they share. A strings.Builder that is never
// written beyond its capacity is such a chunk, and its String copies nothing.
type arena struct {
	chunk strings.Builder
	size  int // of the next chunk
	used  int // bytes kept since next
}

// next starts a new chunk, so that a record pins no other's strings. Its size follows what records
// lately needed and an eighth, since they differ: a second chunk costs more than a few spare bytes.
func (a *arena) next() {
	a.size = min(max(a.used+a.used/8, a.size-a.size/8, minChunk), maxChunk)
	a.used = 0
	a.chunk.Reset()
}

// keep returns a copy of b. Where one chunk is not enough for a record, the next holds as much as all
// before it, up to maxChunk.
func (a *arena) keep(b []byte) string {
	if a.chunk.Cap()-a.chunk.Len() < len(b) {
		a.chunk.Reset()
		a.chunk.Grow(max(len(b), min(max(a.size, a.used), maxChunk)))
	}
	a.used += len(b)
	start := a.chunk.Len()
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}
