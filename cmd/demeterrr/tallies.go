package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// tally is a labeled count.
type tally struct {
	key  string // in JSON and CSV
	text string // on a terminal
	n    int
}

type tallies []tally

// String lists the requests and the counts above zero.
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

// object returns the counts for JSON.
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
		a.noteLoss(all.csv(a.out))
	default:
		_, err := fmt.Fprintln(a.out, wrap(a.out, title+": "+t.String()))
		a.noteLoss(err)
	}
}

// line prints a line of JSON. A failed write is noted for the end of the run.
func (a *app) line(object any) {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	a.noteLoss(encoder.Encode(object))
}

// noteLoss keeps the first write error for the end of the run. A closed pipe is
// ignored.
func (a *app) noteLoss(err error) {
	if err != nil && a.lost == nil && !isClosedPipe(err) {
		a.lost = err
	}
}
