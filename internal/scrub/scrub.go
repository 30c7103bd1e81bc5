// Package scrub makes text from outside fit to be shown: short, on one line, and
// without the caller's secrets.
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

// Gone stands where something was taken out.
const Gone = "[removed]"

// address matches what looks like an email, also when it is percent-encoded. The
// part before the @ may end with a quote, as in "jane doe"@example.com.
var address = regexp.MustCompile(`(?i)[^\s"'<>()=,;:]*[^\s](?:@|%40|&#64;)[^\s"'<>(),;:]+`)

// asciiEscape matches what JSON may write for an ASCII character that can be shown.
var asciiEscape = regexp.MustCompile(`\\u00(?:[2-6][0-9a-fA-F]|7[0-9a-eA-E])`)

// unescape is the character that a match of asciiEscape stands for.
func unescape(escape string) string {
	code, _ := strconv.ParseUint(escape[len(`\u`):], 16, 8) // the pattern has seen to it
	return string(rune(code))
}

// JSON is a JSON document without the key: itself, unless the key is in it. It is
// nil if the key is in it in a form that cannot be taken out.
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

// Emails takes out of text what looks like an email.
func Emails(text string) string { return address.ReplaceAllString(text, Gone) }

// Key takes the API key out of text.
func Key(text, key string) string {
	return strings.ReplaceAll(text, key, Gone)
}

// Header is h without the key: itself, unless the key is in it.
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

// Excerpt is the beginning of a body that is not the API's: at most limit bytes,
// on one line, without the key, the query's values and anything like an email.
func Excerpt(body []byte, limit int, key string, query url.Values) string {
	const enough = 16 << 10 // far more than is shown
	text := Key(asciiEscape.ReplaceAllStringFunc(string(body[:min(len(body), enough)]), unescape), key)
	var secrets []string
	longest := max(len(key), 320) // an email has at most 254 bytes, and some more where it is escaped
	for name, values := range query {
		if name == "page" || name == "limit" {
			continue // plain numbers, which stand everywhere
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
	if len(body) > enough { // what was cut in two there would not be found
		text = text[:max(0, len(text)-longest)]
	}
	// In one pass, so that nothing is looked for in what stands for another; the longest first.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, secret := range secrets {
		pairs = append(pairs, secret, Gone)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = address.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), Gone)
	return Cut(strings.Join(strings.Fields(text), " "), limit)
}

// Cut shortens text to at most limit bytes, at a character's end, and shows that it did.
func Cut(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(more)], "") + more
}
