package pagetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire passes connections on to the fake, and can be cut.
type wire struct {
	address, to string
	port        net.Listener

	mu    sync.Mutex
	down  bool
	left  int // connections until it is cut by itself; -1: never
	conns []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: port.Addr().String(), to: to, port: port, left: -1}
	t.Cleanup(func() { port.Close(); w.cut() })
	go w.serve()
	return w
}

func (w *wire) serve() {
	for {
		near, err := w.port.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		far, err := net.Dial("tcp", w.to) //nolint:noctx // to loopback
		if w.down || err != nil {
			near.Close()
		} else {
			w.conns = append(w.conns, near, far)
			one := w.left == 0
			go w.pass(near, far, one)
			go w.pass(far, near, false)
		}
		w.mu.Unlock()
	}
}

// pass copies until either end closes. A wire of one reply is cut after it.
func (w *wire) pass(from, to net.Conn, one bool) {
	defer to.Close()
	defer from.Close()
	if !one {
		_, _ = io.Copy(to, from)
		return
	}
	buffer := make([]byte, 64<<10)
	n, err := from.Read(buffer) // the request for the page
	if err == nil {
		_, _ = to.Write(buffer[:n])
	}
	_, _ = from.Read(buffer) // the next request, which is lost
	w.cut()
}

// once lets one request through, and its reply.
func (w *wire) once() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = 0
}

// cut breaks all connections and lets no new ones through.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, conn := range w.conns {
		conn.Close()
	}
	w.conns = nil
}

// mend lets new connections through.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.left = false, -1
}
