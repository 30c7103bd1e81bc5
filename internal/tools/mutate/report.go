package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the section of a target: what was tried, and the mutants that
// survived. log is the flag of a run that took results over.
func report(t target, mutants []*mutant, log string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made on %s with %s, %s/%s, by\n\n    (cd internal/tools && GOWORK=off go run ./mutate -target %s%s -out ../../docs/reliability.md ../..)\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, t.name, log)
	b.WriteString("| file | mutants | killed | survived |\n|---|---:|---:|---:|\n")
	all, dead := map[string]int{}, map[string]int{}
	answered := map[string][]string{}
	for _, m := range mutants {
		all[m.file]++
		if m.killed != "" {
			dead[m.file]++
			continue
		}
		answered[m.answer] = append(answered[m.answer], m.key)
	}
	for _, f := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", f, all[f], dead[f], all[f]-dead[f])
	}
	if len(answered) == 0 {
		return b.String()
	}
	b.WriteString("\n| survivors | why |\n|---|---|\n")
	for _, answer := range slices.Sorted(maps.Keys(answered)) {
		keys := strings.ReplaceAll(strings.Join(answered[answer], "<br>"), "|", `\|`)
		fmt.Fprintf(&b, "| %s | %s |\n", keys, cmp.Or(answer, "open: no test and no answer yet"))
	}
	return b.String()
}

// writeSection puts text between the marks of a section of a file.
func writeSection(path, name, text string) error {
	old, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, found := strings.Cut(rest, end)
	if !ok || !found {
		return fmt.Errorf("%s has no marks of a section %q", path, name)
	}
	return os.WriteFile(path, []byte(head+begin+"\n"+text+"\n"+end+tail), 0o644) //nolint:gosec // a document
}
