// Mutate changes the code in small ways, one at a time, and runs the tests on each
// change. A change that no test notices survives: a test is missing, the code is
// needless, or the change makes no difference. answers.txt says which.
//
//	mutate [-target name] [-run regexp] [-workers n] [-log file] [-out file] ROOT
//
// After new tests only the survivors need another run: with -log, the mutants that
// an earlier run with the same file has killed stay killed.
//
// A target is compiled once, with all its mutants in it. The environment variable
// DEMETERRR_MUTANT switches one of them on. So a mutant costs no more than the
// tests that find it.
//
// Locks are left to the race detector, and texts of errors to the tests of texts.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	name := flag.String("target", "", "one target, by name; all of them if empty")
	only := flag.String("run", "", "only mutants whose key matches; nothing is written")
	workers := flag.Int("workers", 1, "test processes at once")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	log := flag.String("log", "", "keep the results in this file, and spare what it says is killed")
	out := flag.String("out", "", "write the results into this file, between their marks")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mutate [flags] ROOT")
		os.Exit(2)
	}
	wanted, err := regexp.Compile(*only)
	if err == nil {
		err = run(flag.Arg(0), *name, *log, *out, wanted, *workers, *list)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(root, name, log, out string, wanted *regexp.Regexp, workers int, list bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	answers, err := readAnswers(answersText)
	if err != nil {
		return err
	}
	known, err := readLog(log)
	if err != nil {
		return err
	}
	logFlag := ""
	if log != "" {
		logFlag = " -log mutants.log"
	}
	open := 0
	for _, t := range targets {
		if name != "" && t.name != name {
			continue
		}
		mutants, overlay, err := instrument(root, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		all := len(mutants)
		mutants = slices.DeleteFunc(mutants, func(m *mutant) bool { return !wanted.MatchString(m.key) })
		if list {
			for _, m := range mutants {
				fmt.Println(m.key)
			}
			continue
		}
		unanswered, err := judge(root, t, overlay, mutants, known, answers, workers)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		open += unanswered
		text := report(t, mutants, logFlag)
		fmt.Print(text)
		if out != "" && all == len(mutants) {
			if err := writeSection(out, "mutants "+t.name, text); err != nil {
				return err
			}
		}
	}
	if err := writeLog(log, known); err != nil {
		return err
	}
	if open > 0 {
		return fmt.Errorf("%d mutants survived without an answer", open)
	}
	return nil
}

// judge tests the mutants that are not known to be killed, and returns how many
// survivors have no answer.
func judge(root string, t target, overlay map[string][]byte, mutants []*mutant, known, answers map[string]string, workers int) (open int, err error) {
	var left []*mutant
	for _, m := range mutants {
		if m.killed = known[m.key]; m.killed == "" {
			left = append(left, m)
		}
	}
	if err := test(root, t, overlay, left, workers); err != nil {
		return 0, err
	}
	for _, m := range mutants {
		known[m.key], m.answer = m.killed, answers[m.key]
		switch {
		case m.killed == "" && m.answer == "":
			open++
			fmt.Printf("unanswered: %s\n", m.key)
		case m.killed != "" && m.answer != "":
			fmt.Printf("killed, and has an answer: %s\n", m.key)
		}
	}
	return open, nil
}

//go:embed answers.txt
var answersText string

// readAnswers reads paragraphs of an answer in the first line, and of the keys of
// the mutants that it answers in the others.
func readAnswers(text string) (map[string]string, error) {
	answers := map[string]string{}
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		answer, keys, ok := strings.Cut(paragraph, "\n")
		if !ok {
			return nil, fmt.Errorf("answers.txt: no mutant below %q", answer)
		}
		for key := range strings.Lines(keys) {
			answers[strings.TrimSpace(key)] = answer
		}
	}
	return answers, nil
}

// readLog reads what an earlier run has found: a line a mutant, what killed it,
// a tab, and its key.
func readLog(path string) (map[string]string, error) {
	known := map[string]string{}
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil && path != "" && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		killed, key, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		known[key] = killed
	}
	return known, nil
}

func writeLog(path string, known map[string]string) error {
	if path == "" {
		return nil
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(known)) {
		fmt.Fprintf(&b, "%s\t%s\n", known[key], key)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
