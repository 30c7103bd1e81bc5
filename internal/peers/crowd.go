package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/peers/serve"
)

// goroutines is how many share one client in work H.
const goroutines = 64

// protocols are what work H is done over. https and http are HTTP/1.1.
var protocols = []struct {
	name   string
	listen func(*serve.Replies, *tls.Config) (server, error)
}{
	{"HTTP/2", func(r *serve.Replies, c *tls.Config) (server, error) { return serve.ListenHTTP2(r, c) }},
	{"https", func(r *serve.Replies, c *tls.Config) (server, error) { return serve.Listen(r, c) }},
	{"http", func(r *serve.Replies, _ *tls.Config) (server, error) { return serve.Listen(r, nil) }},
}

type server interface {
	URL() string
	Connections() int
	Close()
}

// measureCrowds does work H, by turns.
func measureCrowds(replies *serve.Replies, size size) ([]crowd, error) {
	// The clients trust the certificate as they would one of the system's.
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "roots.pem")
	config, err := serve.TLS(file)
	if err == nil {
		err = os.Setenv("SSL_CERT_FILE", file)
	}
	if err != nil {
		return nil, err
	}
	crowds := make([]crowd, len(protocols))
	for i, protocol := range protocols {
		connections, times := make([][]float64, len(candidates)), make([][]float64, len(candidates))
		for range size.crowds {
			for _, c := range rand.Perm(len(candidates)) { //nolint:gosec // nobody gains by guessing the order
				server, err := protocol.listen(replies, config)
				if err != nil {
					return nil, err
				}
				took, err := runCrowd(candidates[c], server, size.crowd)
				if err != nil {
					return nil, fmt.Errorf("%s, %s, %d goroutines: %w", candidates[c].name, protocol.name, goroutines, err)
				}
				connections[c], times[c] = append(connections[c], float64(server.Connections())), append(times[c], float64(took))
			}
		}
		crowds[i] = crowd{Protocol: protocol.name, Requests: size.crowd, Rounds: size.crowds}
		for c := range candidates {
			rates := make([]float64, size.crowds)
			for round := range rates {
				rates[round] = times[baseline][round] / times[c][round]
			}
			crowds[i].Connections = append(crowds[i].Connections, spreadOf(connections[c]).Median)
			crowds[i].Rates = append(crowds[i].Rates, spread{slices.Min(rates), spreadOf(rates).Median, slices.Max(rates)})
		}
	}
	return crowds, nil
}

// runCrowd has a server and a transport to itself, so that no connection is inherited.
func runCrowd(c candidate, server server, requests int) (took time.Duration, err error) {
	defer server.Close()
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	own := standard.(*http.Transport).Clone()
	http.DefaultTransport = own
	defer own.CloseIdleConnections()
	p := c.make(server.URL()+serve.Plain, nil, false)
	runtime.GC()
	failed := make(chan error, goroutines)
	start := time.Now()
	for g := range goroutines {
		go func() {
			var errs error
			for i := g; i < requests && errs == nil; i += goroutines {
				errs = call(tasks[0], p)
			}
			failed <- errs
		}()
	}
	for range goroutines {
		err = errors.Join(err, <-failed)
	}
	return time.Since(start), err
}
