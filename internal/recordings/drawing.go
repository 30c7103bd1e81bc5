package main

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The window: a terminal in the dark colors that GitHub uses, with a border that
// shows on a dark page too.
const (
	background = "#0d1117"
	foreground = "#e6edf3"

	cellWidth  = 9.6
	lineHeight = 21.0
	padding    = 18.0
	bar        = 34.0 // at the top of the window
	hold       = 5 * time.Second
)

var palette = [16]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
}

// span is a piece of a line, and the frames that show it: from the first up to,
// but without, the end.
type span struct {
	first, end int
	x, y       int
	cells      int
	text       string
	style      style
}

// spans returns what the frames show, in as few pieces as possible: a character
// that stays is drawn once.
func spans(all []frame) []span {
	var pieces []span
	height := len(all[len(all)-1].lines)
	for y := range height {
		var lives []span
		for x := range columns {
			lives = append(lives, life(all, x, y)...)
		}
		pieces = append(pieces, join(lives)...)
	}
	slices.SortStableFunc(pieces, func(a, b span) int {
		if a.first != b.first {
			return a.first - b.first
		}
		return a.end - b.end
	})
	return pieces
}

// life returns the characters that one place has in the course of time.
func life(all []frame, x, y int) []span {
	var lives []span
	var last cell
	for i := range all {
		var now cell
		if y < len(all[i].lines) {
			now = all[i].lines[y][x]
		}
		if now == last {
			continue
		}
		if last != (cell{}) {
			lives[len(lives)-1].end = i
		}
		if now != (cell{}) {
			lives = append(lives, span{i, len(all), x, y, now.width, now.text, now.style})
		}
		last = now
	}
	return lives
}

// join joins neighbors that come and go together, also across one blank.
func join(lives []span) []span {
	var joined []span
	for _, next := range lives {
		place := slices.IndexFunc(joined, func(s span) bool {
			gap := next.x - s.x - s.cells
			return s.first == next.first && s.end == next.end && s.style == next.style && !wide(s) && next.cells == 1 &&
				block(s.text) == block(next.text) && (gap == 0 || gap == 1 && s.style.bg == "" && !block(s.text))
		})
		if place < 0 {
			joined = append(joined, next)
			continue
		}
		s := &joined[place]
		if next.x > s.x+s.cells {
			s.text += " "
		}
		s.text += next.text
		s.cells = next.x + 1 - s.x
	}
	return joined
}

// wide reports whether a piece is a character of two columns, which stands alone.
func wide(s span) bool { return s.cells == 2 && len([]rune(s.text)) == 1 }

// block reports whether a text is of full blocks, which are drawn as a rectangle.
func block(text string) bool { return strings.Trim(text, "█") == "" }

// draw draws the frames as an SVG that plays for ever, with a rest at the end of
// each round. It shows the last frame to readers who prefer less motion.
func draw(label string, all []frame) string {
	last := all[len(all)-1]
	rows := len(last.lines) - last.scrolled
	width, height := columns*cellWidth+2*padding, bar+float64(rows)*lineHeight+padding
	total := last.at + hold
	var css, body strings.Builder
	pieces := spans(all)
	for i := 0; i < len(pieces); {
		first, end := pieces[i].first, pieces[i].end
		name := "f" + strconv.Itoa(first)
		hidden := ""
		if end < len(all) {
			name += "-" + strconv.Itoa(end)
			hidden = ` class="x"`
		}
		if first == 0 && end == len(all) {
			body.WriteString("<g>")
		} else {
			fmt.Fprintf(&css, "@keyframes %s{%s}\n", name, visibility(all, first, end, total))
			fmt.Fprintf(&body, `<g%s style="animation-name:%s">`, hidden, name)
		}
		for ; i < len(pieces) && pieces[i].first == first && pieces[i].end == end; i++ {
			pieces[i].draw(&body)
		}
		body.WriteString("</g>\n")
	}
	fmt.Fprintf(&css, "@keyframes cursor{%s}\n", steps(all, total, func(f frame) string { return move(float64(f.x)*cellWidth, float64(f.y)*lineHeight) }))
	fmt.Fprintf(&css, "@keyframes paper{%s}\n", steps(all, total, func(f frame) string { return move(0, -float64(f.scrolled)*lineHeight) }))

	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Made by: %s -->\n", madeBy)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-label="%[3]s">`+"\n", number(width), number(height), escape(label))
	fmt.Fprintf(&b, `<style>
text { font: 16px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; fill: %s; }
text, rect { white-space: pre; }
.bold { font-weight: 600; }
.faint { opacity: .65; }
.x { visibility: hidden; }
g, #cursor { animation: %ss step-end infinite; }
%s@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }
</style>
`, foreground, number(total.Seconds()), css.String())
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%s" height="%s" rx="9" fill="%s" stroke="#3d444d"/>`+"\n", number(width-1), number(height-1), background)
	for i, fill := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", 20+i*19, fill)
	}
	b.WriteString(keys(all, width, total))
	fmt.Fprintf(&b, `<svg x="%s" y="%s" width="%s" height="%s">`+"\n", number(padding), number(bar), number(columns*cellWidth), number(float64(rows)*lineHeight))
	fmt.Fprintf(&b, `<g style="animation-name:paper;%s">`+"\n", move(0, -float64(last.scrolled)*lineHeight))
	b.WriteString(body.String())
	fmt.Fprintf(&b, `<rect id="cursor" width="%s" height="%s" y="1" fill="%s" opacity=".5" style="animation-name:cursor;%s"/>`+"\n",
		number(cellWidth), number(lineHeight-2), foreground, move(float64(last.x)*cellWidth, float64(last.y)*lineHeight))
	b.WriteString("</g>\n</svg>\n</svg>\n")
	return b.String()
}

// keys are the names of pressed keys, at the top of the window.
func keys(all []frame, width float64, total time.Duration) string {
	var b strings.Builder
	for first := 0; first < len(all); first++ {
		key, end := all[first].key, first+1
		if key == "" {
			continue
		}
		for end < len(all) && all[end].key == key {
			end++
		}
		fmt.Fprintf(&b, `<style>@keyframes key%d{%s}</style>`+"\n", first, visibility(all, first, end, total))
		fmt.Fprintf(&b, `<g class="x" style="animation-name:key%d"><rect x="%s" y="6" width="76" height="23" rx="5" fill="#f0c674"/>`, first, number(width-padding-76))
		fmt.Fprintf(&b, `<text x="%s" y="23" text-anchor="middle" class="bold" style="fill:%s">%s</text></g>`+"\n", number(width-padding-38), background, escape(key))
		first = end
	}
	return b.String()
}

// draw draws a piece at its place in the grid. textLength keeps it there,
// whatever the font.
func (s *span) draw(b *strings.Builder) {
	x, width := float64(s.x)*cellWidth, float64(s.cells)*cellWidth
	if s.style.bg != "" || block(s.text) {
		fill := s.style.bg
		if block(s.text) {
			fill = or(s.style.fg, foreground)
		}
		fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"/>`, number(x), number(float64(s.y)*lineHeight+2), number(width), number(lineHeight-4), fill)
	}
	if block(s.text) || strings.TrimSpace(s.text) == "" {
		return
	}
	fmt.Fprintf(b, `<text x="%s" y="%s"`, number(x), number(float64(s.y)*lineHeight+15.5))
	if s.cells > 1 {
		fmt.Fprintf(b, ` textLength="%s" lengthAdjust="spacingAndGlyphs"`, number(width))
	}
	var classes []string
	if s.style.bold {
		classes = append(classes, "bold")
	}
	if s.style.faint {
		classes = append(classes, "faint")
	}
	if len(classes) > 0 {
		fmt.Fprintf(b, ` class="%s"`, strings.Join(classes, " "))
	}
	if s.style.fg != "" {
		fmt.Fprintf(b, ` style="fill:%s"`, s.style.fg)
	}
	fmt.Fprintf(b, ">%s</text>", escape(s.text))
}

// visibility shows something from the first frame up to the end.
func visibility(all []frame, first, end int, total time.Duration) string {
	text := "0%{visibility:hidden}" + percent(all[first].at, total) + "{visibility:visible}"
	if first == 0 {
		text = "0%{visibility:visible}"
	}
	if end < len(all) {
		text += percent(all[end].at, total) + "{visibility:hidden}"
	}
	return text
}

// steps are the values of something that changes from frame to frame.
func steps(all []frame, total time.Duration, value func(frame) string) string {
	var b strings.Builder
	last := ""
	for i, f := range all {
		now := value(f)
		if now == last {
			continue
		}
		at := percent(f.at, total)
		if i == 0 {
			at = "0%"
		}
		b.WriteString(at + "{" + now + "}")
		last = now
	}
	return b.String()
}

func move(x, y float64) string { return "transform:translate(" + number(x) + "px," + number(y) + "px)" }

func percent(at, total time.Duration) string { return number(100*at.Seconds()/total.Seconds()) + "%" }

// number is short, and precise to a hundredth.
func number(f float64) string {
	text := strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0")
	return strings.TrimSuffix(text, ".")
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes everything
	return b.String()
}
