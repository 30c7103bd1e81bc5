package customerfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestColumnsThatSpeakAgainstWriting reads a file of one contact for each line.
func TestColumnsThatSpeakAgainstWriting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "consent.txt"))
	if err != nil {
		t.Fatal(err)
	}
	numbers, section := map[string]int{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			section = line
		}
		header, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		numbers[section]++
		got := outcomeOf(t, write(t, "Email|"+header+"\na@example.com|"+value+"\n"), options{Separator: "|"})
		if out := section == "[left out]"; got.err != "" || len(got.leftOut) == 1 != out || len(got.rows) == 1 == out {
			t.Errorf("%s, want %s: %+v", line, section, got)
		}
	}
	if numbers["[left out]"] < 300 || numbers["[sent to]"] < 130 {
		t.Errorf("%v", numbers)
	}
}
