// Package validate checks texts of the caller before they go on the wire. Its
// errors never repeat the text, which may be private.
package validate

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/demeterrr/demeterrr-go/internal/ascii"
)

// keyPrefix starts every API key.
const keyPrefix = "dem_"

// APIKey checks the parts of a key that the contract (section 2) lets a client
// check: the prefix, and that it can be sent as a header value. The server
// checks the length.
func APIKey(key string) error {
	if !strings.HasPrefix(key, keyPrefix) {
		return errors.New("the API key must start with " + keyPrefix + "; copy it whole from the dashboard")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the API key holds white space, a control or a non-ASCII character; trim it (a key that was read from a file often ends in a newline)")
		}
	}
	return nil
}

// BaseURL parses the address of the API. Plain http is for loopback hosts, so
// that the key is never sent in the clear by accident. With insecure, every
// host may use it.
func BaseURL(raw string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("the base URL cannot be parsed; it looks like https://app.demeterrr.com/api/v1")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the base URL must start with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the base URL has no host")
	case u.User != nil:
		return nil, errors.New("the base URL must not hold a user or a password")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("the base URL must not have a query")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("the base URL must not have a fragment")
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return nil, errors.New("the base URL is plain http, which would send the API key unencrypted; use https, or WithInsecureHTTP if you mean it")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if u.RawPath != "" && u.RawPath != u.EscapedPath() || path != "" && Path(path) != nil {
		return nil, errors.New("the base URL's path must not have dot segments or characters that need escaping, such as a space at its end")
	}
	plain, err := url.PathUnescape(path)
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: plain, RawPath: path}, err
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ID checks an opaque id for use as one segment of a path.
func ID(id string) error {
	switch {
	case words(id): // nearly all: spare them the rest
		return nil
	case id == "":
		return errors.New("the id is empty")
	case id == "." || id == "..":
		return errors.New("the id is a dot segment, which would change the path")
	case strings.ContainsAny(id, "/?#\\"):
		return errors.New("the id holds a slash, a ? or a #; pass the bare id, not a path or a URL")
	case !utf8.ValidString(id):
		return errors.New("the id is not valid UTF-8; pass it as the API gave it")
	case hasControl(id):
		return errors.New("the id holds a control character")
	}
	return nil
}

// Path checks an escaped path below the base URL. It rejects a host, a query, a
// fragment and dot segments, escaped or not.
func Path(path string) error {
	if path == "" || path == "/" {
		return errors.New("the path is empty; it looks like /surveys")
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`?#\"<>^{}|`+"`", c) >= 0 {
			return errors.New("the path holds a character that must be escaped, or a query; use Request.Query for the query and url.PathEscape for ids")
		}
	}
	if strings.HasPrefix(path, "//") || strings.Contains(path, "://") {
		return errors.New("the path must be relative to the base URL, such as /surveys")
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return errors.New("the path holds a % that is not an escape; use url.PathEscape for ids")
	}
	// Many servers treat an escaped slash as a slash, so dot segments between
	// escaped slashes count too.
	for segment := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return errors.New("the path must not have dot segments")
		}
	}
	return nil
}

// maxEmail is the longest email, in bytes: 64 for the name, @, and 255 for the
// host.
const maxEmail = 320

// Email rejects only texts that cannot be an email, which saves a request. The
// API decides about the rest.
func Email(email string) error {
	at := strings.LastIndexByte(email, '@')
	switch {
	case email == "":
		return errors.New("the email is empty")
	case len(email) > maxEmail:
		return fmt.Errorf("the email is longer than %d bytes; pass one address and nothing else", maxEmail)
	case at < 1 || at == len(email)-1:
		return errors.New("the email is not of the form name@host")
	case ascii.KindOf(email).Graphic: // nearly all: spare them the rest
		return nil
	case !utf8.ValidString(email):
		return errors.New("the email is not valid UTF-8")
	case strings.ContainsFunc(email, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("the email holds white space or a control character; trim it")
	}
	if i := strings.IndexFunc(email, invisible); i >= 0 {
		r, _ := utf8.DecodeRuneInString(email[i:])
		return fmt.Errorf("the email holds the invisible character %U; remove it", r)
	}
	return nil
}

// invisible reports whether r shows nothing: two emails that differ in it look
// the same. IDNA forbids nearly all such characters in a host. The joiners
// U+200C and U+200D count too, although some scripts shape their letters with
// them.
func invisible(r rune) bool {
	const blankBraille, objectReplacement = '\u2800', '\ufffc'
	return r == blankBraille || r == objectReplacement ||
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// words reports whether s has only ASCII letters, digits, - and _.
func words(s string) bool {
	for i := range len(s) {
		if !inWords[s[i]] {
			return false
		}
	}
	return s != ""
}

var inWords = func() (in [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") {
		in[c] = true
	}
	return in
}()

// Token checks a name or version for the User-Agent header.
func Token(text string) error {
	if text == "" {
		return errors.New("it is empty")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return errors.New("it may hold only letters, digits and !#$%&'*+-.^_`|~")
		}
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, unicode.IsControl)
}
