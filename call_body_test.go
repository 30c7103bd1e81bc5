package demeterrr_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/demeterrr/demeterrr-go"
)

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// compressed returns a step with content encodings in its header.
func compressed(status int, body string, encodings ...string) step {
	s := step{status: status, body: body}
	for _, encoding := range encodings {
		s.header = append(s.header, "Content-Encoding", encoding)
	}
	return s
}

// net/http decompresses only replies to its own request for gzip.
func TestUnaskedGzipIsRead(t *testing.T) {
	t.Parallel()
	sample := zipped(okContact.body)
	for name, reply := range map[string]step{
		"gzip":           compressed(200, sample, "gzip"),
		"GZip":           compressed(200, sample, "GZip"),
		"x-gzip":         compressed(200, sample, "x-gzip"),
		"identity, gzip": compressed(200, sample, " identity", "", "gzip "),
		"two members":    compressed(200, zipped(okContact.body[:20])+zipped(okContact.body[20:]), "gzip"),
		"identity":       compressed(200, okContact.body, "Identity"),
		"header alone":   compressed(200, okContact.body, "gzip"), // a transport has decompressed it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := play(t, []step{reply, compressed(409, zipped(existsJSON), "gzip"), compressed(204, "", "gzip")})
				got, err := c.Contacts.Get(t.Context(), contactID)
				if err != nil || got.Email != email {
					t.Errorf("got %+v, %v", got, err)
				}
				wantError(t, create(t.Context(), c), 1, demeterrr.ErrContactExists)
				wantNil(t, remove(t.Context(), c))
			})
		})
	}
}

// On the client's own transport, a proxy may still compress.
func TestGzipOverTheOwnTransportIsRead(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"gzip", "X-Gzip"} {
		c := serving(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			_, _ = io.WriteString(w, zipped(okContact.body))
		})
		wantNil(t, get(t.Context(), c))
	}
}

// A reply that cannot be decompressed counts as lost. A read is retried, an
// Execute is not.
func TestAReplyThatCannotBeDecompressedIsUnreadable(t *testing.T) {
	t.Parallel()
	sample := zipped(okExecution.body)
	checksum := []byte(sample)
	checksum[len(checksum)-5] ^= 1
	for name, tt := range map[string]struct {
		reply step
		says  string
	}{
		"cut short":     {compressed(200, sample[:len(sample)/2], "gzip"), "the reply's gzip is corrupt: unexpected EOF"},
		"two bytes":     {compressed(200, sample[:2], "gzip"), "the reply's gzip is corrupt: unexpected EOF"},
		"checksum":      {compressed(200, string(checksum), "gzip"), "the reply's gzip is corrupt: gzip: invalid checksum"},
		"trailing data": {compressed(200, sample+"more", "gzip"), "the reply's gzip is corrupt: unexpected EOF"},
		"not gzip":      {compressed(200, "\x1e\x8b"+sample[2:], "gzip"), "not what the API documents"},
		"br":            {compressed(200, "\x0b\x02", "BR"), `the reply has the content encoding "br"; the client reads gzip`},
		"deflate":       {compressed(200, okExecution.body, "deflate"), `"deflate"`},
		"twice":         {compressed(200, zipped(sample), "gzip, gzip"), `"gzip, gzip"`},
		"long":          {compressed(200, sample, strings.Repeat("x", 10_000)), `"` + strings.Repeat("x", 50) + `"`},
		"an email":      {compressed(200, sample, "jane@example.com"), "content encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{tt.reply, tt.reply, okContact, tt.reply})
				e := wantError(t, execute(t.Context(), c), 1, demeterrr.ErrUnknownOutcome)
				if e.StatusCode != 200 || !strings.Contains(e.Error(), tt.says) || len(e.Error()) > 300 {
					t.Errorf("got %v, want %q", e, tt.says)
				}
				noSecret(t, e, "jane", "customer1")
				wantNil(t, get(t.Context(), c))
				wantNil(t, remove(t.Context(), c)) // it needs no body
				s.wantSent(4)
			})
		})
	}
}

func TestAnErrorsBodyThatCannotBeDecompressedKeepsItsStatus(t *testing.T) {
	t.Parallel()
	page := zipped("<html>no healthy upstream, ask admin" + strings.Repeat(" ", 100_000))
	for _, reply := range []step{compressed(403, page[:len(page)-8], "gzip"), compressed(403, page, "zstd")} {
		c, _ := play(t, []step{reply})
		e := wantError(t, create(t.Context(), c), 1, demeterrr.ErrForbidden)
		wantIsNot(t, e, demeterrr.ErrUnknownOutcome)
		if strings.Contains(e.Message, "\x1f") || errors.Unwrap(e) == nil {
			t.Errorf("got %#v", e)
		}
	}
}

// counting counts the bytes read from a body.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// A bomb of 1 GiB is decompressed once, up to the maximum of a reply.
func TestAGzipBombIsNotRead(t *testing.T) {
	t.Parallel()
	bomb := zipped(strings.Repeat(" ", 10<<20) + okContact.body)
	var read atomic.Int64
	attempts := 0
	c := through(t, func(*http.Request) (*http.Response, error) {
		attempts++
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, ContentLength: -1,
			Body: io.NopCloser(counting{io.LimitReader(repeating(bomb), 1<<20), &read}),
		}, nil
	})
	err := get(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "larger than 10 MiB") {
		t.Errorf("got %v", err)
	}
	same(t, "attempts", fmt.Sprint(attempts, " ", read.Load()), "1 1048576")
}

// repeating reads a text over and over.
func repeating(text string) io.Reader {
	readers := make([]io.Reader, 100+(1<<20)/len(text))
	for i := range readers {
		readers[i] = strings.NewReader(text)
	}
	return io.MultiReader(readers...)
}
