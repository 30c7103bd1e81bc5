package demeterrr_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// byInterface matches methods known by their interface: error, fmt.Stringer,
// slog.LogValuer, and those of encoding/json.
var byInterface = regexp.MustCompile(`_(Error|Is|Unwrap|String|GoString|LogValue|IsZero|MarshalJSON|UnmarshalJSON)$`)

// TestEveryExportedFunctionHasAnExample finds exported functions without an
// example.
func TestEveryExportedFunctionHasAnExample(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	exported, examples := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, isFunc := d.(*ast.FuncDecl)
			switch {
			case !isFunc:
			case !strings.HasSuffix(name, "_test.go"):
				if key := exportedName(f); key != "" {
					exported[key] = true
				}
			case strings.HasPrefix(f.Name.Name, "Example"):
				examples[strings.TrimPrefix(f.Name.Name, "Example")] = true
			}
		}
	}
	if len(exported) < 40 {
		t.Errorf("found %d exported functions; does this test still read them right?", len(exported))
	}
	for key := range exported {
		if !examples[key] && !byInterface.MatchString(key) {
			t.Errorf("there is no Example%s", key)
		}
	}
}

// exportedName returns the name of f in its example: F, or T_M for a method. It
// is empty if f is unexported.
func exportedName(f *ast.FuncDecl) string {
	if !f.Name.IsExported() {
		return ""
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	name, ok := of.(*ast.Ident)
	if !ok || !name.IsExported() {
		return ""
	}
	return name.Name + "_" + f.Name.Name
}
