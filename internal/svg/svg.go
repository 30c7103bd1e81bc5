// Package svg draws the charts of the documents: their frame, text, grid steps
// and colors. The charts follow the reader's light or dark theme.
package svg

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// The colors differ for color-blind readers too, on white and on black.
const (
	Blue   = "#3b8fd0"
	Orange = "#d55e00"
	Green  = "#009e73"
	Purple = "#cc79a7"
	Gray   = "#8c8c8c"
)

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.limit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 2 4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.note { fill: #9198a1; }
.ground { fill: #0d1117; }
.grid { stroke: #3d444d; }
.limit { stroke: #e6edf3; }
}
</style>
`

// Picture is an unfinished SVG file. Write further elements to it.
type Picture struct{ strings.Builder }

// New begins a picture of width by height pixels. Its first line names the
// command that makes it. label describes it to a screen reader.
func New(command string, width, height int, label string) *Picture {
	p := new(Picture)
	fmt.Fprintf(p, "<!-- Made by: %s -->\n", command)
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", width, height, html.EscapeString(label))
	p.WriteString(style)
	fmt.Fprintf(p, `<rect class="ground" width="%d" height="%d"/>`+"\n", width, height)
	return p
}

// Text writes a line of text. An empty anchor means start.
func (p *Picture) Text(x, y float64, class, anchor, content string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f"`, x, y)
	if class != "" {
		fmt.Fprintf(p, ` class="%s"`, class)
	}
	if anchor != "" {
		fmt.Fprintf(p, ` text-anchor="%s"`, anchor)
	}
	fmt.Fprintf(p, ">%s</text>\n", html.EscapeString(content))
}

// End ends the picture and returns the file.
func (p *Picture) End() string {
	p.WriteString("</svg>\n")
	return p.String()
}

// NiceStep returns a round number that divides the highest value into at most
// five parts.
func NiceStep(highest float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if highest <= 5*factor*step {
				return factor * step
			}
		}
	}
}

// Thousands returns a count with a comma between thousands.
func Thousands(count int) string {
	text := strconv.Itoa(count)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
