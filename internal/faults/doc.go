// Package faults tests the SDK against faulty networks and servers, in real
// time on the loopback interface. Toxiproxy makes most faults. Listeners,
// handlers and a server of HTTP/2 frames put the other wrong bytes on the wire.
// The expected results are independent of the SDK: rules_test.go restates the
// table of retries, and the tests compare every cell of the matrix with it.
//
// This command prints the matrix and writes it to a file:
//
//	go test ./internal/faults -run Matrix -args -out ../../docs/reliability.md
package faults
