package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shownAtRest returns the texts that a picture shows where nothing moves, each in
// its line, and fails if it is not well-formed.
func shownAtRest(t *testing.T, picture string) []string {
	t.Helper()
	var all []string
	hidden, depth := 0, 0
	text := false
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			for _, a := range token.Attr {
				if a.Name.Local == "class" && a.Value == "x" {
					hidden = depth
				}
			}
			text = token.Name.Local == "text"
		case xml.EndElement:
			if depth == hidden {
				hidden = 0
			}
			depth--
			text = false
		case xml.CharData:
			if text && hidden == 0 {
				all = append(all, string(token))
			}
		}
	}
}

var barEvents = []event{
	{at: 0, text: "$ "},
	{at: time.Second, text: "a <b> & \"c\"\r\n"},
	{at: 2 * time.Second, text: "5% |█   |"},
	{at: 3 * time.Second, text: "\r9% |██  |", key: "Ctrl-C"},
	{at: 5 * time.Second, text: "\x1b[2K\rDone\r\n$ "},
}

func TestAPictureAtRestShowsTheLastFrame(t *testing.T) {
	t.Parallel()
	picture := draw(`"a" & b`, frames(barEvents, columns, 3))
	if !strings.HasPrefix(picture, "<!-- Made by: go run ./internal/recordings -->\n<svg ") {
		t.Errorf("it begins with %.80q", picture)
	}
	if diff := cmp.Diff([]string{"$", `a <b> & "c"`, "Done", "$"}, shownAtRest(t, picture)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(picture, "@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }") {
		t.Error("it moves for readers who prefer less motion")
	}
	for _, foreign := range []string{"<script", "<image", "href=", "url(", "@import", "<foreignObject"} {
		if strings.Contains(picture, foreign) {
			t.Errorf("it has %s", foreign)
		}
	}
}

func TestWhatStaysIsDrawnOnce(t *testing.T) {
	t.Parallel()
	var got []span
	for _, s := range spans(frames(barEvents, columns, 3)) {
		if s.y == 1 {
			got = append(got, s)
		}
	}
	want := []span{
		{first: 2, end: 3, x: 0, y: 1, cells: 1, text: "5"},
		{first: 2, end: 4, x: 1, y: 1, cells: 3, text: "% |"},
		{first: 2, end: 4, x: 4, y: 1, cells: 1, text: "█"},
		{first: 2, end: 4, x: 8, y: 1, cells: 1, text: "|"},
		{first: 3, end: 4, x: 0, y: 1, cells: 1, text: "9"},
		{first: 3, end: 4, x: 5, y: 1, cells: 1, text: "█"},
		{first: 4, end: 5, x: 0, y: 1, cells: 4, text: "Done"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{}, style{})); diff != "" {
		t.Error(diff)
	}
}

func TestAPieceIsSeenFromItsFirstFrameToItsEnd(t *testing.T) {
	t.Parallel()
	all := frames(barEvents, columns, 3)
	picture := draw("", all) // 5 s, and a rest of 5 s
	for _, want := range []string{
		"@keyframes f2-3{0%{visibility:hidden}20%{visibility:visible}30%{visibility:hidden}}",
		"@keyframes f4{0%{visibility:hidden}50%{visibility:visible}}",
		"@keyframes key3{0%{visibility:hidden}30%{visibility:visible}50%{visibility:hidden}}",
		"g, #cursor { animation: 10s step-end infinite; }",
		`<g class="x" style="animation-name:f2-3">`,
		`<g style="animation-name:f4">`,
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestTheGridHoldsInAnyFont(t *testing.T) {
	t.Parallel()
	picture := draw("", frames([]event{{text: "ab c  日本x\r\n\x1b[41m  \x1b[m██"}}, columns, 2))
	for _, want := range []string{
		`<text x="0" y="15.5" textLength="38.4" lengthAdjust="spacingAndGlyphs">ab c</text>`,
		`<text x="57.6" y="15.5" textLength="19.2" lengthAdjust="spacingAndGlyphs">日</text>`,
		`<text x="76.8" y="15.5" textLength="19.2" lengthAdjust="spacingAndGlyphs">本</text>`,
		`<text x="96" y="15.5">x</text>`,
		`<rect x="0" y="23" width="19.2" height="17" fill="` + palette[1] + `"/>`,
		`<rect x="19.2" y="23" width="19.2" height="17" fill="` + foreground + `"/>`,
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("no %s in\n%s", want, picture)
		}
	}
}
