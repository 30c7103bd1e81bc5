// Command peers compares this SDK with the alternatives of its users, on each
// Go release, and writes docs/performance.md:
//
//	cd internal/peers && GOWORK=off go run . -out ../../docs/performance.md
//
// It starts itself once for each release, with GOTOOLCHAIN. A release takes about
// 10 minutes on an idle machine with two processors. During development, -quick
// -go go1.27.1 takes half a minute.
//
// It prints ratios in place of times. The clients do the same work by turns.
// The time of each is divided by the time of net/http with encoding/json in the
// same round, so that other load on the machine falls on both.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/nethttp"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/oapicodegen"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/ogenclient"
	"github.com/demeterrr/demeterrr-go/internal/peers/by/paced"
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

// pacers are this SDK without and with a Pacer.
var pacers = []candidate{
	{name: "no limiter", make: shown},
	{name: "a Pacer with one limit", make: paced.One},
	{name: "a Pacer with two limits", make: paced.Two},
	{name: "the same, and 10 calls of low priority wait at it", make: paced.Crowded},
}

// baseline is the index of the divisor.
const baseline = 1

func main() {
	log.SetFlags(0)
	size := full
	releases := flag.String("go", "go1.27.1,go1.26.8", "the Go releases to measure, newest first")
	flag.IntVar(&size.rounds, "rounds", full.rounds, "how many rounds are measured")
	flag.StringVar(&size.only, "only", full.only, "the works to measure")
	quick := flag.Bool("quick", false, "few and short rounds, no binary sizes: to look while developing")
	out := flag.String("out", "", "the file to write; standard output if empty")
	one := flag.Bool("json", false, "measure the release that runs this, and write JSON for the document")
	flag.Parse()
	if *quick {
		only := size.only
		size = brief
		size.only = only
	}
	if err := run(strings.Split(*releases, ","), size, *one, *out); err != nil {
		log.Fatal(err)
	}
}

// run measures one release, or starts the program for each and writes the document.
func run(releases []string, size size, one bool, out string) error {
	if one {
		m, err := measure(size)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(m)
	}
	var all []*measurement
	for _, release := range releases {
		m, err := measureOn(release, os.Args[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", release, err)
		}
		all = append(all, m)
	}
	text := markdown(strings.Join(os.Args[1:], " "), all) + growth(out)
	if out == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644) //nolint:gosec // a document, for all
}

// measureOn starts this program with another Go release.
func measureOn(release string, args []string) (*measurement, error) {
	cmd := exec.Command("go", append([]string{"run", ".", "-json"}, args...)...) //nolint:gosec,noctx // our own words, to be waited for
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+release, "GOWORK=off")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	m := new(measurement)
	return m, json.Unmarshal(text, m)
}
