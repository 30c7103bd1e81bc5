package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// tally is a count of contacts or rows.
type tally struct {
	key  string // for programs
	text string // for people
	n    int
}

type tallies []tally

// String names the counts that are not zero.
func (t tallies) String() string {
	var all []string
	for _, one := range t {
		switch {
		case one.key == "requests":
			all = append(all, count(one.n, "request"))
		case one.n != 0:
			all = append(all, grouped(one.n)+" "+one.text)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// object is what JSON has of the counts.
func (t tallies) object() map[string]any {
	all := map[string]any{}
	for _, one := range t {
		all[one.key] = one.n
	}
	return all
}

// report prints the result of a bulk command.
func (a *app) report(title string, t tallies) {
	switch a.output {
	case "json":
		object := t.object()
		object["type"] = "report"
		a.line(object)
	case "csv":
		all := &table{}
		var cells []string
		for _, one := range t {
			all.headers, cells = append(all.headers, one.key), append(cells, strconv.Itoa(one.n))
		}
		all.add(nil, cells...)
		_ = all.csv(a.out)
	default:
		fmt.Fprintf(a.out, "%s: %s\n", title, t)
	}
}

// line prints a line of JSON. Nobody may read it any more: the work goes on.
func (a *app) line(object any) {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(object)
}
