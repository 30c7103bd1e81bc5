package sqlstore_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between clients and a server, and cuts connections by chance.
type proxy struct {
	addr    string
	target  string
	cutting atomic.Bool

	// How often a connection was cut.
	inStatement  atomic.Int64 // half of it reached the server
	beforeCommit atomic.Int64 // the server never saw the COMMIT
	afterCommit  atomic.Int64 // the server saw it, the client never got the reply
}

// startProxy starts a proxy that ends with the test.
func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), target: target}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { p.serve(client) })
		}
	})
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var replies sync.WaitGroup
	replies.Go(func() {
		_, _ = io.Copy(client, server)
		client.Close()
	})
	p.requests(client, server)
	server.Close()
	client.Close()
	replies.Wait()
}

// requests passes on the client's data until it cuts the connection.
func (p *proxy) requests(client, server net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		some := buf[:n]
		if p.cutting.Load() && n > 0 {
			commit, chance := bytes.Contains(bytes.ToLower(some), []byte("commit")), rand.N(100)
			switch {
			case commit && chance < 10:
				p.beforeCommit.Add(1)
				return
			case commit && chance < 20:
				p.afterCommit.Add(1)
				client.Close()
				_, _ = server.Write(some)
				time.Sleep(30 * time.Millisecond) // the server reads it before the connection ends
				return
			case chance < 3:
				p.inStatement.Add(1)
				_, _ = server.Write(some[:n/2])
				return
			}
		}
		if _, failed := server.Write(some); errors.Join(err, failed) != nil {
			return
		}
	}
}
