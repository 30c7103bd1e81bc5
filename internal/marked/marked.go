// Package marked replaces the generated sections of documents. A section stands
// between two marks with its name.
package marked

import (
	"fmt"
	"os"
	"strings"
)

// Replace replaces the text between the marks of that name in a file. It fails
// and leaves the file unchanged if a mark is missing.
func Replace(file, name, text string) error {
	old, err := os.ReadFile(file) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	before, rest, begins := strings.Cut(string(old), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s has no marks for %q", file, name)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644) //nolint:gosec // a document, for all
}
