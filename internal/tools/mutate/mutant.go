package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// mutant is one change of the code.
type mutant struct {
	id     int
	key    string // file, function and change; it stays as lines move
	file   string
	killed string // what found it; empty if nothing did
	answer string
}

// edit is a change of a file's text.
type edit struct {
	from, to int // the text that is replaced; equal for an insertion
	text     string
	after    bool // stands behind what ends here
}

// instrumenter puts mutants into the files of a target.
type instrumenter struct {
	target  target
	mutants []*mutant
	keys    map[string]int

	pkg   *packages.Package
	text  []byte
	file  *token.File
	name  string // of the file, below the root
	edits []edit
}

// instrument returns the mutants of a target, and the files that hold them, by path.
func instrument(root string, t target) ([]*mutant, map[string][]byte, error) {
	in := &instrumenter{target: t, keys: map[string]int{}}
	overlay := map[string][]byte{}
	for _, dir := range slices.Sorted(func(yield func(string) bool) {
		seen := map[string]bool{}
		for _, f := range t.files {
			if dir := filepath.Dir(f.path); !seen[dir] && !yield(dir) {
				return
			} else {
				seen[dir] = true
			}
		}
	}) {
		loaded, err := packages.Load(&packages.Config{
			Dir: filepath.Join(root, dir), Env: environment(),
			Mode: packages.NeedName | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps,
		}, ".")
		if err != nil {
			return nil, nil, err
		}
		if len(loaded) != 1 || packages.PrintErrors(loaded) > 0 {
			return nil, nil, errors.New("the package cannot be loaded")
		}
		in.pkg = loaded[0]
		for _, f := range t.files {
			if filepath.Dir(f.path) != dir {
				continue
			}
			text, err := in.mutate(root, f)
			if err != nil {
				return nil, nil, err
			}
			overlay[filepath.Join(root, f.path)] = text
		}
		overlay[filepath.Join(root, dir, "mutant_switch.go")] = []byte("package " + in.pkg.Name + "\n\n" + switchText)
	}
	return in.mutants, overlay, nil
}

// mutate returns the text of a file with its mutants.
func (in *instrumenter) mutate(root string, f source) ([]byte, error) {
	path := filepath.Join(root, f.path)
	text, err := os.ReadFile(path) //nolint:gosec // a target names it
	if err != nil {
		return nil, err
	}
	in.text, in.name, in.edits = text, f.path, nil
	for _, file := range in.pkg.Syntax {
		in.file = in.pkg.Fset.File(file.Pos())
		if in.file.Name() != path {
			continue
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil && f.wants(nameOf(fn)) {
				in.function(fn)
			}
		}
		return apply(text, in.edits), nil
	}
	return nil, fmt.Errorf("%s is not part of its package", f.path)
}

// apply makes the edits. Of two that stand at one place, the outer one came first.
func apply(text []byte, edits []edit) []byte {
	order := make([]int, len(edits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := edits[i], edits[j]
		switch {
		case a.from != b.from:
			return cmp.Compare(a.from, b.from)
		case a.after != b.after:
			return map[bool]int{true: -1, false: 1}[a.after]
		case a.after:
			return cmp.Compare(j, i)
		}
		return cmp.Compare(i, j)
	})
	var b bytes.Buffer
	at := 0
	for _, i := range order {
		b.Write(text[at:edits[i].from])
		b.WriteString(edits[i].text)
		at = edits[i].to
	}
	b.Write(text[at:])
	return b.Bytes()
}

// nameOf is a function's name with its receiver's.
func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	return strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*") + "." + fn.Name.Name
}

// add makes a mutant and returns its number.
func (in *instrumenter) add(fn, change string) int {
	key := fmt.Sprintf("%s %s: %s", in.name, fn, change)
	in.keys[key]++
	if n := in.keys[key]; n > 1 {
		key = fmt.Sprintf("%s, no. %d", key, n)
	}
	m := &mutant{id: len(in.mutants) + 1, key: key, file: in.name}
	in.mutants = append(in.mutants, m)
	return m.id
}

func (in *instrumenter) before(pos token.Pos, text string) {
	in.edits = append(in.edits, edit{in.file.Offset(pos), in.file.Offset(pos), text, false})
}

func (in *instrumenter) after(pos token.Pos, text string) {
	in.edits = append(in.edits, edit{in.file.Offset(pos), in.file.Offset(pos), text, true})
}

func (in *instrumenter) replace(from token.Pos, length int, text string) {
	in.edits = append(in.edits, edit{in.file.Offset(from), in.file.Offset(from) + length, text, false})
}

// source returns the text of a node, on one line.
func (in *instrumenter) source(n ast.Node) string {
	return strings.Join(strings.Fields(string(in.text[in.file.Offset(n.Pos()):in.file.Offset(n.End())])), " ")
}

// short is source, cut.
func (in *instrumenter) short(n ast.Node) string {
	text := []rune(in.source(n))
	if limit := 70; len(text) > limit {
		return string(text[:limit]) + "…"
	}
	return string(text)
}

// function adds the mutants of a function.
func (in *instrumenter) function(fn *ast.FuncDecl) {
	name := nameOf(fn)
	signatures := []*types.Signature{in.pkg.TypesInfo.Defs[fn.Name].Type().(*types.Signature)}
	var stack []ast.Node
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if n == nil {
			if _, ok := stack[len(stack)-1].(*ast.FuncLit); ok {
				signatures = signatures[:len(signatures)-1]
			}
			stack = stack[:len(stack)-1]
			return true
		}
		var parent ast.Node
		if len(stack) > 0 {
			parent = stack[len(stack)-1]
		}
		if lit, ok := n.(*ast.FuncLit); ok {
			signatures = append(signatures, in.pkg.TypesInfo.TypeOf(lit).(*types.Signature))
		}
		stack = append(stack, n)
		switch n := n.(type) {
		case *ast.ReturnStmt:
			in.results(name, n, signatures[len(signatures)-1])
		case ast.Stmt:
			in.removal(name, parent, n)
		case ast.Expr:
			in.expression(name, parent, n)
		}
		return true
	})
}

// removal lets a statement be left out.
func (in *instrumenter) removal(fn string, parent ast.Node, s ast.Stmt) {
	switch parent := parent.(type) {
	case *ast.BlockStmt:
	case *ast.CaseClause:
		if slices.Contains(parent.Body, s) {
			break
		}
		return
	case *ast.CommClause:
		if slices.Contains(parent.Body, s) {
			break
		}
		return
	default:
		return
	}
	var call ast.Expr
	switch s := s.(type) {
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE || allBlank(s.Lhs) {
			return
		}
	case *ast.IncDecStmt, *ast.SendStmt, *ast.BranchStmt:
	case *ast.ExprStmt:
		call = s.X
	case *ast.DeferStmt:
		call = s.Call
	case *ast.GoStmt:
		call = s.Call
	default:
		return
	}
	if c, ok := call.(*ast.CallExpr); ok {
		if text := types.ExprString(c.Fun); text == "panic" || strings.HasSuffix(text, ".Lock") || strings.HasSuffix(text, ".Unlock") || text == "unlock" {
			return
		}
	}
	id := in.add(fn, "without `"+in.short(s)+"`")
	in.before(s.Pos(), fmt.Sprintf("if !mutant(%d) { ", id))
	in.after(s.End(), " }")
}

func allBlank(list []ast.Expr) bool {
	return !slices.ContainsFunc(list, func(e ast.Expr) bool { return types.ExprString(e) != "_" })
}

// results lets a function return zeros.
func (in *instrumenter) results(fn string, r *ast.ReturnStmt, sig *types.Signature) {
	if len(r.Results) != sig.Results().Len() {
		return
	}
	for i, e := range r.Results {
		kind := sig.Results().At(i).Type()
		if isBool(kind) || isZero(in.pkg.TypesInfo, e) {
			continue
		}
		zero := "the zero value"
		if types.IsInterface(kind) {
			zero = "nil"
		}
		id := in.add(fn, fmt.Sprintf("return %s for `%s`", zero, in.short(e)))
		in.before(e.Pos(), fmt.Sprintf("mutantZero[%s](%d, ", in.typeName(kind), id))
		in.after(e.End(), ")")
	}
}

func (in *instrumenter) typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p == in.pkg.Types {
			return ""
		}
		return p.Name()
	})
}

func isBool(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0
}

func isZero(info *types.Info, e ast.Expr) bool {
	tv := info.Types[e]
	if lit, ok := e.(*ast.CompositeLit); ok && len(lit.Elts) == 0 {
		return true
	}
	return tv.IsNil() || tv.Value != nil && (tv.Value.ExactString() == "0" || tv.Value.ExactString() == `""`)
}

// expression adds the mutants of an expression itself, not of those in it.
func (in *instrumenter) expression(fn string, parent ast.Node, e ast.Expr) {
	tv, ok := in.pkg.TypesInfo.Types[e]
	if !ok || !tv.IsValue() {
		return
	}
	if clause, ok := parent.(*ast.CaseClause); ok && in.caseValue(fn, clause, e) {
		return
	}
	if isBool(tv.Type) {
		in.decision(fn, parent, e, tv)
	}
	if tv.Value != nil {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING && in.target.sql {
			in.statement(fn, lit)
		}
		return
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		in.operator(fn, e)
	case *ast.CallExpr:
		in.minMax(fn, e)
	}
}

// decision forces a condition to true and to false, and flips a literal. Of the
// operands of && and || only what does not decide alone is tried.
func (in *instrumenter) decision(fn string, parent ast.Node, e ast.Expr, tv types.TypeAndValue) {
	yes, no := true, true
	switch p := parent.(type) {
	case *ast.BinaryExpr:
		if b, ok := e.(*ast.BinaryExpr); ok && b.Op == p.Op {
			return // its operands do
		}
		switch p.Op {
		case token.LAND:
			no = false
		case token.LOR:
			yes = false
		default:
			return
		}
	case *ast.UnaryExpr, *ast.ParenExpr, *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
		return
	case *ast.ForStmt:
		yes = false // it would never end
	case *ast.AssignStmt:
		if slices.Contains(p.Lhs, e) {
			return
		}
	case *ast.KeyValueExpr:
		if p.Key == e {
			return
		}
	case *ast.SelectorExpr, *ast.IncDecStmt:
		return
	}
	if id, ok := e.(*ast.Ident); ok && in.pkg.TypesInfo.Defs[id] != nil {
		return
	}
	if tv.Value != nil {
		if id, ok := e.(*ast.Ident); ok && (id.Name == "true" || id.Name == "false") {
			n := in.add(fn, fmt.Sprintf("`%s` for `%s` in `%s`", map[string]string{"true": "false", "false": "true"}[id.Name], id.Name, in.short(parent)))
			in.before(e.Pos(), "(")
			in.after(e.End(), fmt.Sprintf(" != mutant(%d))", n))
		}
		return
	}
	text := in.short(e)
	if yes {
		n := in.add(fn, fmt.Sprintf("`true` for `%s`", text))
		in.before(e.Pos(), "(")
		in.after(e.End(), fmt.Sprintf(" || mutant(%d))", n))
	}
	if no {
		n := in.add(fn, fmt.Sprintf("`false` for `%s`", text))
		in.before(e.Pos(), "(")
		in.after(e.End(), fmt.Sprintf(" && !mutant(%d))", n))
	}
}

// caseValue lets a case of a switch with a tag be left out.
func (in *instrumenter) caseValue(fn string, clause *ast.CaseClause, e ast.Expr) bool {
	if !slices.Contains(clause.List, e) {
		return false
	}
	tv := in.pkg.TypesInfo.Types[e]
	if tv.Value == nil {
		return false // of a switch without one, or not constant
	}
	id := in.add(fn, fmt.Sprintf("without `case %s`", in.short(e)))
	name := "mutantCase"
	if tv.Value.Kind() == constant.String {
		name = "mutantCaseText"
	}
	in.before(e.Pos(), fmt.Sprintf("%s[%s](%d, ", name, in.typeName(tv.Type), id))
	in.after(e.End(), ")")
	return true
}

var operators = map[token.Token][2]string{ // the function of switch.txt, and what stands for the operator
	token.LSS: {"mutantLess", "<="}, token.LEQ: {"mutantLessEqual", "<"},
	token.GTR: {"mutantGreater", ">="}, token.GEQ: {"mutantGreaterEqual", ">"},
	token.ADD: {"mutantAdd", "-"}, token.SUB: {"mutantSubtract", "+"},
	token.MUL: {"mutantMultiply", "/"}, token.QUO: {"mutantDivide", "*"}, token.REM: {"mutantRemainder", "*"},
}

// operator puts another in the place of one that compares or calculates.
func (in *instrumenter) operator(fn string, e *ast.BinaryExpr) {
	to, ok := operators[e.Op]
	basic, isBasic := in.pkg.TypesInfo.TypeOf(e.X).Underlying().(*types.Basic)
	if !ok || !isBasic || basic.Info()&types.IsNumeric == 0 {
		return
	}
	other, isBasic := in.pkg.TypesInfo.TypeOf(e.Y).Underlying().(*types.Basic)
	if !isBasic || basic.Info()&types.IsUntyped != 0 && other.Info()&types.IsUntyped != 0 {
		return
	}
	id := in.add(fn, fmt.Sprintf("`%s` for `%s` in `%s`", to[1], e.Op, in.short(e)))
	in.before(e.Pos(), fmt.Sprintf("%s(%d, ", to[0], id))
	in.replace(e.OpPos, len(e.Op.String()), ",")
	in.after(e.End(), ")")
}

// minMax puts the one in the place of the other.
func (in *instrumenter) minMax(fn string, e *ast.CallExpr) {
	id, ok := e.Fun.(*ast.Ident)
	if !ok {
		return
	}
	if _, builtin := in.pkg.TypesInfo.Uses[id].(*types.Builtin); !builtin || id.Name != "min" && id.Name != "max" {
		return
	}
	other := map[string]string{"min": "max", "max": "min"}[id.Name]
	n := in.add(fn, fmt.Sprintf("`%s` for `%s` in `%s`", other, id.Name, in.short(e)))
	in.replace(id.Pos(), len(id.Name), map[string]string{"min": "mutantMin", "max": "mutantMax"}[id.Name])
	in.before(e.Lparen+1, fmt.Sprintf("%d, ", n))
}

var (
	sqlCondition = regexp.MustCompile(`\b(WHERE|AND|ON) ([a-z_.]+ = (?:\?|'[a-z]+'|[a-z_.]+))`)
	sqlState     = regexp.MustCompile(`'(begun|unknown|done)'`)
)

// statement lets a condition of an SQL statement always hold, and puts another
// state in the place of each.
func (in *instrumenter) statement(fn string, lit *ast.BasicLit) {
	var changes strings.Builder
	change := func(from, to int, text, what string) {
		id := in.add(fn, what)
		fmt.Fprintf(&changes, ", %d, %s", id, lit.Value[:from]+text+lit.Value[to:])
	}
	for _, m := range sqlCondition.FindAllStringSubmatchIndex(lit.Value, -1) {
		condition := lit.Value[m[4]:m[5]]
		change(m[4], m[5], "("+condition+" OR 1 = 1)", "true for `"+condition+"`")
	}
	for _, m := range sqlState.FindAllStringSubmatchIndex(lit.Value, -1) {
		was := lit.Value[m[2]:m[3]]
		other := map[string]string{"begun": "unknown", "unknown": "done", "done": "unknown"}[was]
		around := lit.Value[max(m[0]-12, 1):m[1]]
		change(m[2], m[3], other, fmt.Sprintf("'%s' in `%s`", other, around[strings.Index(around, " ")+1:]))
	}
	if changes.Len() > 0 {
		in.before(lit.Pos(), "mutantText(")
		in.after(lit.End(), changes.String()+")")
	}
}

//go:embed switch.txt
var switchText string
