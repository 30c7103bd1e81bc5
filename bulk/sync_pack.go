package bulk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/jsonwrite"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// packed is an input contact in a fraction of its memory. Equal contacts have
// equal bytes. Each text follows its length:
//
//	email | first name … custom fields | tags | location, organization
type packed struct {
	bytes                  []byte
	email, content, tagEnd int // the ends of the parts
}

// packer packs contacts. It reuses its memory, so a packed contact is valid
// until the next call of pack.
type packer struct {
	buf  []byte
	keys []string // of the custom fields, sorted
}

// pack packs a contact. It fails on a custom field that JSON cannot encode.
func (p *packer) pack(c *demeterrr.ContactParams) (out packed, err error) {
	b := appendText(p.buf[:0], c.Email)
	out.email = len(b)
	for _, text := range []string{c.FirstName, c.LastName, c.Phone, c.Title, string(c.PreferredLanguage)} {
		b = appendText(b, text)
	}
	b = appendCount(b, len(c.CustomFields), c.CustomFields == nil)
	p.keys = slices.AppendSeq(p.keys[:0], maps.Keys(c.CustomFields))
	slices.Sort(p.keys)
	for _, key := range p.keys {
		if b, err = appendValue(appendText(b, key), c.CustomFields[key]); err != nil {
			return packed{}, (&demeterrr.ContactUpdate{CustomFields: demeterrr.Set(c.CustomFields)}).Validate()
		}
	}
	out.content = len(b)
	b = appendCount(b, len(c.Tags), c.Tags == nil)
	for _, tag := range c.Tags {
		b = appendText(b, tag)
	}
	out.tagEnd = len(b)
	b = appendText(appendText(b, c.LocationID), c.ContactOrganizationID)
	out.bytes, p.buf = b, b
	return out, nil
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendCount appends the length of a map or slice. Nil and empty have
// different encodings.
func appendCount(b []byte, n int, none bool) []byte {
	if none {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(n)+1) //nolint:gosec // a length is at least 0
}

// appendValue appends the value of a custom field as JSON, after its length.
func appendValue(b []byte, value any) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	if text, ok := value.(string); ok && utf8.ValidString(text) {
		b = jsonwrite.Text(b, text)
	} else {
		if err := validate.Text(value); err != nil {
			return nil, err
		}
		encoded, err := jsonwrite.Any(nil, value)
		if err != nil {
			return nil, err
		}
		b = append(b, encoded...)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // a body is far below 4 GB
	return b, nil
}

// unpack is the inverse of pack. It decodes custom fields like those of a
// reply.
func unpack(b []byte) (c demeterrr.ContactParams, p packed) {
	in := unpacker{rest: b}
	c.Email = in.text()
	p.email = in.read(b)
	c.FirstName, c.LastName, c.Phone, c.Title = in.text(), in.text(), in.text(), in.text()
	c.PreferredLanguage = demeterrr.Language(in.text())
	if n, some := in.count(); some {
		c.CustomFields = make(map[string]any, n)
		for range n {
			key := in.text()
			c.CustomFields[key] = in.value()
		}
	}
	p.content = in.read(b)
	if n, some := in.count(); some {
		c.Tags = make([]string, n)
		for i := range c.Tags {
			c.Tags[i] = in.text()
		}
	}
	p.tagEnd = in.read(b)
	c.LocationID, c.ContactOrganizationID = in.text(), in.text()
	p.bytes = b[:in.read(b)]
	return c, p
}

// unpackEmail reads only the email.
func unpackEmail(b []byte) string {
	in := unpacker{rest: b}
	return in.text()
}

type unpacker struct{ rest []byte }

// read returns the number of bytes of b consumed so far.
func (u *unpacker) read(b []byte) int { return len(b) - len(u.rest) }

func (u *unpacker) number() uint64 {
	n, size := binary.Uvarint(u.rest)
	u.rest = u.rest[size:]
	return n
}

func (u *unpacker) text() string {
	n := u.number()
	text := string(u.rest[:n])
	u.rest = u.rest[n:]
	return text
}

func (u *unpacker) count() (n int, some bool) {
	size := int(u.number()) //nolint:gosec // a length that fitted in memory
	return max(size-1, 0), size > 0
}

func (u *unpacker) value() any {
	n := binary.LittleEndian.Uint32(u.rest)
	encoded := u.rest[4 : 4+n]
	u.rest = u.rest[4+n:]
	in := jsonread.New(encoded)
	value := in.Any()
	if in.End() != nil { // nested too deep for a reply
		return json.RawMessage(bytes.Clone(encoded))
	}
	return value
}

// fingerprintVersion counts the changes of the rules below. After a new version
// all fingerprints differ, so each contact is sent once more.
const fingerprintVersion = 1

// The parts of a fingerprint are its version, a hash of everything in a PATCH
// except tags, and a hash of the tags.
const contentEnd = 1 + 12

// fingerprint covers everything that an update of the contact can send.
func (p *packed) fingerprint() (f SyncFingerprint) {
	f[0] = fingerprintVersion
	content := sha256.Sum256(p.bytes[p.email:p.content])
	copy(f[1:contentEnd], content[:])
	tags := sha256.Sum256(sortedTags(p.bytes[p.content:p.tagEnd]))
	copy(f[contentEnd:], tags[:])
	return f
}

// sortedTags returns packed tags as a set: sorted, without repeats.
func sortedTags(tags []byte) []byte {
	in := unpacker{rest: tags}
	n, some := in.count()
	if n < 2 {
		return tags
	}
	set := make([]string, n)
	for i := range set {
		set[i] = in.text()
	}
	slices.Sort(set)
	set = slices.Compact(set)
	out := appendCount(make([]byte, 0, len(tags)), len(set), !some)
	for _, tag := range set {
		out = appendText(out, tag)
	}
	return out
}

func (f *SyncFingerprint) sameTags(other *SyncFingerprint) bool {
	return f[0] == other[0] && string(f[contentEnd:]) == string(other[contentEnd:])
}
