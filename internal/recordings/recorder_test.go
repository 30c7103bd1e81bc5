package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSilencesAreRoundedAndCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder("/tmp/home1", "127.0.0.1:8081")
		r.add([]byte("$ "))
		r.typed("ab")
		r.begin()
		for _, silence := range []time.Duration{time.Minute, time.Millisecond, 130 * time.Millisecond, 290 * time.Millisecond, 700 * time.Millisecond, time.Hour} {
			time.Sleep(silence)
			fmt.Fprint(r, silence, " ")
		}
		time.Sleep(120 * time.Millisecond)
		r.press("Ctrl-C")
		if got := r.output(); got != "1m0s 1ms 130ms 290ms 700ms 1h0m0s " {
			t.Errorf("the command's output is %q", got)
		}
		want := []event{
			{0, "$ ", ""},
			{50 * time.Millisecond, "a", ""},
			{100 * time.Millisecond, "b", ""},
			{400 * time.Millisecond, "1m0s 1ms ", ""}, // a start
			{500 * time.Millisecond, "130ms ", ""},
			{800 * time.Millisecond, "290ms ", ""},
			{1400 * time.Millisecond, "700ms ", ""},
			{2300 * time.Millisecond, "1h0m0s ", ""},
			{2400 * time.Millisecond, "", "Ctrl-C"},
		}
		if diff := cmp.Diff(want, r.recording(), cmp.AllowUnexported(event{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARecordingIsTheSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"journal /tmp/home1/.local/x":                  "journal ~/.local/x",
		"127.0.0.1_8081_api_v1-7ac02194748c/x":         "127.0.0.1_8080_api_v1-4a09fc74f1fa/x",
		"of http://127.0.0.1:8081/api/v1":              "of http://127.0.0.1:8080/api/v1",
		"left until 09:31\r\n":                         "left until 15:00\r\n",
		"done about 23:59, in 2 minutes, at 10:00":     "done about 15:00, in 2 minutes, at 10:00",
		"waiting for the quota until 00:00 |██  | 14%": "waiting for the quota until 15:00 |██  | 14%",
	} {
		r := newRecorder("/tmp/home1", "127.0.0.1:8081")
		fmt.Fprint(r, text)
		if got := r.recording()[0].text; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
