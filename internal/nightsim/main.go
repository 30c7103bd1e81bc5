// Command nightsim runs a night on the fake API and draws the metrics of module
// otel. Time is virtual: the night takes seconds. From the root of the
// repository:
//
//	go run ./internal/nightsim -svg docs/observability.svg
package main

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

const command = "go run ./internal/nightsim -svg docs/observability.svg"

// main runs as a test, because testing/synctest gives virtual time only to
// tests.
func main() {
	testing.Init()
	svg := flag.String("svg", "", "the `file` to draw the chart into")
	flag.Parse()
	night := testing.InternalTest{Name: "nightsim", F: func(t *testing.T) { report(t, *svg) }} //nolint:thelper // it is the test
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{night}, nil, nil)
}

// report prints the outcome of the night. With a file name, it draws the chart.
func report(t *testing.T, svg string) {
	t.Helper()
	n := simulate(t)
	fmt.Print(n.summary())
	if svg == "" {
		return
	}
	if err := os.WriteFile(svg, []byte(draw(n)), 0o644); err != nil { //nolint:gosec // a picture for everybody to read
		t.Fatal(err)
	}
}
