package demeterrr_test

import (
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// packagePreamble declares the names that the package comments take for
// granted.
const packagePreamble = `package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

var (
	_ = errors.Is
	_ = fmt.Print
	_ = log.Print
	_ = demeterrrtest.NewServer
	_ = time.Now

	ctx        context.Context
	client     *demeterrr.Client
	srv        *demeterrrtest.Server
	journal    *JOURNAL
	options    *bulk.ExecuteOptions
	report     *bulk.SyncReport
	err        error
	sequenceID string
	guests     iter.Seq2[demeterrr.ExecuteContact, error]
	guest      demeterrr.ExecuteContact
	customers  []demeterrr.ContactParams
	rows       *sql.Rows
	store      interface{ Campaign(name string) bulk.Journal }
	w          http.ResponseWriter
	t          *testing.T
	cmd        *exec.Cmd

	openJournal func(t *testing.T, sequenceID string) bulk.Journal
)

func main() {}
`

// TestDocBlocksCompile compiles every Go block of the package documentation as
// its own function.
func TestDocBlocksCompile(t *testing.T) {
	t.Parallel()
	for file, preamble := range map[string]string{
		"doc.go":               readmePreamble,
		"bulk/doc.go":          strings.Replace(packagePreamble, "JOURNAL", "bulk.FileJournal", 1),
		"demeterrrtest/doc.go": strings.Replace(packagePreamble, "JOURNAL", "demeterrrtest.Journal", 1),
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			var program strings.Builder
			program.WriteString(preamble)
			headings, blocks := 0, 0
			for _, part := range new(comment.Parser).Parse(parsed.Doc.Text()).Content {
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
			if want := headings - 2; blocks < want { // two headings may have text only
				t.Errorf("found %d Go blocks under %d headings; give each heading of a task a block", blocks, headings)
			}
			compile(t, program.String())
		})
	}
}
