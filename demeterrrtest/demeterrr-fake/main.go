// Demeterrr-fake is the fake demeterrr of package demeterrrtest as a program, for
// curl and for other languages:
//
//	go run ./demeterrrtest/demeterrr-fake -rate-limits 100/1m,1000/1h
//	curl -H "X-API-Key: $KEY" http://127.0.0.1:8080/api/v1/contacts
//
// It prints its base URL and its key on standard output, and a line for each
// request on standard error. It forgets everything when it stops, which SIGINT
// (Ctrl-C) and SIGTERM make it do, after the requests that are under way.
//
// Flags:
//
//	-addr         where to listen; 127.0.0.1:8080 unless given, port 0 for any that is free
//	-public       listen also where others can reach it; without this, -addr must be a loopback address
//	-rate-limits  requests per window, such as 100/1m,1000/1h; none unless given
//	-window       the kind of these windows, fixed or sliding; fixed unless given
//	-seed         a JSON file, {"contacts": […], "sequences": […]}; see seed.json here
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopWithin is how long requests that are under way may take when the program is told to stop.
const stopWithin = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2) // the flag package, or parse, has said why
	case err != nil:
		fmt.Fprintln(os.Stderr, "demeterrr-fake:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	settings, err := parse(args, stderr)
	if err != nil {
		return err
	}
	fake, err := settings.server(stderr)
	if err != nil {
		return err
	}
	defer fake.Close()
	port, err := new(net.ListenConfig).Listen(ctx, "tcp", settings.addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           fake.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(stderr, "", 0),
	}
	if _, err := fmt.Fprintf(stdout, "base URL: http://%s/api/v1\nAPI key:  %s\n", port.Addr(), fake.APIKey()); err != nil {
		return errors.Join(err, port.Close())
	}
	return serve(ctx, server, port)
}

// serve ends when ctx does, after the requests that are under way, or when the port fails.
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
	return server.Shutdown(patience)
}
