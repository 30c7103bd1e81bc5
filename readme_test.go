package demeterrr_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestREADMEBlocksCompile finds every Go block of the README, line by line, in
// an example or in a program, which the compiler and CI have seen.
func TestREADMEBlocksCompile(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, pattern := range []string{"example*_test.go", "demeterrrtest/example*_test.go", "examples/*/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, unindent(string(source)))
		}
	}
	blocks := 0
	for i, part := range strings.Split(string(readme), "```") {
		block, isGo := strings.CutPrefix(part, "go\n")
		if i%2 == 0 || !isGo {
			continue
		}
		blocks++
		found := false
		for _, source := range sources {
			found = found || strings.Contains(source, unindent(block))
		}
		if !found {
			t.Errorf("this block of the README stands in no example:\n%s", block)
		}
	}
	if blocks == 0 {
		t.Error("the README has no Go block; does this test still read it right?")
	}
}

// unindent takes away indentation, which differs between a page and a function.
func unindent(source string) string {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}
