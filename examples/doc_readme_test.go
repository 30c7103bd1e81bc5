package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "go.opentelemetry.io/otel/exporters/stdout/stdoutmetric" // for otel/README.md
	_ "go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
)

// documentPreamble declares the names that a reader of a module's README has
// before a block.
const documentPreamble = `package main

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"log"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
	"github.com/demeterrr/demeterrr-go/redislimit"
	"github.com/demeterrr/demeterrr-go/sqlstore"
)

var (
	_ = sql.Open
	_ = fmt.Print
	_ = log.Print
	_ = os.Getenv
	_ = time.Now
	_ = redis.NewClient
	_ = stdoutmetric.New
	_ = stdouttrace.New
	_ = sdkmetric.NewMeterProvider
	_ = sdktrace.NewTracerProvider
	_ = bulk.Sync
	_ = demeterrrotel.NewTracer
	_ = redislimit.New
	_ = sqlstore.Open

	ctx        context.Context
	client     *demeterrr.Client
	tracer     *demeterrrotel.Tracer
	store      *sqlstore.Store
	sequenceID string
	guests     iter.Seq2[demeterrr.ExecuteContact, error]
	customers  iter.Seq2[demeterrr.ContactParams, error]
)

func main() {}
`

// TestModuleREADMEBlocksCompile compiles every Go block of the documents about the
// nested modules, each as a function of its own.
func TestModuleREADMEBlocksCompile(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int{
		"../otel/README.md": 2, "../redislimit/README.md": 2, "../sqlstore/README.md": 5, "../docs/observability.md": 1,
	} {
		t.Run(filepath.ToSlash(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var program strings.Builder
			program.WriteString(documentPreamble)
			blocks := 0
			for i, part := range strings.Split(string(text), "```") {
				block, isGo := strings.CutPrefix(part, "go\n")
				if i%2 == 0 || !isGo || strings.Contains(block, "iofs.") { // golang-migrate is required by no module
					continue
				}
				blocks++
				fmt.Fprintf(&program, "\nfunc block%d() {\n%s}\n", blocks, withoutImports(block))
			}
			if blocks < want {
				t.Errorf("found %d Go blocks in %s, want %d at least; does this test still read it right?", blocks, file, want)
			}
			compile(t, program.String())
		})
	}
}

// withoutImports drops the import lines of a block: the preamble has them.
func withoutImports(block string) string {
	var rest strings.Builder
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, "import ") {
			rest.WriteString(line)
		}
	}
	return rest.String()
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
