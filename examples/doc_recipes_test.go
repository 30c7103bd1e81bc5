package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// preamble is what a reader of docs/recipes.md has around a block.
const preamble = `package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/redislimit"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

var (
	ctx        context.Context
	rdb        redis.UniversalClient
	store      *sqlstore.Store
	sequenceID string
	guests     iter.Seq2[demeterrr.ExecuteContact, error]
)

func main() {}
`

// blocks are the code blocks of docs/recipes.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	recipes, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for i, part := range strings.Split(string(recipes), "```") {
		if block, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			found = append(found, block)
		}
	}
	return found
}

// TestBlocksOfRecipesAreTested finds a Go block that names a file in that file, whose
// tests run it. It compiles every other one.
func TestBlocksOfRecipesAreTested(t *testing.T) {
	t.Parallel()
	var program strings.Builder
	program.WriteString(preamble)
	taken, compiled := 0, 0
	for _, block := range blocks(t, "go") {
		first, rest, _ := strings.Cut(block, "\n")
		path, named := strings.CutPrefix(first, "// ")
		if !named {
			compiled++
			fmt.Fprintf(&program, "\nfunc block%d() error {\n%s\treturn nil\n}\n", compiled, block)
			continue
		}
		taken++
		source, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(source), "\n"+rest) {
			t.Errorf("%s lacks this block of docs/recipes.md; copy it anew:\n%s", path, rest)
		}
	}
	if taken < 6 || compiled < 2 {
		t.Errorf("found %d blocks of files and %d others; does this test still read docs/recipes.md right?", taken, compiled)
	}
	file := filepath.Join(t.TempDir(), "recipes.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file)
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\nthe program was:\n%s", err, out, program.String())
	}
}

// TestPodsHaveTimeToStop holds the manifests to the default of WithTimeout, and the
// 30 seconds of a journal after it.
func TestPodsHaveTimeToStop(t *testing.T) {
	t.Parallel()
	manifests := blocks(t, "yaml")
	if len(manifests) < 2 {
		t.Errorf("found %d manifests; does this test still read docs/recipes.md right?", len(manifests))
	}
	period := regexp.MustCompile(`\bterminationGracePeriodSeconds: (\d+)`)
	for _, manifest := range manifests {
		found := period.FindStringSubmatch(manifest)
		if found == nil {
			t.Errorf("there is no grace period in:\n%s", manifest)
			continue
		}
		if seconds, _ := strconv.Atoi(found[1]); seconds < 30+30+10 {
			t.Errorf("the grace period is %d s in:\n%s", seconds, manifest)
		}
	}
}
