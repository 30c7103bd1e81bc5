// Apitxt prints the exported declarations of packages, without comments and
// bodies. A change of the public surface then shows as a change of a file.
//
//	apitxt DIR ...
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: apitxt DIR ...")
		os.Exit(2)
	}
	for _, dir := range os.Args[1:] {
		if err := dump(os.Stdout, dir); err != nil {
			fmt.Fprintf(os.Stderr, "apitxt: %s: %v\n", dir, err)
			os.Exit(1)
		}
	}
}

// dump prints the exported declarations of the package in dir: constants,
// variables and functions, then each type with its constructors and methods.
func dump(out io.Writer, dir string) error {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		// Parsed without comments, so that documentation can change freely.
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return errors.New("no Go files")
	}
	pkg, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "package %s\n", pkg.Name)
	p := &surface{out: out, fset: fset}
	p.values(pkg.Consts, pkg.Vars)
	p.funcs(pkg.Funcs)
	for _, t := range pkg.Types {
		p.decl(t.Decl)
		p.values(t.Consts, t.Vars)
		p.funcs(t.Funcs, t.Methods)
	}
	fmt.Fprintln(out)
	return p.err
}

// surface prints declarations and keeps the first error.
type surface struct {
	out  io.Writer
	fset *token.FileSet
	err  error
}

func (p *surface) values(groups ...[]*doc.Value) {
	for _, group := range groups {
		for _, value := range group {
			p.decl(value.Decl)
		}
	}
}

func (p *surface) funcs(groups ...[]*doc.Func) {
	for _, group := range groups {
		for _, f := range group {
			f.Decl.Body = nil
			p.decl(f.Decl)
		}
	}
}

func (p *surface) decl(d ast.Decl) {
	var text bytes.Buffer
	err := (&printer.Config{Mode: printer.UseSpaces, Tabwidth: 1}).Fprint(&text, p.fset, d)
	if err != nil && p.err == nil {
		p.err = err
	}
	fmt.Fprintf(p.out, "\n%s\n", text.Bytes())
}
