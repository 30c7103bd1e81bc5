// Package processes tests a journal that real processes share: over a socket of
// the loopback interface, with one of them killed. It also runs the conformance
// test on broken journals, each in a process of its own, as it must fail there.
package processes
