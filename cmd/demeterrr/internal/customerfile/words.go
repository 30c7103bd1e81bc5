package customerfile

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

//go:embed words.txt
var wordsText string

// words is the parsed table of words.txt.
var words = parseWords(wordsText)

type wordTable struct {
	fields []headerWords              // in the order of the file
	sets   map[string]map[string]bool // other sections by name
	lists  map[string][]string        // the same words in order
}

// headerWords are the headers of a field.
type headerWords struct {
	field     string
	condition string // another required field or header; may be empty
	headers   map[string]bool
}

// parseWords reads sections such as "[email]" with their words.
func parseWords(text string) wordTable {
	t := wordTable{sets: map[string]map[string]bool{}, lists: map[string][]string{}}
	var add func(word string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			add = t.section(strings.TrimSuffix(name, "]"))
			continue
		}
		for word := range strings.SplitSeq(line, ",") {
			if word = plain(word); word != "" {
				add(word)
			}
		}
	}
	return t
}

// section starts a section and returns a function to add words.
func (t *wordTable) section(name string) func(word string) {
	field, condition, _ := strings.Cut(name, " if ")
	if slices.Contains(fieldNames, field) {
		headers := map[string]bool{}
		t.fields = append(t.fields, headerWords{field: field, condition: condition, headers: headers})
		return func(word string) { headers[word] = true }
	}
	if t.sets[name] == nil {
		t.sets[name] = map[string]bool{}
	}
	return func(word string) {
		t.sets[name][word] = true
		t.lists[name] = append(t.lists[name], word)
	}
}

// has reports whether a section contains the text. It ignores case, accents and
// punctuation.
func (t *wordTable) has(section, text string) bool {
	var buffer [64]byte
	if n, ok := plainASCII(text, &buffer); ok {
		return t.sets[section][string(buffer[:n])]
	}
	return t.sets[section][plainUnicode(text)]
}

// hasPart reports whether a plain header contains a word of the section.
func (t *wordTable) hasPart(section, header string) bool {
	return slices.ContainsFunc(t.lists[section], func(part string) bool { return strings.Contains(header, part) })
}

// plain normalizes a text: lower case, without accents, spaces and
// punctuation.
func plain(text string) string {
	var buffer [64]byte
	if n, ok := plainASCII(text, &buffer); ok {
		return string(buffer[:n])
	}
	return plainUnicode(text)
}

// plainASCII writes the plain form of a short ASCII text to a buffer, and
// returns its length.
func plainASCII(text string, to *[64]byte) (n int, ok bool) {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf || n == len(to):
			return 0, false
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			continue
		}
		to[n] = c
		n++
	}
	return n, true
}

var letters = strings.NewReplacer("ß", "ss", "œ", "oe", "æ", "ae", "ø", "o", "ł", "l")

func plainUnicode(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(letters.Replace(strings.ToLower(text))) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

var inBrackets = regexp.MustCompile(`\s*[(\[][^)\]]*[)\]]\s*$`)

// spellings returns the plain forms of a header: with and without a final
// remark in brackets, as in "Email Address [Required]".
func spellings(header string) []string {
	whole := plain(header)
	if short := plain(inBrackets.ReplaceAllString(header, "")); short != whole && short != "" {
		return []string{whole, short}
	}
	return []string{whole}
}
