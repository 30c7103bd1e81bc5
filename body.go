package demeterrr

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// maxReply is the size in bytes beyond which the body of a reply is not read.
const maxReply = 10 << 20

// errTooLarge is final: asking again would only read as much again.
var errTooLarge = fmt.Errorf("the reply is larger than %d MiB", maxReply>>20)

// maxPooled is the size in bytes beyond which a buffer is not kept. A page of 100 contacts has about 50 KB.
const maxPooled = 1 << 20

// space is where a reply is read and decoded; nothing that is decoded points into
// it. It is used again only if the reply was read to its end, as a body that reads
// on a goroutine of its own may else write into the next one's. Bodies of requests
// are never pooled: a transport may still read one after it has returned.
type space struct {
	body   []byte
	reader jsonread.Reader
	watch  *connWatch
}

var spaces = sync.Pool{New: func() any { return &space{watch: newConnWatch()} }}

func (s *space) release() {
	s.watch.end()
	s.reader = jsonread.Reader{} // its last chunk of strings is the caller's: not to be kept alive, nor written to
	if cap(s.body) <= maxPooled {
		spaces.Put(s)
	}
}

// readAll reads the whole body, which says that it has size bytes, or -1 if it
// does not say, into *buf.
func readAll(buf *[]byte, body io.Reader, size int64) ([]byte, error) {
	if size > maxReply {
		return nil, errTooLarge
	}
	// A size is believed up to what is pooled; what is larger, or unknown, grows as it comes.
	expected := int(max(min(size, maxPooled-1), 511))
	data := slices.Grow((*buf)[:0], expected+1) // one byte more, so that the end is met without growing
	for idle := 0; ; {
		n, err := body.Read(data[len(data):cap(data)])
		if n < 0 || n > cap(data)-len(data) {
			return data, errors.New("the transport's body returned a count that cannot be")
		}
		data = data[:len(data)+n]
		*buf = data
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case len(data) > maxReply:
			return nil, errTooLarge
		case errors.Is(err, io.EOF): // some transports wrap it
			return data, nil
		case err != nil:
			return data, err
		case idle > 100: // a body that gives nothing must not keep us for ever
			return data, io.ErrNoProgress
		case len(data) == cap(data):
			data = slices.Grow(data, 1)
		}
	}
}
