package jsonread

import "strings"

// Chunk sizes of an arena, in bytes. The first holds the strings of a usual
// contact.
const (
	minChunk   = 64
	firstChunk = 256
	maxChunk   = 1024
)

// arena copies short strings into chunks that they share. A chunk is a
// strings.Builder filled up to its capacity at most, and its String copies
// nothing.
type arena struct {
	chunk strings.Builder
	size  int // of the next chunk
	used  int // bytes kept since next
}

// next starts a new chunk, so that a record keeps only its own strings in
// memory. The chunk has the size of recent records and an eighth more: spare
// bytes cost less than a second chunk.
func (a *arena) next() {
	a.size = min(max(a.used+a.used/8, a.size-a.size/8, minChunk), maxChunk)
	a.used = 0
	a.chunk.Reset()
}

// keep returns a copy of b. If a record outgrows its chunk, the next chunk is
// as large as all before it, up to maxChunk.
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
