// Package faults tests the SDK against a network and servers that fail, in real
// time over the loopback interface. Its faults are made by Toxiproxy where that
// can make them, else by listeners, handlers and a server of HTTP/2 frames that put
// the wrong bytes on the wire. What must come back is not taken from the SDK: rules_test.go restates
// the table of retries, and every cell of the matrix is held to it.
//
// The matrix is printed, and written to a file, by
//
//	go test ./internal/faults -run Matrix -args -out ../../docs/reliability.md
package faults
