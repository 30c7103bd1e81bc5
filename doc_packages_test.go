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

// TestPackageCommentsCompile compiles every code block of the package comments
// as a function of its own, so that a reader can paste it.
func TestPackageCommentsCompile(t *testing.T) {
	t.Parallel()
	for name, journal := range map[string]string{"bulk": "bulk.FileJournal", "demeterrrtest": "demeterrrtest.Journal"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(name, "doc.go"), nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		program := strings.Replace(packagePreamble, "JOURNAL", journal, 1)
		blocks := 0
		for _, part := range new(comment.Parser).Parse(file.Doc.Text()).Content {
			if code, ok := part.(*comment.Code); ok {
				blocks++
				program += fmt.Sprintf("\nfunc block%d() error {\n%s\nreturn nil\n}\n", blocks, code.Text)
			}
		}
		if blocks < 4 {
			t.Errorf("package %s: found %d code blocks; does this test still read its comment right?", name, blocks)
		}
		source := filepath.Join(t.TempDir(), name+".go")
		if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, source).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			// A block may end with a variable for the reader to use.
			if !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
				t.Errorf("package %s: %s", name, strings.TrimSpace(line))
			}
		}
	}
}
