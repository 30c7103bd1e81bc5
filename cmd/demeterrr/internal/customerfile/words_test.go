package customerfile

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSectionsAreThoseThatTheCodeAsksFor(t *testing.T) {
	t.Parallel()
	want := []string{
		"don't", "english", "french", "in if yes", "in order", "measure", "no", "not", "not yet", "nothing", "other channel, header contains", "out",
		"out if no", "out if no, header contains", "out if set", "out if set, header contains", "out in a status", "out within a status", "own label",
		"refusing header", "salutation", "status", "status, header contains", "yes",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(words.sets))); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestAHeaderMeansOneThing(t *testing.T) {
	t.Parallel()
	meaning := map[string]string{}
	for _, w := range words.fields {
		for header := range w.headers {
			if w.condition != "" || w.field == fieldFullName { // the other sections take precedence
				continue
			}
			if other, ok := meaning[header]; ok {
				t.Errorf("%q is a header of %s and of %s", header, other, w.field)
			}
			meaning[header] = w.field
			if consentOf(header) != noConsent {
				t.Errorf("%q is a header of %s and a column of consent", header, w.field)
			}
		}
	}
	for _, header := range words.lists["in if yes"] {
		if words.has("out if set", header) {
			t.Errorf("%q must be set and must not be set", header)
		}
	}
}

func TestWordsThatMeanOutAreFoundInAnyColumn(t *testing.T) {
	t.Parallel()
	for _, word := range words.lists["out"] {
		if !meansOutAnywhere(word) {
			t.Errorf("%q is not looked for", word)
		}
		for _, section := range []string{"no", "nothing", "in order"} {
			if words.has(section, word) {
				t.Errorf("%q means out, and is in %q", word, section)
			}
		}
	}
}

func TestPlainLeavesWhatPeopleMean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"E-Mail 1 - Value": "email1value", "Prénom": "prenom", "Pre\u0301nom": "prenom", "STRASSE": "strasse", "Straße": "strasse", "naïve ŒUVRE": "naiveoeuvre",
		"Østergård": "ostergard", "Имя": "имя", "***": "", "first_name": "firstname", "Nº": "no",
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}
