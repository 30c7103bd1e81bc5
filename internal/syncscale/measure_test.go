package main

import (
	"testing"
)

// TestASyncKeepsLittle holds memory and processor time to limits at the full scale,
// and memory to what a program needs anyway below it.
func TestASyncKeepsLittle(t *testing.T) {
	t.Parallel()
	n := scale(t)
	steps, err := steps(n, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		t.Logf("%-42s %4d MB, %5.2f µs a contact, %d requests", s.name, s.PeakMB, s.micros, s.Requests)
		if most := s.mostMB * n / 1_000_000; s.PeakMB > most+20 {
			t.Errorf("%s: %d MB, want at most %d", s.name, s.PeakMB, most)
		}
		if n >= 1_000_000 && s.micros > s.mostMicros {
			t.Errorf("%s: %.2f µs a contact, want at most %.0f", s.name, s.micros, s.mostMicros)
		}
		if s.Requests != s.requests {
			t.Errorf("%s: %d requests, want %d", s.name, s.Requests, s.requests)
		}
	}
}
