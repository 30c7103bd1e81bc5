// Command quotasim sends 5,000 requests to the fake API, under both kinds of
// window, with several latencies, and with several ways to keep to the quota. It
// prints what each way costs, and draws one setting as a chart. Time is virtual:
// days pass in seconds. From the root of the repository:
//
//	go run ./internal/quotasim -svg docs/quota.svg
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// main runs as a test, because testing/synctest gives virtual time to tests only.
func main() {
	testing.Init()
	svg := flag.String("svg", "", "the `file` to draw the chart into")
	flag.Parse()
	simulation := testing.InternalTest{Name: "quotasim", F: func(t *testing.T) { report(t, *svg) }} //nolint:thelper // it is the test
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{simulation}, nil, nil)
}

// report prints the table, and draws the chart if there is a file for it.
func report(t *testing.T, svg string) {
	t.Helper()
	rows := runAll(t)
	fmt.Print(table(rows))
	if svg == "" {
		return
	}
	drawn := slices.DeleteFunc(rows, func(r row) bool {
		return r.kind != demeterrrtest.SlidingWindow || r.latency[0] != 200*time.Millisecond || r.workers != 8
	})
	if err := os.WriteFile(svg, []byte(drawChart(drawn)), 0o644); err != nil { //nolint:gosec // a picture for everybody to read
		t.Fatal(err)
	}
}
