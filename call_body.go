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

// maxReply is the maximum size of a reply's body in bytes.
const maxReply = 10 << 20

// errTooLarge is final: a retry would only download as much again.
var errTooLarge = fmt.Errorf("the reply is larger than %d MiB", maxReply>>20)

// maxPooled is the maximum size in bytes of a pooled buffer. A page of 100
// contacts has about 50 KB.
const maxPooled = 1 << 20

// replyBuffer holds a reply while it is read and decoded. Decoded values never
// point into it. It is reused only if the reply was read to its end: a body
// that reads on its own goroutine could else write into the next reply. Request
// bodies are never pooled, as a transport may still read one after it has
// returned.
type replyBuffer struct {
	body   []byte
	reader jsonread.Reader
	watch  *connWatch
}

var buffers = sync.Pool{New: func() any { return &replyBuffer{watch: newConnWatch()} }}

func (buf *replyBuffer) release() {
	buf.watch.end()
	buf.reader = jsonread.Reader{} // drop the last chunk of strings: it belongs to the caller
	if cap(buf.body) <= maxPooled {
		buffers.Put(buf)
	}
}

// readBody reads the whole body of a reply, and decompresses gzip. net/http
// decompresses only replies to its own request for gzip.
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

// contentEncoding returns the encodings of the body in lower case, without
// identity.
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

// gunzip decompresses a body of up to maxReply bytes. For a truncated or
// corrupt body it returns the beginning too.
func gunzip(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		return body, nil // a transport has decompressed it and left the header
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the reply's gzip is corrupt: %w", err)
	}
	var buf []byte // unpooled: such replies are rare
	plain, err := readAll(&buf, z, -1)
	if err != nil && !errors.Is(err, errTooLarge) {
		err = fmt.Errorf("the reply's gzip is corrupt: %w", err)
	}
	return plain, err
}

// readAll reads the whole body into *buf. size is the announced size, or -1.
func readAll(buf *[]byte, body io.Reader, size int64) ([]byte, error) {
	if size > maxReply {
		return nil, errTooLarge
	}
	// Trust the size up to maxPooled. Larger or unknown bodies grow as they
	// come.
	expected := int(max(min(size, maxPooled-1), 511))
	data := slices.Grow((*buf)[:0], expected+1) // one more byte, to meet the end without growing
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
		case idle > 100: // stop at a body that never ends and gives nothing
			return data, io.ErrNoProgress
		case len(data) == cap(data):
			data = slices.Grow(data, 1)
		}
	}
}
