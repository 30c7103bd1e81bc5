package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/demeterrr/demeterrr-go/cmd/demeterrr/internal/fakepage"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// stopWithin is how long requests may take that are under way when the fake
// stops. A browser keeps spare connections open, so the wait is often in full.
const stopWithin = time.Second

// fakeSettings are what the flags ask for.
type fakeSettings struct {
	addr   string
	public bool
	kind   demeterrrtest.WindowKind
	limits []demeterrrtest.Limit
	seed   string
}

func (a *app) fakeCommand() *cobra.Command {
	var s fakeSettings
	var rateLimits []string
	var window string
	c := &cobra.Command{
		Use:   "fake",
		Short: "Serve a fake account, to try things on",
		Long: "Serve a fake account for this program, for curl and for other languages. It prints its base URL, its key and the\n" +
			"address of a page, an export line for your shell, and a line for each request on standard error. The page shows contacts, sendings, requests and the\n" +
			"quota as they change, and makes the account fail. The fake forgets everything when it stops.",
		Example: "  demeterrr fake --rate-limits 100/1m,1000/1h\n" +
			"  curl -H \"X-API-Key: $KEY\" http://127.0.0.1:8080/api/v1/contacts",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.parse(rateLimits, window); err != nil {
				return usage(err)
			}
			return s.run(c.Context(), a.out, a.errs)
		},
	}
	flags := c.Flags()
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes one that is free")
	flags.BoolVar(&s.public, "public", false, "allow an address that others can reach; the page then needs a token, which is printed")
	flags.StringSliceVar(&rateLimits, "rate-limits", nil, "requests per window, as a `list` such as 100/1m,1000/1h (default none)")
	flags.StringVar(&window, "window", "", "`kind` of the windows: fixed or sliding (default fixed)")
	flags.StringVar(&s.seed, "seed", "", "JSON `file` with contacts and sequences to begin with")
	_ = c.RegisterFlagCompletionFunc("window", cobra.FixedCompletions([]string{"fixed", "sliding"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// parse checks the settings.
func (s *fakeSettings) parse(rateLimits []string, window string) error {
	for _, entry := range rateLimits {
		limit, err := parseLimit(entry)
		if err != nil {
			return err
		}
		s.limits = append(s.limits, limit)
	}
	switch window {
	case "", "fixed":
		s.kind = demeterrrtest.FixedWindow
	case "sliding":
		s.kind = demeterrrtest.SlidingWindow
	default:
		return fmt.Errorf("--window %s: want fixed or sliding", window)
	}
	if window != "" && len(s.limits) == 0 {
		return errors.New("--window needs --rate-limits")
	}
	if s.public {
		return nil
	}
	return checkLoopback(s.addr)
}

// parseLimit reads a limit such as 100/1m.
func parseLimit(entry string) (demeterrrtest.Limit, error) {
	text, length, _ := strings.Cut(strings.TrimSpace(entry), "/")
	requests, countErr := strconv.Atoi(text)
	window, lengthErr := time.ParseDuration(length)
	if countErr != nil || lengthErr != nil || requests < 1 || window <= 0 {
		return demeterrrtest.Limit{}, fmt.Errorf("--rate-limits: want requests/window, such as 100/1m, not %q", entry)
	}
	return demeterrrtest.Limit{Requests: requests, Window: window}, nil
}

// checkLoopback refuses an address that other machines can reach: the key of the
// fake is always the same.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--addr %s is not a loopback address, such as 127.0.0.1:8080; add --public to listen where others can reach it", addr)
}

// run serves until ctx ends.
func (s *fakeSettings) run(ctx context.Context, stdout, stderr io.Writer) error {
	seed, err := s.readSeed()
	if err != nil {
		return usage(err)
	}
	logger := log.New(stderr, "", log.Ltime) // one write for each line, so lines stay whole
	config := fakepage.Config{NewServer: func(keep func(demeterrrtest.Request)) (fake *demeterrrtest.Server, err error) {
		return s.server(seed, func(r demeterrrtest.Request) {
			logger.Print(requestLine(r, fake.APIKey()))
			keep(r)
		})
	}}
	if s.public {
		config.Token = rand.Text()
	}
	page, err := fakepage.New(config)
	if err != nil {
		return usage(err)
	}
	defer page.Close()
	port, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	baseURL := "http://" + port.Addr().String() + "/api/v1"
	server := &http.Server{Handler: page.Handler(baseURL), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(stderr, "", 0)}
	server.RegisterOnShutdown(page.Stop)
	if _, err := fmt.Fprintf(stdout, "base URL: %s\nAPI key:  %s\npage:     %s\n\nexport DEMETERRR_BASE_URL=%[1]s DEMETERRR_API_KEY=%[2]s\n", baseURL, page.APIKey(), page.URL()); err != nil {
		return errors.Join(err, port.Close())
	}
	return serve(ctx, server, port)
}

// serve ends when ctx does, after the requests that are under way, or when the
// port fails. It cuts off what takes longer than stopWithin.
func serve(ctx context.Context, server *http.Server, port net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(port) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

// readSeed reads the file of --seed once, so that a reset has it again.
func (s *fakeSettings) readSeed() ([]byte, error) {
	if s.seed == "" {
		return nil, nil
	}
	seed, err := os.ReadFile(s.seed)
	if err != nil {
		return nil, fmt.Errorf("--seed: %w", err)
	}
	return seed, nil
}

// server makes the fake with what the seed has.
func (s *fakeSettings) server(seed []byte, logRequest func(demeterrrtest.Request)) (*demeterrrtest.Server, error) {
	options := []demeterrrtest.Option{demeterrrtest.WithRequestLog(logRequest)}
	if len(s.limits) > 0 {
		options = append(options, demeterrrtest.WithRateLimits(s.kind, s.limits...))
	}
	fake := demeterrrtest.NewServer(options...)
	if seed == nil {
		return fake, nil
	}
	if err := fake.Seed(bytes.NewReader(seed)); err != nil {
		return nil, fmt.Errorf("--seed %s: %w", s.seed, err)
	}
	return fake, nil
}

// requestLine tells of one request. Somebody may have put the key into the path or the query.
func requestLine(r demeterrrtest.Request, key string) string {
	target := r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	return fmt.Sprintf("%d %s %s", r.Status, r.Method, strings.ReplaceAll(target, key, "[key]"))
}
