package faults

import (
	"context"
	"net"
	"time"
)

// fault is one way for a call to fail.
type fault struct {
	name string
	by   string // the tool that makes it

	// Its effect: the row of the table of retries, and the status and the
	// retryAfter that the client sees.
	class      class
	status     int
	retryAfter time.Duration
	stalls     bool // somebody must lose patience
	reused     bool // only on connections used before
	early      bool // the server has not seen the request, but the client cannot know
	do         misfit
	code       string // of HTTP/2: one of several faults of this name
	warm       bool   // the connection has been used before
	bodies     bool   // it happens to requests with a body only

	// Its construction. One of dial, setup (which sets lab.faulty, or a proxy),
	// reply and frames.
	tls, http2 bool
	wrapped    bool // the client's transport is another's around http.Transport
	pings      bool // the client's transport finds dead connections by HTTP/2 pings
	dial       func(ctx context.Context, l *lab, network, address string) (net.Conn, error)
	setup      func(l *lab)
	reply      func(x *exchange)
	when       moment
	frames     func(s *stream)
}

// title returns the name of the fault, with its code if several share the name.
func (f *fault) title() string {
	if f.code == "" {
		return f.name
	}
	return f.name + ": " + f.code
}

// misfit is the reading of a JSON body from outside the API by Client.Do, which
// knows only the caller's variable.
type misfit int

const (
	asOthers   misfit = iota // Do is as strict as the methods: the body is not JSON
	fits                     // it fits any variable
	fitsNobody               // it never fits the lab's variable
)

// works reports whether the server does the work in spite of the fault. It does
// if it may: that is the worst case.
func (f *fault) works() bool { return rules[f.class].effect || f.class == noFault }

// faults returns the rows of the matrix.
func faults() []*fault {
	var list []*fault
	for _, group := range [][]fault{
		{{name: "none", by: "-", class: noFault}},
		connectionFaults(), tlsFaults(), wrappedFaults(), proxyFaults(), http2Faults(), lostReplies(), brokenBodies(), largeBodies(), wrongContent(), informational(), statuses(), limits(), echoes(),
	} {
		for i := range group {
			list = append(list, &group[i])
		}
	}
	return list
}
