package demeterrr_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestRecipesAreTaken finds each Go block in the file named in its first line.
// The tests of that file run it.
func TestRecipesAreTaken(t *testing.T) {
	t.Parallel()
	blocks := documentBlocks(t, "docs/recipes.md", "go")
	if len(blocks) < 8 {
		t.Errorf("found %d Go blocks; does this test still read docs/recipes.md right?", len(blocks))
	}
	for _, block := range blocks {
		first, rest, _ := strings.Cut(block, "\n")
		source, err := os.ReadFile(strings.TrimPrefix(first, "// "))
		if err != nil {
			t.Errorf("a block does not begin with its file: %v", err)
		} else if !strings.Contains(string(source), "\n"+rest) {
			t.Errorf("%s lacks this block of docs/recipes.md; copy it anew:\n%s", first, rest)
		}
	}
}

// TestPodsHaveTimeToStop compares each grace period with its comment, and the
// comment with the rule: WithTimeout + 30 s + slack.
func TestPodsHaveTimeToStop(t *testing.T) {
	t.Parallel()
	manifests := documentBlocks(t, "docs/recipes.md", "yaml")
	if len(manifests) < 2 {
		t.Errorf("found %d manifests; does this test still read docs/recipes.md right?", len(manifests))
	}
	rule := regexp.MustCompile(`\n +terminationGracePeriodSeconds: (\d+) # WithTimeout (\d+) s \+ 30 s \+ slack\n`)
	for _, manifest := range manifests {
		found := rule.FindStringSubmatch(manifest)
		if found == nil {
			t.Errorf("there is no grace period by the rule in:\n%s", manifest)
			continue
		}
		period, _ := strconv.Atoi(found[1])
		if timeout, _ := strconv.Atoi(found[2]); period < timeout+30+5 {
			t.Errorf("a grace period of %d s has no slack, with a timeout of %d s", period, timeout)
		}
	}
}
