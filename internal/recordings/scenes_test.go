package main

import (
	"runtime"
	"strings"
	"testing"
)

// TestTheScenesPlay runs the real program. Each scene checks its exit codes.
func TestTheScenesPlay(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("recordings are made on Linux")
	}
	program, err := build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wants := map[string][]string{
		"check":   {"$ demeterrr check", "ok; http://127.0.0.1:8080/api/v1", "until 15:00"},
		"sync":    {"Dry run, nothing was written", "Write 38 contacts? [y/N] y", "(0/38)", "26 created, 12 updated"},
		"execute": {"723 contacts? [y/N] y", "(300/723)", "400 sent, ", "323 contacts? [y/N] y", "323 sent, 400 sent before"},
	}
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			events, err := s.play(t.Context(), program)
			if err != nil {
				t.Fatal(err)
			}
			var seen strings.Builder
			all := frames(events, columns, s.rows)
			for _, f := range all {
				seen.WriteString(strings.Join(f.texts(), "\n"))
			}
			for _, want := range wants[s.name] {
				if !strings.Contains(seen.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			picture := draw(s.label, all)
			if len(picture) > 150_000 {
				t.Errorf("it has %d bytes", len(picture))
			}
			if rest := shownAtRest(t, picture); rest[len(rest)-1] != "$" {
				t.Errorf("it ends with %q", rest)
			}
		})
	}
}
