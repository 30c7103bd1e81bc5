package demeterrr

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxReply is the size in bytes beyond which the body of a reply is not read.
const maxReply = 10 << 20

// errTooLarge is final: asking again would only read as much again.
var errTooLarge = fmt.Errorf("the reply is larger than %d MiB", maxReply>>20)

// maxPooled is the size in bytes beyond which a buffer is not kept. A page of 100 contacts has about 50 KB.
const maxPooled = 1 << 20

// replyBuffer is where a reply is read and decoded; nothing that is decoded points into
// it. It is used again only if the reply was read to its end, as a body that reads
// on a goroutine of its own may else write into the next one's. Bodies of requests
// are never pooled: a transport may still read one after it has returned.
type replyBuffer struct {
	body   []byte
	reader jsonread.Reader
	watch  *connWatch
}

var buffers = sync.Pool{New: func() any { return &replyBuffer{watch: newConnWatch()} }}

func (buf *replyBuffer) release() {
	buf.watch.end()
	buf.reader = jsonread.Reader{} // its last chunk of strings is the caller's: not to be kept alive, nor written to
	if cap(buf.body) <= maxPooled {
		buffers.Put(buf)
	}
}

// readBody reads the whole body of a reply, and decompresses gzip. net/http
// decompresses only the replies for which it asked for gzip itself.
func (buf *replyBuffer) readBody(resp *http.Response) ([]byte, error) {
	body, err := readAll(&buf.body, resp.Body, resp.ContentLength)
	if len(resp.Header["Content-Encoding"]) == 0 || resp.Uncompressed || len(body) == 0 {
		return body, err
	}
	switch encoding := contentEncoding(resp.Header); encoding {
	case "":
		return body, err
	case "gzip", "x-gzip":
		plain, errZip := gunzip(body)
		return plain, cmp.Or(err, errZip)
	default:
		return nil, fmt.Errorf("the reply has the content encoding %.50q; the client reads gzip and uncompressed replies", encoding)
	}
}

// contentEncoding returns the encodings of the body in lower case, without identity.
func contentEncoding(h http.Header) string {
	all := strings.Split(strings.ToLower(strings.Join(h["Content-Encoding"], ",")), ",")
	used := all[:0]
	for _, encoding := range all {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "identity" {
			used = append(used, encoding)
		}
	}
	return strings.Join(used, ", ")
}

// gunzip decompresses a body of up to maxReply bytes. If the body is cut short or
// corrupt, gunzip returns its beginning too.
func gunzip(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		return body, nil // a transport has decompressed it, and left the header
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the reply's gzip is corrupt: %w", err)
	}
	var buf []byte // not pooled: such replies are rare
	plain, err := readAll(&buf, z, -1)
	if err != nil && !errors.Is(err, errTooLarge) {
		err = fmt.Errorf("the reply's gzip is corrupt: %w", err)
	}
	return plain, err
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
			return data, errors.New("the transport's body returned an impossible count; use another transport")
		}
		data = data[:len(data)+n]
		*buf = data
		if idle++; n > 0 {
			idle = 0
		}
		if err != nil && err != io.EOF { //nolint:errorlint // nearly every error is io.EOF itself
			err = scrub.Readable(err)
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
