package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// table is a list for any of the output formats.
type table struct {
	headers []string
	whole   []string // columns that are never cut
	rows    [][]string
	objects []any // the rows in JSON
}

func (t *table) add(object any, cells ...string) {
	t.rows = append(t.rows, cells)
	t.objects = append(t.objects, object)
}

// print prints the table in the format of --output.
func (a *app) print(t *table) error {
	switch a.output {
	case "json":
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		for _, object := range t.objects {
			if err := encoder.Encode(object); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return t.csv(a.out)
	default:
		return t.text(a.out, width(a.out))
	}
}

func (t *table) csv(out io.Writer) error {
	w := csv.NewWriter(out)
	_ = w.Write(t.headers)
	for _, row := range t.rows {
		cells := slices.Clone(row)
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}

// harmless guards a cell against evaluation as a formula. Phone numbers stay
// unchanged.
func harmless(cell string) string {
	start := strings.TrimLeft(cell, " \u00a0\ufeff\u200b")
	if start == "" || !strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", []rune(start)[0]) {
		return cell
	}
	if digits, ok := strings.CutPrefix(cell, "+"); ok && strings.Trim(digits, "0123456789") == "" {
		return cell
	}
	return "'" + cell
}

const (
	gap      = 2  // between columns
	shortest = 12 // minimum width of a cut column
)

// text prints aligned columns. It cuts the widest columns to fit the terminal.
// If that fails, it prints each row as a block of lines.
func (t *table) text(out io.Writer, width int) error {
	rows := [][]string{t.headers}
	for _, row := range t.rows {
		clean := make([]string, len(row))
		for i, cell := range row {
			clean[i] = visible(cell)
		}
		rows = append(rows, clean)
	}
	widths, ok := t.fit(rows, width)
	if !ok {
		return t.blocks(out)
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			cell = cut(cell, widths[i])
			line += cell + strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+gap)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// blocks prints each row as a block of lines, without empty cells.
func (t *table) blocks(out io.Writer) error {
	var b strings.Builder
	for i, row := range t.rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, cell := range row {
			if cell != "" {
				fmt.Fprintf(&b, "%s: %s\n", visible(t.headers[j]), visible(cell))
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// fit returns the widths of the columns. ok is false if the table cannot fit.
func (t *table) fit(rows [][]string, width int) (widths []int, ok bool) {
	widths = make([]int, len(t.headers))
	total := -gap
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], uniseg.StringWidth(row[i]))
		}
		total += widths[i] + gap
	}
	for total > width {
		widest := -1
		for i, w := range widths {
			if w > shortest && !slices.Contains(t.whole, t.headers[i]) && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil, false
		}
		widths[widest]--
		total--
	}
	return widths, true
}

// cut cuts a text to a width, and ends it with an ellipsis.
func cut(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	short := ""
	for state := -1; s != ""; {
		var cluster string
		var w int
		cluster, s, w, state = uniseg.FirstGraphemeClusterInString(s, state)
		if uniseg.StringWidth(short)+w >= width {
			break
		}
		short += cluster
	}
	return short + "…"
}

// wrap breaks a list at commas to fit a terminal, and indents the other lines.
func wrap(out io.Writer, list string) string {
	if !isTerminal(out) {
		return list
	}
	return wrapAt(list, width(out))
}

func wrapAt(list string, width int) string {
	lines, used := "", 0
	for i, item := range strings.SplitAfter(list, ", ") {
		w := uniseg.StringWidth(strings.TrimSuffix(item, " "))
		if i > 0 && used+w > width {
			lines, used = strings.TrimSuffix(lines, " ")+"\n    ", 4
		}
		lines, used = lines+item, used+uniseg.StringWidth(item)
	}
	return lines
}

// visible replaces control characters: they could manipulate the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '\ufffd'
		}
		return r
	}, s)
}
