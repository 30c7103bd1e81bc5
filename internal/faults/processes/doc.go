// Package processes tests a journal shared by real processes over a loopback
// socket, and kills one of them. It also runs the conformance test on broken
// journals. Each of those runs in its own process, because the test must fail
// there.
package processes
