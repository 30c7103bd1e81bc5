package demeterrr_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// readmePreamble declares the names that the blocks of the README, of docs and of
// doc.go use.
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
	_ = bulk.Sync
	_ = demeterrrtest.NewServer

	ctx        context.Context
	client     *demeterrr.Client
	srv        *demeterrrtest.Server
	tracer     demeterrr.Tracer
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

// documentBlocks returns the code blocks of a document in a language.
func documentBlocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for i, part := range strings.Split(string(text), "```") {
		if block, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			found = append(found, block)
		}
	}
	return found
}

// isProgram reports whether a block is a whole program.
func isProgram(block string) bool { return strings.HasPrefix(block, "package main\n") }

// TestDocumentBlocksCompile compiles every Go block of a document as a function of
// its own. TestREADMEProgramRuns takes the whole programs.
func TestDocumentBlocksCompile(t *testing.T) {
	t.Parallel()
	for file, atLeast := range map[string]int{"README.md": 15, "docs/errors.md": 3, "docs/retries.md": 3} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var program strings.Builder
			program.WriteString(readmePreamble)
			blocks := documentBlocks(t, file, "go")
			if len(blocks) < atLeast {
				t.Errorf("found %d Go blocks in %s; does this test still read it right?", len(blocks), file)
			}
			for i, block := range blocks {
				if !isProgram(block) {
					fmt.Fprintf(&program, "\nfunc block%d() {\n%s}\n", i+1, block)
				}
			}
			compile(t, program.String())
		})
	}
}

// compile builds a program. A variable at the end of a block may be unused: the
// reader uses it.
func compile(t *testing.T, program string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file)
	out, err := build.CombinedOutput()
	problems, unused := 0, 0
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.Contains(line, "declared and not used"):
			unused++
		default:
			problems++
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil && problems+unused == 0 {
		t.Fatal(err)
	}
	if problems > 0 {
		t.Logf("the program was:\n%s", program)
	}
}

// TestREADMEProgramRuns runs the README's first program against the fake. It
// prints what its last comment says.
func TestREADMEProgramRuns(t *testing.T) {
	t.Parallel()
	blocks := documentBlocks(t, "README.md", "go")
	if len(blocks) == 0 || !isProgram(blocks[0]) {
		t.Fatal("the first Go block of the README is not a whole program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(blocks[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	run := exec.CommandContext(t.Context(), "go", "run", file)
	run.Env = append(os.Environ(), "DEMETERRR_API_KEY="+srv.APIKey(), "DEMETERRR_BASE_URL="+srv.URL())
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, comment, _ := strings.Cut(blocks[0], "Println(outcome, contact.Email) // ")
	promised, _, _ := strings.Cut(comment, "\n")
	if diff := cmp.Diff(promised+"\n", string(out)); diff != "" {
		t.Errorf("the output differs from the README (-README +program):\n%s", diff)
	}
}

// TestREADMENumbersAreTheMeasuredOnes holds the README's line of benchmarks to
// docs/performance.md. If it fails after a new measurement, put the words that it
// prints into the README.
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
	ratio := func(table, row string) string {
		number, _, _ := strings.Cut(tables[table][row]["demeterrr-go"], " ")
		if number == "" {
			t.Errorf("docs/performance.md has no row %q in the table %q", row, table)
		}
		return number
	}
	words := fmt.Sprintf("A `Get` takes %s of the time of net/http with encoding/json in memory, and %s over loopback. A page of 100 contacts takes %s and %s.",
		ratio("Time in memory", "A: get a contact"), ratio("Time over loopback", "A: get a contact"),
		ratio("Time in memory", "B: list a page of 100"), ratio("Time over loopback", "B: list a page of 100"))
	if !strings.Contains(strings.Join(strings.Fields(string(readme)), " "), words) {
		t.Errorf("the README lacks\n%s", words)
	}
}

// tablesOf reads the tables of a document: by the first words of their title, the
// row and the column.
func tablesOf(document string) map[string]map[string]map[string]string {
	titles := []string{"Time in memory", "Time over loopback"}
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

// TestDocumentLinksLead finds the file and the heading that each relative link of
// a document names.
func TestDocumentLinksLead(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	for _, file := range markdownFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(prose(string(text)), -1) {
			target, anchor := match[1], match[2]
			if strings.Contains(target, ":") {
				continue // another site
			}
			path := file
			if target != "" {
				path = filepath.Join(filepath.Dir(file), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s: %v", file, target, err)
			} else if anchor != "" && !anchors(t, path)[anchor] {
				t.Errorf("%s links to #%s, which no heading of %s has", file, anchor, path)
			}
		}
	}
}

// markdownFiles returns the documents of the repository.
func markdownFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if filepath.Ext(file) == ".md" {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Errorf("found %d documents; does this test still look in the right place?", len(files))
	}
	return files
}

// prose is a document without its code blocks.
func prose(document string) string {
	var text strings.Builder
	for i, part := range strings.Split(document, "```") {
		if i%2 == 0 {
			text.WriteString(part)
		}
	}
	return text.String()
}

// anchors are the headings of a document as GitHub makes anchors of them.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	found := map[string]bool{}
	for line := range strings.Lines(prose(string(text))) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			anchor := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			found[strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	return found
}

// TestDocumentsNameTheWholeAPI finds each sentinel in docs/errors.md, and each
// option of the root package in the README.
func TestDocumentsNameTheWholeAPI(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	api := read("api.txt")
	root, _, _ := strings.Cut(api, "\npackage bulk\n")
	for _, want := range []struct {
		file, in string
		names    *regexp.Regexp
		prefix   string
		atLeast  int
	}{
		{"docs/errors.md", api, regexp.MustCompile(`(?m)^(?:var)? (Err[A-Z]\w+)(?: error)? = `), "", 20},
		{"README.md", root, regexp.MustCompile(`(?m)^func (With\w+)\(.*\) (?:Call)?Option$`), "`", 15},
	} {
		text := read(want.file)
		found := want.names.FindAllStringSubmatch(want.in, -1)
		if len(found) < want.atLeast {
			t.Errorf("found %d names for %s in api.txt; does this test still read it right?", len(found), want.file)
		}
		for _, name := range found {
			if !regexp.MustCompile(want.prefix + `(?:bulk\.)?` + name[1] + `\b`).MatchString(text) {
				t.Errorf("%s does not name %s", want.file, name[1])
			}
		}
	}
}
