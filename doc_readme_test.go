package demeterrr_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmePreamble declares the names that the blocks of the README and of doc.go
// use.
const readmePreamble = `package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"net/http"
	"net/url"
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
	_ = slog.Default
	_ = http.MethodGet
	_ = url.PathEscape
	_ = time.Now

	ctx        context.Context
	client     *demeterrr.Client
	srv        *demeterrrtest.Server
	t          *testing.T
	err        error
	sequenceID string
	contactID  string
	id         string
	guests     iter.Seq2[demeterrr.ExecuteContact, error]
	guest      demeterrr.ExecuteContact
	campaign   func(name string) bulk.Journal
	w          http.ResponseWriter
	customers  []demeterrr.ContactParams
	rows       []struct {
		Email, FirstName string
		Tags             []string
	}

	openJournal func(t *testing.T, sequenceID string) bulk.Journal
)

func main() {}
`

// TestREADMEBlocksCompile compiles every Go block of the README as its own
// function.
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
	compile(t, program.String())
}

// compile builds a program. It allows unused variables, as a block leaves its
// last results to the reader.
func compile(t *testing.T, program string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file)
	out, err := build.CombinedOutput()
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
		t.Logf("the program was:\n%s", program)
	}
}

// TestREADMENumbersAreTheMeasuredOnes compares the README's table with
// docs/performance.md. If it fails after a new measurement, copy the lines that
// it prints into the README.
func TestREADMENumbersAreTheMeasuredOnes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	measured, err := os.ReadFile("docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := tablesOf(string(measured))
	clients := []string{"demeterrr-go", "net/http + encoding/json", "ogen", "resty v2"}
	line := func(title string, cell func(client string) string) {
		text := "| " + title + " |"
		for _, client := range clients {
			text += " " + cell(client) + " |"
		}
		if !strings.Contains(string(readme), text+"\n") {
			t.Errorf("the README lacks\n%s", text)
		}
	}
	for _, row := range []string{"A: get a contact", "B: list a page of 100", "D: create a contact", "E: a 409 matched by its code", "F: execute with 100 contacts", "G: 429, then 200"} {
		line(row[len("A: "):], func(client string) string {
			first := func(table string) string {
				number, _, _ := strings.Cut(strings.ReplaceAll(tables[table][row][client], ",", " "), " ")
				return number
			}
			return first("Time in memory") + ", " + first("Time over loopback") + "; " + first("Allocations in memory")
		})
	}
	line("connections for 10,000 requests by 64 goroutines, https", func(client string) string { return tables["H: 64 goroutines"][client]["connections, https"] })
	line("modules in the build; size of a program in MiB", func(client string) string {
		row := tables["What a program carries"][client]
		return row["modules"] + "; " + row["MiB"]
	})
}

// tablesOf reads the tables of a document. The keys are the first words of the
// title, the row and the column.
func tablesOf(document string) map[string]map[string]map[string]string {
	titles := []string{"Time in memory", "Time over loopback", "Allocations in memory", "H: 64 goroutines", "What a program carries"}
	tables := map[string]map[string]map[string]string{}
	for part := range strings.SplitSeq(document, "\n## ") {
		for _, title := range titles {
			if !strings.HasPrefix(part, title) {
				continue
			}
			rows, columns := map[string]map[string]string{}, []string(nil)
			for text := range strings.Lines(part) {
				cells := strings.Split(strings.Trim(strings.TrimSpace(text), "|"), "|")
				switch {
				case !strings.HasPrefix(text, "|") || strings.HasPrefix(text, "|-"):
				case columns == nil:
					columns = cells
				default:
					row := map[string]string{}
					for i, cell := range cells {
						row[strings.TrimSpace(columns[i])] = strings.TrimSpace(cell)
					}
					rows[strings.TrimSpace(cells[0])] = row
				}
			}
			if tables[title] == nil { // the newest release comes first
				tables[title] = rows
			}
		}
	}
	return tables
}
