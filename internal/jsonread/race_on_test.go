//go:build race

package jsonread_test

const raceEnabled = true // the race detector allocates, so allocations are not asserted
