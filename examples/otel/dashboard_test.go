package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	sample    = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? `)
	labelName = regexp.MustCompile(`(\w+)="`)
	selector  = regexp.MustCompile(`\b(\w+)(?:\{([^}]*)\})?(?:\[|\)| [/<>])`)
	grouping  = regexp.MustCompile(`by \(([^)]*)\)`)
	matcher   = regexp.MustCompile(`(\w+)[=!]`)
)

// exported returns every metric of the example with the names of its labels.
func exported(t *testing.T) map[string]map[string]bool {
	t.Helper()
	_, _, metrics := played(t)
	all := map[string]map[string]bool{}
	for _, found := range sample.FindAllStringSubmatch(metrics, -1) {
		if all[found[1]] == nil {
			all[found[1]] = map[string]bool{"job": true} // a label of the scrape
		}
		for _, label := range labelName.FindAllStringSubmatch(found[2], -1) {
			all[found[1]][label[1]] = true
		}
	}
	return all
}

// check fails for metrics and labels in a query that the example does not
// export. It returns the metrics of the query.
func check(t *testing.T, metrics map[string]map[string]bool, query string) (used []string) {
	t.Helper()
	labels := map[string]bool{}
	for _, found := range selector.FindAllStringSubmatch(grouping.ReplaceAllString(query, ""), -1) {
		name := found[1]
		if !strings.Contains(name, "_") {
			continue
		}
		if metrics[name] == nil {
			t.Errorf("%s: there is no metric %s", query, name)
			continue
		}
		used = append(used, name)
		maps.Copy(labels, metrics[name])
		for _, label := range matcher.FindAllStringSubmatch(found[2], -1) {
			if !metrics[name][label[1]] {
				t.Errorf("%s: %s has no label %s", query, name, label[1])
			}
		}
	}
	for _, found := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(found[1], ", ") {
			if !labels[label] {
				t.Errorf("%s: there is no label %s", query, label)
			}
		}
	}
	if len(used) == 0 {
		t.Errorf("%s: it queries nothing", query)
	}
	return used
}

// Every query of the dashboard uses exported metrics and labels, and the
// dashboard shows every metric.
func TestTheDashboardQueriesWhatIsExported(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/observability-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	metrics := exported(t)
	unused := maps.Clone(metrics)
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %q has no title or no query", panel.Title)
		}
		for _, target := range panel.Targets {
			for _, name := range check(t, metrics, target.Expr) {
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					delete(unused, histogram(name)+suffix)
				}
				delete(unused, name)
			}
		}
	}
	delete(unused, "target_info")
	if left := slices.Sorted(maps.Keys(unused)); len(left) > 0 {
		t.Errorf("no panel shows %v", left)
	}
}

// histogram returns the name shared by the series of a histogram.
func histogram(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func TestTheDocumentQueriesWhatIsExported(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	metrics, queries := exported(t), 0
	for _, code := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		if strings.ContainsAny(code[1], "[(") && strings.Contains(code[1], "_") {
			check(t, metrics, strings.ReplaceAll(code[1], `\|`, "|"))
			queries++
		}
	}
	if queries < 15 {
		t.Errorf("found %d queries, want 15 and more", queries)
	}
}

func TestTheCheckFindsWhatIsNotExported(t *testing.T) {
	t.Parallel()
	metrics := map[string]map[string]bool{"demeterrr_attempts_total": {"job": true}}
	for _, query := range []string{
		"sum(rate(demeterrr_attempts[5m]))", "sum by (jobs) (rate(demeterrr_attempts_total[5m]))",
		`sum(rate(demeterrr_attempts_total{job!="a", status="200"}[5m]))`, "1 + 1",
	} {
		found := new(testing.T)
		check(found, metrics, query)
		if !found.Failed() {
			t.Errorf("nothing is wrong with %s", query)
		}
	}
}
