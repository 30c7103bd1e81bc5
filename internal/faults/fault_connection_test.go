package faults

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// nobodyListens is a port of the loopback interface that refuses connections.
const nobodyListens = "127.0.0.1:1"

// connectionFaults returns the faults of TCP and DNS. In the first group
// nothing is sent.
func connectionFaults() []fault {
	return []fault{
		{name: "connection refused", by: "closed port", class: noConnection, setup: func(l *lab) { l.faulty = nobodyListens }},
		{name: "connection hangs while dialing", by: "dialer", class: noConnection, stalls: true, dial: hangingDial},
		{name: "DNS: no such host", by: "DNS server", class: noConnection, setup: named, dial: dnsDial(3)},
		{name: "DNS: server failure", by: "DNS server", class: noConnection, setup: named, dial: dnsDial(2)},
		{name: "DNS: no answer", by: "DNS server", class: noConnection, stalls: true, setup: named, dial: dnsDial(noAnswer)},

		{name: "connection closed when accepted", by: "listener", class: lost, early: true, setup: func(l *lab) {
			l.faulty = l.listenFor(func(conn net.Conn) { closing(l, conn) })
		}},
		{name: "reset before the server reads the request", by: "Toxiproxy reset_peer", class: lost, early: true, setup: toxic("upstream", `{"type":"reset_peer"}`)},
		{name: "reset in place of the reply", by: "Toxiproxy reset_peer", class: lost, setup: toxic("downstream", `{"type":"reset_peer"}`)},
		{name: "closed in the middle of the status line", by: "Toxiproxy limit_data", class: lost, setup: toxic("downstream", `{"type":"limit_data","attributes":{"bytes":7}}`)},
		{name: "closed in the middle of the headers", by: "Toxiproxy limit_data", class: lost, setup: toxic("downstream", `{"type":"limit_data","attributes":{"bytes":40}}`)},
		{name: "reply never comes", by: "Toxiproxy timeout", class: lost, stalls: true, setup: toxic("downstream", `{"type":"timeout","attributes":{"timeout":0}}`)},
		{name: "reply comes far too late", by: "Toxiproxy latency", class: lost, stalls: true, setup: toxic("downstream", `{"type":"latency","attributes":{"latency":60000}}`)},
		{name: "reply trickles, headers first", by: "Toxiproxy slicer", class: lost, stalls: true, setup: toxic("downstream", `{"type":"slicer","attributes":{"average_size":1,"size_variation":0,"delay":600000}}`)},
	}
}

// hangingDial is a network that swallows the packets of a handshake. The loopback
// interface cannot, so the dialer plays it.
func hangingDial(ctx context.Context, l *lab, network, address string) (net.Conn, error) {
	if l.take() {
		l.stalled()
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// named gives the server a name known only to the lab's DNS server.
func named(l *lab) {
	_, port, _ := net.SplitHostPort(l.origin.Listener.Addr().String())
	l.base = "http://api.lab.test:" + port + "/api/v1"
	l.options = append(l.options, demeterrr.WithInsecureHTTP())
}

const noAnswer = -1

// dnsDial resolves names through a DNS server of the lab. During the fault, the
// server answers with the given code (RFC 1035, section 4.1.1) or stays silent.
func dnsDial(code int) func(ctx context.Context, l *lab, network, address string) (net.Conn, error) {
	return func(ctx context.Context, l *lab, network, address string) (net.Conn, error) {
		answer := 0
		if l.take() {
			answer = code
		}
		server, err := new(net.ListenConfig).ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		done := make(chan struct{})
		go func() { defer close(done); answerDNS(l, server, answer) }()
		defer func() { _ = server.Close(); <-done }()
		var udp net.Dialer
		d := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := udp.DialContext(ctx, "udp", server.LocalAddr().String())
			if err != nil {
				return nil, err
			}
			// The resolver would wait 5 seconds for an answer, whatever its
			// context.
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			return conn, nil
		}}}
		return d.DialContext(ctx, network, address)
	}
}

// answerDNS answers every question for an IPv4 address with 127.0.0.1, or with
// an error.
func answerDNS(l *lab, server net.PacketConn, code int) {
	buf := make([]byte, 1500)
	for {
		n, from, err := server.ReadFrom(buf)
		if err != nil {
			return
		}
		if code == noAnswer {
			l.stalled()
			continue
		}
		end := 12
		for buf[end] != 0 {
			end += int(buf[end]) + 1
		}
		end += 5
		if end > n {
			continue
		}
		reply := append([]byte(nil), buf[:end]...)
		binary.BigEndian.PutUint16(reply[2:], 0x8180|uint16(max(code, 0))) //nolint:gosec // a code has four bits
		copy(reply[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
		if code == 0 && binary.BigEndian.Uint16(buf[end-4:]) == 1 {
			reply[7] = 1
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
		}
		_, _ = server.WriteTo(reply, from)
	}
}

// toxic puts a Toxiproxy between the client and the origin.
func toxic(stream, spec string) func(*lab) {
	return func(l *lab) {
		proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
			"lab", "127.0.0.1:0", l.origin.Listener.Addr().String())
		if err := proxy.Start(); err != nil {
			panic(err)
		}
		l.cleanups = append(l.cleanups, proxy.Stop)
		spec := strings.Replace(spec, "{", `{"stream":"`+stream+`",`, 1)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(spec)); err != nil {
			panic(err)
		}
		l.faulty = proxy.Listen
	}
}

// tlsFaults returns the faults during the handshake, with nothing sent, and one
// just after it.
func tlsFaults() []fault {
	handshake := func(serve func(l *lab, conn net.Conn)) func(*lab) {
		return func(l *lab) {
			l.faulty = l.listenFor(func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 1024)) // the ClientHello, or a part of it
				serve(l, conn)
			})
		}
	}
	certificate := func(pick func(*certificates) tls.Certificate, more ...func(*tls.Config)) func(*lab) {
		return func(l *lab) {
			config := &tls.Config{Certificates: []tls.Certificate{pick(authority())}, MinVersion: tls.VersionTLS10} //nolint:gosec // the client is to refuse it
			for _, change := range more {
				change(config)
			}
			l.faulty = l.listenFor(func(conn net.Conn) {
				c := tls.Server(conn, config)
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			})
		}
	}
	good := func(c *certificates) tls.Certificate { return c.good }
	return []fault{
		{name: "TLS: handshake refused by an alert", by: "listener", class: noConnection, tls: true, setup: handshake(func(_ *lab, conn net.Conn) {
			_, _ = conn.Write([]byte{0x15, 3, 1, 0, 2, 2, 40})
		})},
		{name: "TLS: only an outdated version", by: "listener", class: noConnection, tls: true, setup: certificate(good, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 })},
		{name: "TLS: reset in the handshake", by: "listener", class: noConnection, tls: true, setup: handshake(resetting)},
		{name: "TLS: closed in the handshake", by: "listener", class: noConnection, tls: true, setup: handshake(closing)},
		{name: "TLS: handshake hangs", by: "listener", class: noConnection, tls: true, stalls: true, setup: handshake(holding)},
		{name: "TLS: the server speaks plain HTTP", by: "listener", class: noConnection, tls: true, setup: handshake(func(_ *lab, conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\nnot here")
		})},
		{name: "certificate for another host", by: "listener", class: badCertificate, tls: true, setup: certificate(func(c *certificates) tls.Certificate { return c.otherHost })},
		{name: "certificate expired", by: "listener", class: badCertificate, tls: true, setup: certificate(func(c *certificates) tls.Certificate { return c.expired })},
		{name: "certificate not yet valid: a clock is off", by: "listener", class: badCertificate, tls: true, setup: certificate(func(c *certificates) tls.Certificate { return c.future })},
		{name: "certificate from an unknown authority", by: "listener", class: badCertificate, tls: true, setup: certificate(func(c *certificates) tls.Certificate { return c.unknown })},
		// In TLS 1.3 the client learns this only after it has sent its request,
		// so the outcome is unknown to it.
		{name: "TLS: a client certificate is asked for", by: "listener", class: lost, early: true, tls: true, setup: certificate(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })},
	}
}

// wrappedFaults repeats the faults of the handshake behind a transport that
// wraps http.Transport, like OpenTelemetry's.
func wrappedFaults() []fault {
	var list []fault
	for _, f := range tlsFaults() {
		if f.class == noConnection {
			f.name, f.wrapped = f.name+", behind a wrapped transport", true
			if f.stalls { // no error tells of the handshake, and the wrapper may have sent by another way
				f.class, f.early = lost, true
			}
			list = append(list, f)
		}
	}
	return list
}

// wrapper sends a clone of each request, with a context of its own.
type wrapper struct{ http.RoundTripper }

func (w wrapper) RoundTrip(req *http.Request) (*http.Response, error) {
	return w.RoundTripper.RoundTrip(req.Clone(context.WithValue(req.Context(), wrapper{}, "span")))
}

// proxyFaults returns the faults of an HTTP proxy on the way to an https
// server. It gets a CONNECT before anything of the request is sent.
func proxyFaults() []fault {
	refusing := func(reply string) func(*lab) {
		return func(l *lab) {
			l.useProxy(func(_ *lab, conn net.Conn) { _, _ = io.WriteString(conn, reply) })
		}
	}
	return []fault{
		{name: "proxy refuses CONNECT: 403", by: "proxy", class: noConnection, tls: true, setup: refusing("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")},
		{name: "proxy wants a password: 407", by: "proxy", class: noConnection, tls: true, setup: refusing("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")},
		{name: "proxy cannot reach the server: 502", by: "proxy", class: noConnection, tls: true, setup: refusing("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")},
		{name: "proxy resets instead of CONNECT", by: "proxy", class: noConnection, tls: true, setup: func(l *lab) { l.useProxy(resetting) }},
		{name: "proxy does not answer to CONNECT", by: "proxy", class: noConnection, tls: true, stalls: true, setup: func(l *lab) { l.useProxy(holding) }},
		{name: "proxy refuses the connection", by: "closed port", class: noConnection, tls: true, setup: func(l *lab) {
			l.useProxy(closing)
			l.faulty = nobodyListens
		}},
	}
}

// useProxy sends the client through a proxy, which calls refuse during the
// fault.
func (l *lab) useProxy(refuse func(*lab, net.Conn)) {
	address := l.listenFor(func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		fmt.Fprintf(&l.connects, "%s %s %v\n", req.Method, req.Host, req.Header)
		if l.take() {
			refuse(l, conn)
			return
		}
		target, err := net.Dial("tcp", req.Host) //nolint:noctx // it is on the loopback
		if err != nil {
			return
		}
		defer target.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(target, conn); _ = target.Close() }()
		_, _ = io.Copy(conn, target)
	})
	l.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: address})
}
