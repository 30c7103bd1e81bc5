// Package scrub makes text from outside fit to be shown: short, on one line, and
// without the caller's secrets.
package scrub

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Gone stands where something was taken out.
const Gone = "[removed]"

// address matches what looks like an email, also when it is percent-encoded.
var address = regexp.MustCompile(`(?i)[^\s"'<>()=,;:]+(?:@|%40|&#64;|\\u0040)[^\s"'<>(),;:]+`)

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
	const enough = 16 << 10 // far more than is shown, so that nothing is cut before it is found
	text := Key(string(body[:min(len(body), enough)]), key)
	var secrets []string
	for name, values := range query {
		if name == "page" || name == "limit" {
			continue // plain numbers, which stand everywhere
		}
		for _, value := range values {
			for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value)} {
				if form != "" {
					secrets = append(secrets, form)
				}
			}
		}
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
