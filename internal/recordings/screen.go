package main

import (
	"fmt"
	"image/color"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// style is how a cell looks. An empty color is the default.
type style struct {
	fg, bg      string
	bold, faint bool
}

// cell is a character with its columns. The zero value is blank.
type cell struct {
	text  string
	width int
	style style
}

// frame is what the terminal shows from a time on. Its lines are those that have
// scrolled out at the top, then those of the screen.
type frame struct {
	at       time.Duration
	lines    [][]cell
	scrolled int    // lines
	x, y     int    // of the cursor, among the lines
	key      string // pressed a moment ago
}

// shown is how long a pressed key is shown, at least.
const shown = 1200 * time.Millisecond

// frames plays events in a terminal. Events of the same time make one frame.
func frames(events []event, width, height int) []frame {
	terminal := vt.NewEmulator(width, height)
	defer terminal.Close() //nolint:errcheck // it has nothing to lose
	var all []frame
	key, until := "", time.Duration(0)
	for i, e := range events {
		if e.key != "" {
			key, until = e.key, e.at+shown
		}
		_, _ = terminal.WriteString(e.text) // it fails when it is closed
		if i+1 < len(events) && events[i+1].at == e.at {
			continue
		}
		f := newFrame(e.at, terminal)
		if e.at < until {
			f.key = key
		}
		all = append(all, f)
	}
	return all
}

func newFrame(at time.Duration, terminal *vt.Emulator) frame {
	f := frame{at: at, scrolled: terminal.ScrollbackLen()}
	for y := range f.scrolled {
		f.lines = append(f.lines, line(terminal.Width(), func(x int) *uv.Cell { return terminal.ScrollbackCellAt(x, y) }))
	}
	for y := range terminal.Height() {
		f.lines = append(f.lines, line(terminal.Width(), func(x int) *uv.Cell { return terminal.CellAt(x, y) }))
	}
	cursor := terminal.CursorPosition()
	f.x, f.y = cursor.X, f.scrolled+cursor.Y
	return f
}

func line(width int, at func(x int) *uv.Cell) []cell {
	cells := make([]cell, width)
	for x := range cells {
		c := at(x)
		if c == nil || c.IsZero() || c.Content == "" {
			continue
		}
		s := style{fg: hex(c.Style.Fg), bg: hex(c.Style.Bg), bold: c.Style.Attrs&uv.AttrBold != 0, faint: c.Style.Attrs&uv.AttrFaint != 0}
		if c.Style.Attrs&uv.AttrReverse != 0 {
			s.fg, s.bg = or(s.bg, background), or(s.fg, foreground)
		}
		if c.Content == " " {
			if s.bg == "" {
				continue
			}
			s = style{bg: s.bg}
		}
		cells[x] = cell{c.Content, c.Width, s}
	}
	return cells
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// hex is a color as CSS has it; empty for the default.
func hex(c color.Color) string {
	switch c := c.(type) {
	case nil:
		return ""
	case ansi.BasicColor:
		return palette[c]
	case ansi.IndexedColor:
		if int(c) < len(palette) {
			return palette[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
