// Package scrub prepares text from outside for display: short, on one line, and
// without secrets of the caller.
package scrub

import (
	"bytes"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Gone replaces removed text.
const Gone = "[removed]"

// address matches an email, also in percent-encoding. The part before the @ may
// end with a quote, as in "jane doe"@example.com.
var address = regexp.MustCompile(`(?i)[^\s"'<>()=,;:]*[^\s](?:@|%40|&#64;)[^\s"'<>(),;:]+`)

// asciiEscape matches JSON's escapes of printable ASCII characters.
var asciiEscape = regexp.MustCompile(`\\u00(?:[2-6][0-9a-fA-F]|7[0-9a-eA-E])`)

// unescape returns the character of a match of asciiEscape.
func unescape(escape string) string {
	code, _ := strconv.ParseUint(escape[len(`\u`):], 16, 8) // the pattern matches only digits
	return string(rune(code))
}

// JSON returns a JSON document without the key. A document without the key is
// returned unchanged. JSON returns nil if the key cannot be removed.
func JSON(document []byte, key string) []byte {
	start := []byte(key[:min(len(key), 8)]) // short enough for the stack: nearly every document ends here
	escaped := bytes.Contains(document, []byte(`\u00`))
	if !escaped && !bytes.Contains(document, start) {
		return document
	}
	document = bytes.ReplaceAll(document, []byte(key), []byte(Gone))
	if escaped && strings.Contains(asciiEscape.ReplaceAllStringFunc(string(document), unescape), key) {
		return nil
	}
	return document
}

// Emails removes everything like an email from text.
func Emails(text string) string { return address.ReplaceAllString(text, Gone) }

// Key removes the API key from text.
func Key(text, key string) string {
	return strings.ReplaceAll(text, key, Gone)
}

// Header returns h without the key. A header without the key is returned
// unchanged.
func Header(h http.Header, key string) http.Header {
	var clean http.Header
	for name, values := range h {
		inName := len(name) >= len(key) && strings.Contains(strings.ToLower(name), strings.ToLower(key))
		if !inName && !slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, key) }) {
			continue
		}
		if clean == nil {
			clean = h.Clone()
		}
		for i, value := range values {
			clean[name][i] = Key(value, key)
		}
		if inName { // net/http has changed its case
			delete(clean, name)
		}
	}
	if clean == nil {
		return h
	}
	return clean
}

// Excerpt returns the beginning of a foreign body: at most limit bytes, on one
// line, without the key, the query's values and anything like an email.
func Excerpt(body []byte, limit int, key string, query url.Values) string {
	const enough = 16 << 10 // far more than is shown
	text := Key(asciiEscape.ReplaceAllStringFunc(string(body[:min(len(body), enough)]), unescape), key)
	var secrets []string
	longest := max(len(key), 320) // an email has at most 254 bytes, and some more with escapes
	for name, values := range query {
		if name == "page" || name == "limit" {
			continue // plain numbers can stand anywhere
		}
		for _, value := range values {
			for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value)} {
				if form != "" {
					secrets = append(secrets, form)
					longest = max(longest, len(form))
				}
			}
		}
	}
	if len(body) > enough { // a secret cut in two would stay hidden from the search
		text = text[:max(0, len(text)-longest)]
	}
	// One pass, longest secret first: a replacement is never searched again.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, secret := range secrets {
		pairs = append(pairs, secret, Gone)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = address.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), Gone)
	return Cut(strings.Join(strings.Fields(text), " "), limit)
}

// Cut shortens text to at most limit bytes, at the end of a character, and
// marks the cut.
func Cut(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(more)], "") + more
}
