package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// texts are the lines of a frame, without blanks at their ends. A character of
// two columns is followed by a blank cell.
func (f *frame) texts() []string {
	var all []string
	for _, cells := range f.lines {
		line := ""
		for _, c := range cells {
			if c.text == "" {
				c.text = " "
			}
			line += c.text
		}
		all = append(all, strings.TrimRight(line, " "))
	}
	return all
}

func TestFramesAreWhatATerminalShows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		events []event
		want   [][]string // lines of each frame
	}{
		"a carriage return redraws": {
			[]event{{at: 0, text: "10% |=   |"}, {at: 1, text: "\r20% |==  |"}},
			[][]string{{"10% |=   |", "", ""}, {"20% |==  |", "", ""}},
		},
		"a shorter line leaves the rest": {[]event{{text: "abcdef\rxy"}}, [][]string{{"xycdef", "", ""}}},
		"a line is cleared":              {[]event{{at: 0, text: "bar"}, {at: 1, text: "\x1b[2K\rdone"}}, [][]string{{"bar", "", ""}, {"done", "", ""}}},
		"the cursor moves up":            {[]event{{text: "one\r\ntwo\x1b[1A\rONE"}}, [][]string{{"ONE", "two", ""}}},
		"events of one time are one":     {[]event{{at: 1, text: "a"}, {at: 1, text: "b"}, {at: 2, text: "c"}}, [][]string{{"ab", "", ""}, {"abc", "", ""}}},
		"a character in two events":      {[]event{{at: 1, text: "\xe2\x96"}, {at: 1, text: "\x88"}}, [][]string{{"█", "", ""}}},
		"wide characters":                {[]event{{text: "日本x"}}, [][]string{{"日 本 x", "", ""}}},
		"a long line goes on below":      {[]event{{text: "0123456789ab"}}, [][]string{{"0123456789", "ab", ""}}},
		"lines scroll out and stay": {
			[]event{{at: 0, text: "1\r\n2\r\n3"}, {at: 1, text: "\r\n4\r\n5"}},
			[][]string{{"1", "2", "3"}, {"1", "2", "3", "4", "5"}},
		},
	} {
		var got [][]string
		for _, f := range frames(tt.events, 10, 3) {
			got = append(got, f.texts())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFramesHaveColors(t *testing.T) {
	t.Parallel()
	f := frames([]event{{text: "\x1b[1;32m$\x1b[m a\x1b[38;5;9mb\x1b[38;2;1;2;3mc\x1b[0;2md\x1b[0;41m \x1b[0;7me\x1b[0m日"}}, 10, 1)[0]
	want := []cell{
		{"$", 1, style{fg: palette[2], bold: true}},
		{},
		{"a", 1, style{}},
		{"b", 1, style{fg: palette[9]}},
		{"c", 1, style{fg: "#010203"}},
		{"d", 1, style{faint: true}},
		{" ", 1, style{bg: palette[1]}},
		{"e", 1, style{fg: background, bg: foreground}},
		{"日", 2, style{}},
		{},
	}
	if diff := cmp.Diff(want, f.lines[0], cmp.AllowUnexported(cell{}, style{})); diff != "" {
		t.Error(diff)
	}
}

func TestFramesHaveTheCursorAndTheKey(t *testing.T) {
	t.Parallel()
	all := frames([]event{{at: 0, text: "1\r\n2\r\n3\r\nx"}, {at: time.Second, key: "Ctrl-C"}, {at: 3 * time.Second, text: "y"}}, 10, 3)
	var got [][4]int
	var keys []string
	for _, f := range all {
		got, keys = append(got, [4]int{f.x, f.y, f.scrolled, len(f.lines)}), append(keys, f.key)
	}
	if diff := cmp.Diff([][4]int{{1, 3, 1, 4}, {1, 3, 1, 4}, {2, 3, 1, 4}}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "Ctrl-C", ""}, keys); diff != "" {
		t.Error(diff)
	}
}
