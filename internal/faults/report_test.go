package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

var kinds = []kind{reads, updates, deletes, creates, upserts, executes, sendOnce}

// render returns the matrix as tables, one for each situation. All cells have
// passed the rules, so the rules stand for the outcomes.
func render(counts *tally) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made on %s with %s, %s/%s, Toxiproxy %s, by\n\n", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, version("github.com/Shopify/toxiproxy/v2"))
	b.WriteString("    go test ./internal/faults -run Matrix -args -out ../../docs/reliability.md\n\n")
	fmt.Fprintf(&b, "%d faults, %d methods, 4 situations: **%d calls** under a fault, each in a lab of its own. %d requests reached a server. ",
		len(faults())-1, len(methods()), counts.cells.Load(), counts.requests.Load())
	b.WriteString("Every cell matched the rules. No cell left a goroutine or a connection, showed the key or an email, messaged anybody twice, or broke its client.\n")
	for _, s := range []situation{stays, passes, cancels, deadline} {
		fmt.Fprintf(&b, "\n### %s%s\n\n| fault | made by | class |", strings.ToUpper(string(s[:1])), s[1:])
		for _, k := range kinds {
			fmt.Fprintf(&b, " %s |", k)
		}
		b.WriteString(" errors match |\n|---|---|---|" + strings.Repeat(":---:|", len(kinds)) + "---|\n")
		list := faults()
		for i := 0; i < len(list); {
			f, text := list[i], row(list[i], s)
			n := 1 // how many codes share the row
			for i+n < len(list) && list[i+n].name == f.name && row(list[i+n], s) == text {
				n++
			}
			title := f.title()
			switch {
			case n > 1 && list[i-1].name == f.name:
				title = f.name + ": any other code"
			case n > 1:
				title = f.name + ": any code"
			}
			fmt.Fprintf(&b, "| %s | %s\n", title, text)
			i += n
		}
	}
	return b.String()
}

// row returns the cells behind the name of a fault.
func row(f *fault, s situation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s | %s |", f.by, f.class)
	matches := map[string]bool{}
	for _, k := range kinds {
		w := expect(f, k, s)
		fmt.Fprintf(&b, " %s |", w.cell())
		for _, target := range w.is {
			if !errors.Is(target, demeterrr.ErrUnknownOutcome) { // the ? says it
				matches[name(target)] = true
			}
		}
	}
	fmt.Fprintf(&b, " %s |", strings.Join(slices.Sorted(maps.Keys(matches)), ", "))
	return b.String()
}

// cell returns an outcome in a few characters; the legend is in
// docs/reliability.md.
func (w want) cell() string {
	if w.ok {
		return "ok" + times(w.attempts)
	}
	text := "error"
	if w.status != 0 {
		text = strconv.Itoa(w.status)
	}
	text += times(w.attempts)
	if w.unknown {
		text += " ?"
	}
	return text
}

func times(attempts int) string {
	if attempts < 2 {
		return ""
	}
	return " ×" + strconv.Itoa(attempts)
}

// name returns the sentinel as a user writes it.
func name(target error) string {
	for text, sentinel := range map[string]error{
		"ErrRateLimited": demeterrr.ErrRateLimited, "ErrServer": demeterrr.ErrServer, "ErrInternal": demeterrr.ErrInternal,
		"ErrTimeout": demeterrr.ErrTimeout, "ErrConflict": demeterrr.ErrConflict, "ErrContactExists": demeterrr.ErrContactExists,
	} {
		if errors.Is(target, sentinel) {
			return text
		}
	}
	return target.Error()
}

// version asks the go command: in a workspace, a test binary does not know the
// versions of its modules.
func version(module string) string {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		return "(unknown)"
	}
	return strings.TrimSpace(string(out))
}
