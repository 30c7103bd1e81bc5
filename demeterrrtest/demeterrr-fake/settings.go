package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// errUsage means that the flags are wrong, and that this has been said.
var errUsage = errors.New("wrong usage")

// settings are what the flags ask for.
type settings struct {
	addr   string
	public bool
	kind   demeterrrtest.WindowKind
	limits []demeterrrtest.Limit
	seed   string
}

// parse reads the flags, and says on stderr what is wrong with them.
func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("demeterrr-fake", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes one that is free")
	flags.BoolVar(&s.public, "public", false, "allow an address that others can reach")
	flags.Func("seed", "JSON `file` with contacts and sequences to begin with", func(file string) error {
		if file == "" {
			return errors.New("want a file; leave the flag out to begin with nothing")
		}
		s.seed = file
		return nil
	})
	flags.Func("rate-limits", "requests per window, as a `list` such as 100/1m,1000/1h (default none)", func(list string) error {
		limits, err := parseLimits(list)
		s.limits = append(s.limits, limits...)
		return err
	})
	windowed := false
	flags.Func("window", "`kind` of the windows: fixed or sliding (default fixed)", func(kind string) (err error) {
		windowed = true
		s.kind, err = parseKind(kind)
		return err
	})
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case windowed && len(s.limits) == 0:
		err = errors.New("-window needs -rate-limits")
	case !s.public:
		err = checkLoopback(s.addr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "demeterrr-fake:", err)
		return nil, errUsage
	}
	return s, nil
}

// parseLimits reads a list such as 100/1m,1000/1h.
func parseLimits(list string) ([]demeterrrtest.Limit, error) {
	var limits []demeterrrtest.Limit
	for entry := range strings.SplitSeq(list, ",") {
		count, length, _ := strings.Cut(strings.TrimSpace(entry), "/")
		requests, countErr := strconv.Atoi(count)
		window, lengthErr := time.ParseDuration(length)
		if countErr != nil || lengthErr != nil || requests < 1 || window <= 0 {
			return nil, fmt.Errorf("want requests/window, such as 100/1m, not %q", entry)
		}
		limits = append(limits, demeterrrtest.Limit{Requests: requests, Window: window})
	}
	return limits, nil
}

func parseKind(kind string) (demeterrrtest.WindowKind, error) {
	switch kind {
	case "fixed":
		return demeterrrtest.FixedWindow, nil
	case "sliding":
		return demeterrrtest.SlidingWindow, nil
	}
	return 0, errors.New("want fixed or sliding")
}

// checkLoopback refuses an address that other machines can reach: everybody who can
// reach the fake and knows its key, which is always the same, can use it.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-addr %s is not a loopback address, such as 127.0.0.1:8080; add -public to listen where others can reach it", addr)
}

// server makes the fake, which logs its requests to stderr, without the key.
func (s *settings) server(stderr io.Writer) (*demeterrrtest.Server, error) {
	logger := log.New(stderr, "", log.Ltime) // one write for each line, so lines stay whole
	var fake *demeterrrtest.Server
	options := []demeterrrtest.Option{
		demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) { logger.Print(line(r, fake.APIKey())) }),
	}
	if len(s.limits) > 0 {
		options = append(options, demeterrrtest.WithRateLimits(s.kind, s.limits...))
	}
	fake = demeterrrtest.NewServer(options...)
	if s.seed == "" {
		return fake, nil
	}
	file, err := os.Open(s.seed) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("-seed: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	if err := fake.Seed(file); err != nil {
		return nil, fmt.Errorf("-seed %s: %w", s.seed, err)
	}
	return fake, nil
}

// line tells of one request. Somebody may have put the key into the path or the query.
func line(r demeterrrtest.Request, key string) string {
	target := r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	return fmt.Sprintf("%d %s %s", r.Status, r.Method, strings.ReplaceAll(target, key, "[key]"))
}
