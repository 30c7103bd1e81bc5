package demeterrr_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmePreamble is what a reader of the README has before a block.
const readmePreamble = `package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

var (
	_ = errors.Is
	_ = fmt.Print
	_ = log.Print
	_ = http.MethodGet
	_ = url.PathEscape
	_ = time.Now

	ctx        context.Context
	client     *demeterrr.Client
	srv        *demeterrrtest.Server
	err        error
	sequenceID string
	guests     iter.Seq2[demeterrr.ExecuteContact, error]
	rows       []struct {
		Email, FirstName string
		Tags             []string
	}
)

func main() {}
`

// TestREADMEBlocksCompile compiles every Go block of the README as a function of
// its own, so that what a reader pastes works.
func TestREADMEBlocksCompile(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	program.WriteString(readmePreamble)
	blocks := 0
	for i, part := range strings.Split(string(readme), "```") {
		if block, isGo := strings.CutPrefix(part, "go\n"); i%2 == 1 && isGo {
			blocks++
			fmt.Fprintf(&program, "\nfunc block%d() {\n%s}\n", blocks, block)
		}
	}
	if blocks < 10 {
		t.Errorf("found %d Go blocks in the README; does this test still read it right?", blocks)
	}
	file := filepath.Join(t.TempDir(), "readme.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file)
	out, err := build.CombinedOutput()
	// What a block ends with is for the reader to use: that alone is no mistake.
	problems, others := 0, 0
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.Contains(line, "declared and not used"):
			others++
		default:
			problems++
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil && problems+others == 0 {
		t.Fatal(err)
	}
	if problems > 0 {
		t.Logf("the program was:\n%s", program.String())
	}
}
