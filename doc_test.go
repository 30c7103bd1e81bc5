package demeterrr_test

import (
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// docPreamble declares the names that the blocks of doc.go use.
const docPreamble = `package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

var (
	ctx        context.Context
	client     *demeterrr.Client
	err        error
	contactID  string
	sequenceID string
	customers  []demeterrr.ContactParams
)

func main() {}
`

// TestDocBlocksCompile compiles every Go block of the package documentation as
// its own function.
func TestDocBlocksCompile(t *testing.T) {
	t.Parallel()
	source, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	program.WriteString(docPreamble)
	headings, blocks := 0, 0
	for _, part := range new(comment.Parser).Parse(source.Doc.Text()).Content {
		switch part := part.(type) {
		case *comment.Heading:
			headings++
		case *comment.Code:
			if !strings.HasPrefix(part.Text, "reply ") { // else the table of retries
				blocks++
				fmt.Fprintf(&program, "\nfunc block%d() error {\n%s\nreturn nil\n}\n", blocks, part.Text)
			}
		}
	}
	if headings < 10 || blocks < headings {
		t.Errorf("found %d Go blocks under %d headings; give each heading a block", blocks, headings)
	}
	file := filepath.Join(t.TempDir(), "doc.go")
	if err := os.WriteFile(file, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file)
	out, err := build.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		// A block may leave its last results to the reader.
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
			t.Errorf("%s in:\n%s", line, program.String())
		}
	}
}
