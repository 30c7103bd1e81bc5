// Licenses prints a table of the modules that programs link in with ours, each with
// its licenses. It fails if a license is missing, unknown or not allowed.
//
//	licenses DIR ...
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licenses that ask no more of a program than to name them, and
// MPL-2.0, which asks for the source of its own files only. By SPDX identifier.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "public domain"}

// systems are those that builds are made for; each can link other modules in.
var systems = []string{"darwin", "freebsd", "linux", "windows"}

const (
	ours    = "github.com/demeterrr/demeterrr-go"
	certain = 75 // the percentage of a file that must be text of a known license
)

// read has the license files that a person read, as licensecheck does not know their
// texts, by the start of their SHA-256. A changed file must be read again.
var read = map[string][]string{
	"8438c9c8": {"public domain"},                                        // modernc.org/sqlite: SQLite
	"f4a00ade": {"Apache-2.0", "BSD-3-Clause", "MIT", "public domain"},   // modernc.org/sqlite: third parties; MPL-2.0 stands there for modules that are not linked in
	"f597097e": {"BSD-2-Clause", "BSD-3-Clause", "MIT", "public domain"}, // modernc.org/libc: third parties, musl with its parts
	"5ae5bee3": {},                                                       // modernc.org/memory: where its logo comes from
}

// linked is a module of others, with the names of ours that link it in.
type linked struct {
	dir string
	by  []string
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: licenses DIR ...")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(dirs []string) error {
	modules := map[string]*linked{}
	for _, dir := range dirs {
		for _, system := range systems {
			if err := list(dir, system, modules); err != nil {
				return err
			}
		}
	}
	fmt.Print("| module | license | linked into |\n|---|---|---|\n")
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		ids, err := identify(m.dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
		fmt.Printf("| %s | %s | %s |\n", path, strings.Join(ids, ", "), strings.Join(m.by, ", "))
	}
	return errors.Join(errs...)
}

// list adds the modules that the packages in dir link in on one system.
func list(dir, system string, modules map[string]*linked) error {
	const format = `{{with .Module}}{{if .Main}}{{.Path}}{{else}}{{.Path}} {{.Dir}}{{end}}{{end}}`
	cmd := exec.CommandContext(context.Background(), "go", "list", "-deps", "-f", format, "./...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOARCH=amd64", "GOOS="+system)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	lines := slices.Compact(slices.Sorted(strings.Lines(string(out))))
	name := ""
	for _, line := range lines {
		if path, folder, _ := strings.Cut(strings.TrimSpace(line), " "); folder == "" && path != "" {
			name = cmp.Or(strings.TrimPrefix(strings.TrimPrefix(path, ours), "/"), "the root")
		}
	}
	for _, line := range lines {
		path, folder, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || path == ours || strings.HasPrefix(path, ours+"/") {
			continue
		}
		if modules[path] == nil {
			modules[path] = &linked{dir: folder}
		}
		if m := modules[path]; !slices.Contains(m.by, name) {
			m.by = append(m.by, name)
		}
	}
	return nil
}

// identify returns the licenses of the module in dir, by all license files at its top.
func identify(dir string) (ids []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name := strings.ToUpper(file.Name())
		if file.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"}, func(s string) bool { return strings.HasPrefix(name, s) }) {
			continue
		}
		text, errRead := os.ReadFile(filepath.Join(dir, file.Name())) //nolint:gosec // a file of the module cache
		if errRead != nil {
			return nil, errRead
		}
		if known, ok := read[fmt.Sprintf("%x", sha256.Sum256(text))[:8]]; ok {
			ids = append(ids, known...)
			continue
		}
		cover := licensecheck.Scan(text)
		if cover.Percent < certain {
			err = errors.Join(err, fmt.Errorf("only %.0f %% of %s is the text of a known license; read it", cover.Percent, file.Name()))
		}
		for _, match := range cover.Match {
			ids = append(ids, match.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		err = errors.Join(err, errors.New("it has no license"))
	}
	for _, id := range ids {
		if !slices.Contains(allowed, id) {
			err = errors.Join(err, fmt.Errorf("license %s is not allowed", id))
		}
	}
	return ids, err
}
