package demeterrr_test

import (
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestDocBlocksCompile compiles every Go block of the package documentation as
// its own function.
func TestDocBlocksCompile(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	program.WriteString(readmePreamble)
	headings, blocks := 0, 0
	for _, part := range new(comment.Parser).Parse(file.Doc.Text()).Content {
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
	if blocks < headings {
		t.Errorf("found %d Go blocks under %d headings; give each heading a block", blocks, headings)
	}
	compile(t, program.String())
}
