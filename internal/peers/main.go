// Command peers compares this SDK with the alternatives of its users, and
// writes docs/performance.md:
//
//	cd internal/peers && GOWORK=off go run . -out ../../docs/performance.md
//
// It prints ratios in place of times. The clients do the same work by turns.
// The time of each is divided by the time of net/http with encoding/json in the
// same round, so that other load on the machine falls on both.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/nethttp"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/oapicodegen"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/ogenclient"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/resty"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/retryable"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/sdk"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/traced"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/undecoded"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// candidate is a column of the tables.
type candidate struct {
	name    string
	folder  string // in by/
	modules string // a pattern of the modules whose versions are printed
	make    work.Maker
}

var candidates = []candidate{
	{"demeterrr-go", "sdk", "", shown},
	{"net/http + encoding/json", "nethttp", "", nethttp.New},
	{"go-retryablehttp + encoding/json", "retryable", "github.com/hashicorp/go-retryablehttp", retryable.New},
	{"resty v2", "resty", "github.com/go-resty/resty/v2", resty.New},
	{"oapi-codegen", "oapicodegen", "github.com/oapi-codegen/oapi-codegen/v2", oapicodegen.New},
	{"ogen", "ogenclient", "github.com/ogen-go/ogen", ogenclient.New},
	{"nothing decoded: http.Client + io.ReadAll", "undecoded", "", undecoded.New},
}

// shown is this SDK with its documented setup.
func shown(base string, rt http.RoundTripper, retry bool) work.Peer { return sdk.New(base, rt, retry) }

// tracers are this SDK without and with a tracer.
var tracers = []candidate{
	{name: "no tracer", make: shown},
	{name: "a tracer that does nothing", make: traced.Idle},
	{name: "module otel: metrics, spans dropped", make: traced.Metrics},
	{name: "module otel: metrics, spans recorded", make: traced.Spans},
}

// baseline is the index of the divisor.
const baseline = 1

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 151, "how many rounds are measured")
	batch := flag.Duration("batch", 10*time.Millisecond, "about how long each client works in a round, for each work")
	quick := flag.Bool("quick", false, "few and short rounds, no binary sizes: to look while developing")
	only := flag.String("only", "ABCDEFGHI", "the works to measure")
	out := flag.String("out", "", "the file to write; standard output if empty")
	flag.Parse()
	if *quick {
		*rounds, *batch = 7, 5*time.Millisecond
	}
	r := &results{command: "cd internal/peers && GOWORK=off go run . " + strings.Join(os.Args[1:], " "), rounds: *rounds, started: time.Now()}
	if err := r.measure(*only, *batch); err != nil {
		log.Fatal(err)
	}
	if !*quick {
		if err := r.measureSizes(); err != nil {
			log.Fatal(err)
		}
	}
	text := r.markdown()
	if *out == "" {
		fmt.Print(text)
	} else if err := os.WriteFile(*out, []byte(text), 0o644); err != nil { //nolint:gosec // a document, for all
		log.Fatal(err)
	}
}
