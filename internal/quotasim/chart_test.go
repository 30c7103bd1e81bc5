package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTheChartIsXMLAndSaysWhatMadeIt(t *testing.T) {
	t.Parallel()
	s := settings()[0]
	s.requests = 300
	var rows []row
	for _, by := range strategies() {
		rows = append(rows, row{setting: s, strategy: by, result: simulate(t, s, by)})
	}
	chart := jobChart(rows).draw()
	if !strings.HasPrefix(chart, "<!-- Made by: "+command+" -->\n") {
		t.Errorf("it begins with %.100q", chart)
	}
	for _, by := range strategies() {
		if !strings.Contains(chart, by.name+": ") {
			t.Errorf("the legend does not name %q", by.name)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(chart)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
