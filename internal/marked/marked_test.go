package marked

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASectionIsReplacedBetweenItsMarks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	const page = "above\n<!-- a: begin -->\nold\n<!-- a: end -->\nbelow\n<!-- b: begin -->\n"
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time changes nothing
		if err := Replace(file, "a", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	const want = "above\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\nbelow\n<!-- b: begin -->\n"
	for _, name := range []string{"b", "c"} { // b has no end
		if Replace(file, name, "new\n") == nil {
			t.Errorf("%s is replaced", name)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%q %v, want %q", got, err, want)
	}
}
