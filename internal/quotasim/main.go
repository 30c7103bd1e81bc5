// Command quotasim measures in virtual time the cost of staying within the
// quota: days pass in seconds. It sends 5,000 requests to the fake API with
// several strategies, under both kinds of window and with several latencies.
// Then it runs a website beside a job, in one process and in a fleet on Redis.
// It prints both tables, and writes docs/quota.md with its charts. From the
// root of the repository:
//
//	go run ./internal/quotasim -docs docs
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// main runs as a test, because testing/synctest gives virtual time only to
// tests.
func main() {
	testing.Init()
	docs := flag.String("docs", "", "the `folder` to write quota.md and its charts into")
	flag.Parse()
	simulation := testing.InternalTest{Name: "quotasim", F: func(t *testing.T) { report(t, *docs) }} //nolint:thelper // it is the test
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{simulation}, nil, nil)
}

// report prints the tables. With a folder, it writes the page and its charts.
func report(t *testing.T, docs string) {
	t.Helper()
	rows, mixedRows := runAll(t), runMixed(t)
	fmt.Print(table(rows), "\n", mixedTable(mixedRows))
	if docs == "" || t.Failed() {
		return
	}
	drawn := slices.DeleteFunc(rows, func(r row) bool {
		return r.kind != demeterrrtest.SlidingWindow || r.latency[0] != 200*time.Millisecond || r.workers != 8
	})
	for name, content := range map[string]string{
		"quota.svg": jobChart(drawn).draw(), "quota-mixed.svg": mixedChart(mixedRows).draw(), "quota.md": page(drawn, mixedRows),
	} {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(content), 0o644); err != nil { //nolint:gosec // for everybody to read
			t.Fatal(err)
		}
	}
}
