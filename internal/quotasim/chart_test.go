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

func TestNiceStepsDivideInFiveAtTheMost(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]float64{0: 1, 5: 1, 6: 2, 23: 5, 26: 10, 941: 200, 5001: 2000} {
		if got := niceStep(count); got != want {
			t.Errorf("%d: %v, want %v", count, got, want)
		}
	}
}

func TestThousandsAreSetApart(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 5043: "5,043", 123456: "123,456"} {
		if got := thousands(count); got != want {
			t.Errorf("%d: %q, want %q", count, got, want)
		}
	}
}
